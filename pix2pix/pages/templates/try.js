
  const find = id => document.getElementById(id);
  const about = JSON.parse(atob(find("about").textContent));
  const drawing = find("drawing"), output = find("output"), brush = find("brush"), width = find("width");
  const pen = drawing.getContext("2d", { willReadFrequently: true });
  const UNDOS = 40;
  const undos = [];
  let place = { x: 0, y: 0 }, last = null, down = false, name = "image";

  const say = text => { find("status").textContent = text; };

  // the generator: the newest drawing is translated, and those in between are left out
  let worker, ready = false, busy = false, waiting = false, started, job;

  async function unpack(id) {
    const element = find(id), text = element.textContent, step = 1 << 20, parts = [];
    element.remove();
    for (let at = 0; at < text.length; at += step) parts.push(Uint8Array.from(atob(text.slice(at, at + step)), c => c.charCodeAt(0)));
    const stream = new Blob(parts).stream().pipeThrough(new DecompressionStream("gzip"));
    return new Uint8Array(await new Response(stream).arrayBuffer());
  }

  async function start() {
    const [runtime, wasm, model] = await Promise.all(["runtime", "wasm", "model"].map(unpack));
    worker = new Worker(URL.createObjectURL(new Blob([find("worker").textContent], { type: "text/javascript" })));
    worker.onerror = event => say(`The generator could not be started: ${event.message ?? "this browser does not support it"}`);
    worker.onmessage = ({ data }) => {
      if (data.error) return say(`The generator failed: ${data.error}`);
      if (data.ready) { ready = true; return translate(); }
      busy = false;
      show(data.y);
      if (waiting) translate();
    };
    // a page opened from disk may import a module from a data URI, but not from a blob
    const module = `data:text/javascript,${encodeURIComponent(new TextDecoder().decode(runtime))}`;
    worker.postMessage({ runtime: module, wasm, model }, [wasm.buffer, model.buffer]);
  }

  // index of the mirrored pixel, as in numpy's padding by reflection
  function mirror(at, size) {
    if (size === 1) return 0;
    const period = 2 * (size - 1), inside = ((at % period) + period) % period;
    return inside < size ? inside : period - inside;
  }

  function translate() {
    waiting = true;
    if (!ready || busy) return;
    [waiting, busy, started] = [false, true, performance.now()];
    const w = drawing.width, h = drawing.height, pixels = pen.getImageData(0, 0, w, h).data;
    const [H, W] = about.size;
    const top = Math.floor((H - h) / 2), left = Math.floor((W - w) / 2), area = H * W, x = new Float32Array(about.planesIn * area);
    for (let row = 0, at = 0; row < H; row++) {
      const y = mirror(row - top, h) * w;
      for (let column = 0; column < W; column++, at++) {
        const from = 4 * (y + mirror(column - left, w)), [r, g, b] = [pixels[from], pixels[from + 1], pixels[from + 2]];
        if (about.planesIn === 1) x[at] = ((19595 * r + 38470 * g + 7471 * b + 32768) >> 16) / 127.5 - 1; // as Pillow
        else { x[at] = r / 127.5 - 1; x[at + area] = g / 127.5 - 1; x[at + 2 * area] = b / 127.5 - 1; }
      }
    }
    job = { w, h, W, area, top, left, name };
    worker.postMessage({ x, shape: [1, about.planesIn, H, W] }, [x.buffer]);
  }

  function show(y) {
    const { w, h, W, area, top, left } = job, image = new ImageData(w, h), plane = about.planesOut === 1 ? 0 : area;
    for (let row = 0, to = 0; row < h; row++) {
      for (let column = 0; column < w; column++, to += 4) {
        const at = (row + top) * W + column + left;
        for (let c = 0; c < 3; c++) image.data[to + c] = (y[at + c * plane] + 1) * 127.5; // clamped and rounded
        image.data[to + 3] = 255;
      }
    }
    [output.width, output.height] = [w, h];
    output.getContext("2d").putImageData(image, 0, 0);
    output.dataset.name = job.name;
    find("download").disabled = false;
    say(`translated in ${((performance.now() - started) / 1000).toFixed(2)} s`);
  }

  // the drawing
  function remember() {
    undos.push(pen.getImageData(0, 0, drawing.width, drawing.height));
    if (undos.length > UNDOS) undos.shift();
    find("undo").disabled = false;
  }

  function undo() {
    const before = undos.pop();
    if (!before) return;
    [drawing.width, drawing.height] = [before.width, before.height];
    pen.putImageData(before, 0, 0);
    find("undo").disabled = !undos.length;
    changed();
  }

  function changed() { moveBrush(); translate(); }

  const colour = () => (document.querySelector("[name=colour]:checked") ?? find("any")).value;

  function stroke(from, to) {
    pen.strokeStyle = colour();
    pen.lineWidth = Number(width.value);
    pen.lineCap = "round";
    pen.beginPath();
    pen.moveTo(from.x, from.y);
    pen.lineTo(to.x, to.y);
    pen.stroke();
    changed();
  }

  function moveBrush() {
    const scale = drawing.clientWidth / drawing.width;
    brush.style.left = `${place.x * scale}px`;
    brush.style.top = `${place.y * scale}px`;
    brush.style.width = brush.style.height = `${Math.max(4, width.value * scale)}px`;
    brush.classList.toggle("down", down);
  }

  const showBrush = on => { brush.style.visibility = on ? "visible" : "hidden"; };

  function pointed(event) {
    const box = drawing.getBoundingClientRect();
    return { x: (event.clientX - box.left) * drawing.width / box.width, y: (event.clientY - box.top) * drawing.height / box.height };
  }

  drawing.addEventListener("pointerdown", event => {
    if (event.button) return;
    drawing.setPointerCapture(event.pointerId);
    remember();
    down = false;
    place = last = pointed(event);
    stroke(last, last);
  });
  drawing.addEventListener("pointermove", event => {
    showBrush(true);
    if (!last) { if (!down) place = pointed(event); return moveBrush(); }
    for (const each of event.getCoalescedEvents?.() ?? [event]) { place = pointed(each); stroke(last, place); last = place; }
  });
  for (const kind of ["pointerup", "pointercancel"]) drawing.addEventListener(kind, () => { last = null; });
  drawing.addEventListener("pointerleave", () => showBrush(document.activeElement === drawing));
  drawing.addEventListener("focus", () => { showBrush(true); moveBrush(); });
  drawing.addEventListener("blur", () => { down = false; showBrush(false); });

  const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  drawing.addEventListener("keydown", event => {
    const arrow = ARROWS[event.key];
    if (arrow) {
      const step = event.shiftKey ? 1 : Math.max(2, Math.round(drawing.width / 64)), before = place;
      place = { x: Math.min(drawing.width, Math.max(0, place.x + arrow[0] * step)), y: Math.min(drawing.height, Math.max(0, place.y + arrow[1] * step)) };
      if (down) stroke(before, place); else moveBrush();
    } else if (event.key === " ") {
      if (event.repeat) return event.preventDefault();
      down = !down;
      if (down) { remember(); stroke(place, place); } else moveBrush();
    } else return;
    event.preventDefault();
  });
  addEventListener("keydown", event => {
    if ((event.ctrlKey || event.metaKey) && !event.shiftKey && event.key.toLowerCase() === "z") { event.preventDefault(); undo(); }
  });

  // images
  function put(image, w, h, called, crop) {
    if (drawing.dataset.used) remember();
    drawing.dataset.used = true;
    [drawing.width, drawing.height, name] = [w, h, called];
    pen.fillStyle = "#fff"; // under transparent images
    pen.fillRect(0, 0, w, h);
    pen.imageSmoothingQuality = "high";
    const scale = crop ? Math.min(image.width / w, image.height / h) : 0;
    const [sw, sh] = crop ? [w * scale, h * scale] : [image.width, image.height];
    pen.drawImage(image, (image.width - sw) / 2, (image.height - sh) / 2, sw, sh, 0, 0, w, h);
    place = { x: w / 2, y: h / 2 };
    changed();
  }

  async function openFile(file) {
    let image;
    try { image = await createImageBitmap(file); } catch { return say(`${file.name}: is not an image that this browser can read`); }
    const [H, W] = about.size, scale = Math.min(W / image.width, H / image.height);
    const [w, h] = about.keepAspect ? [image.width, image.height].map(side => Math.max(1, Math.round(side * scale))) : [W, H];
    put(image, w, h, file.name.replace(/\.[^.]*$/, ""), !about.keepAspect);
  }

  const examples = [...document.querySelectorAll(".starts button")];
  async function example(button) {
    const image = button.querySelector("img");
    await image.decode();
    put(await createImageBitmap(image), image.naturalWidth, image.naturalHeight, button.dataset.name, false);
  }
  examples.forEach(button => button.addEventListener("click", () => example(button)));

  find("undo").addEventListener("click", undo);
  find("clear").addEventListener("click", () => {
    remember();
    pen.fillStyle = document.querySelector("[name=colour]")?.value ?? "#fff"; // the most frequent
    pen.fillRect(0, 0, drawing.width, drawing.height);
    changed();
  });
  find("open").addEventListener("click", () => find("file").click());
  find("file").addEventListener("change", event => { if (event.target.files[0]) openFile(event.target.files[0]); event.target.value = ""; });
  addEventListener("dragover", event => { event.preventDefault(); document.body.classList.add("dropping"); });
  addEventListener("dragleave", event => { if (!event.relatedTarget) document.body.classList.remove("dropping"); });
  addEventListener("drop", event => {
    event.preventDefault();
    document.body.classList.remove("dropping");
    if (event.dataTransfer.files[0]) openFile(event.dataTransfer.files[0]);
  });
  find("download").addEventListener("click", () => output.toBlob(blob => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(blob);
    link.download = `${output.dataset.name}.png`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60000);
  }));
  const resized = () => { find("width-shown").textContent = `${width.value} px`; moveBrush(); };
  width.addEventListener("input", resized);
  addEventListener("resize", moveBrush);
  resized();

  example(examples[0]);
  start().catch(error => say(`The generator could not be started: ${error.message}`));
