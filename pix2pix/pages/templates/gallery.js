  const $ = (selector, within = document) => within.querySelector(selector);
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  const PAGE = 48, FARTHEST = 32;
  const fold = text => text.normalize("NFC").toLowerCase();
  const natural = new Intl.Collator("en", {numeric: true});
  const images = rows.map(([name, file, ...scores]) => ({name, file, scores, key: fold(name)}))
    .sort((a, b) => natural.compare(a.name, b.name));
  const [find, sort, status] = [$("[id='/find']"), $("[id='/sort']"), $(".tools output")];
  const dialog = $("dialog"), stage = $(".stage"), split = $("input[type=range]");
  let shown = images, page = 0, current = null, openedHere = false;

  const format = (value, metric) => Number.isNaN(value) ? "unknown" : value === Infinity ? "∞" :
    (Math.abs(value) < 1 ? value.toFixed(4) : value.toFixed(2)) + (metric.name === "psnr" ? " dB" : "");
  const scoresOf = image => metrics.map((metric, i) => `${metric.title} ${format(image.scores[i], metric)}`).join(", ");
  const address = (image, kind) => `${folder}${kind}/${image.file}`;
  const hashOf = image => "#" + encodeURIComponent(image.name);

  function fill(image, within) {
    for (const img of all("img", within)) {
      const {kind} = img.dataset, scores = kind === "prediction" && scoresOf(image);
      img.src = address(image, kind);
      img.alt = `${kind} of ${image.name}` + (scores ? `: ${scores}` : "");
    }
    for (const text of all(".scores", within)) text.textContent = scoresOf(image);
  }

  function card(image) {
    const made = $("[id='/card']").content.cloneNode(true);
    $("h2", made).textContent = image.name;
    $("a", made).href = hashOf(image);
    fill(image, made);
    return made;
  }

  function choose() {
    const wanted = fold(find.value.trim()), [column, order] = sort.value.split(" ");
    shown = images.filter(image => image.key.includes(wanted));
    if (order) {
      // the best is the smallest if lower is better; unknown scores come last
      const sign = metrics[column].lower === (order === "best") ? 1 : -1;
      const rank = image => Number.isNaN(image.scores[column]) ? Infinity : sign * image.scores[column];
      shown.sort((a, b) => rank(a) < rank(b) ? -1 : rank(a) > rank(b) ? 1 : 0);
    }
    status.textContent = shown.length === images.length ? "" : `${shown.length} of ${images.length} images`;
    turn(0);
  }

  function turn(to) {
    const pages = Math.max(1, Math.ceil(shown.length / PAGE));
    page = Math.min(Math.max(to, 0), pages - 1);
    $("main").replaceChildren(...shown.slice(page * PAGE, (page + 1) * PAGE).map(card));
    for (const pager of all(".pager")) {
      const button = (text, label, by) => {
        const made = Object.assign(document.createElement("button"), {type: "button", textContent: text});
        made.setAttribute("aria-label", label);
        made.disabled = page + by < 0 || page + by >= pages;
        made.addEventListener("click", () => {
          turn(page + by);
          $("main").focus({preventScroll: true});
          scrollTo(0, 0);
        });
        return made;
      };
      pager.replaceChildren(...pages === 1 ? [] :
        [button("←", "previous page", -1), `page ${page + 1} of ${pages}`, button("→", "next page", 1)]);
    }
  }

  // The view of one image: zoom and position are the same in all its frames.
  const view = {zoom: 1, x: 0, y: 0};
  function place(zoom, x, y) {
    view.zoom = Math.min(Math.max(zoom, 1), FARTHEST);
    [view.x, view.y] = [x, y].map(at => Math.min(0, Math.max(1 - view.zoom, at)));
    for (const key of Object.keys(view)) stage.style.setProperty(`--${key}`, view[key]);
  }
  function zoomBy(factor, x = .5, y = .5) {
    const applied = Math.min(Math.max(view.zoom * factor, 1), FARTHEST) / view.zoom;
    place(view.zoom * applied, x - (x - view.x) * applied, y - (y - view.y) * applied);
  }
  function setSplit(percent) {
    split.value = percent;
    split.setAttribute("aria-valuetext", `${Math.round(split.value)} % prediction`);
    stage.style.setProperty("--split", `${split.value}%`);
  }
  function setView(name) {
    stage.dataset.view = name;
    $(".pair figcaption").textContent = name === "slider" ? `left: prediction, right: ${other}` :
      `difference of prediction and ${other}, per channel, four times as bright`;
  }

  function show(image) {
    current = image;
    $("h2", dialog).textContent = image.name;
    fill(image, dialog);
    for (const link of all("figcaption a", stage)) link.href = address(image, link.textContent);
    const at = shown.indexOf(image);
    for (const by of [-1, 1]) {
      const next = shown[at + by];
      $(`[data-step="${by}"]`, dialog).disabled = !next;
      if (next) for (const kind of kinds) new Image().src = address(next, kind);
    }
    if (!dialog.open) {
      place(1, 0, 0);
      dialog.showModal();
    }
  }
  function step(by) {
    const next = shown[shown.indexOf(current) + by];
    if (!next) return;
    history.replaceState(null, "", hashOf(next));
    show(next);
  }
  function follow() {
    let name = location.hash.slice(1);
    try { name = decodeURIComponent(name); } catch { /* a % that encodes nothing */ }
    const image = images.find(each => each.name === name);
    if (!image) return dialog.close();
    if (!shown.includes(image)) { find.value = ""; choose(); }
    show(image);
  }
  addEventListener("hashchange", () => { openedHere = openedHere || !dialog.open; follow(); });
  dialog.addEventListener("close", () => {
    if (!current) return;
    const at = shown.indexOf(current);
    turn(Math.floor(at / PAGE));
    $("main").children[at % PAGE]?.querySelector("a").focus();
    current = null;
    if (location.hash.length > 1 && !location.hash.startsWith("#/")) {
      if (openedHere) history.back();
      else history.replaceState(null, "", location.href.split("#")[0]);
    }
    openedHere = false;
  });
  dialog.addEventListener("click", event => {
    const button = event.target.closest("button");
    if (event.target === dialog || button?.dataset.step === "0") dialog.close();
    else if (button?.dataset.step) step(Number(button.dataset.step));
    else if (button?.dataset.zoom === "0") place(1, 0, 0);
    else if (button) zoomBy(Number(button.dataset.zoom));
  });
  dialog.addEventListener("keydown", event => {
    if (event.target.matches("input") || event.ctrlKey || event.metaKey || event.altKey) return;
    const [x, y] = {ArrowLeft: [1, 0], ArrowRight: [-1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1]}[event.key] ?? [];
    if (event.shiftKey && x !== undefined) place(view.zoom, view.x + x / 4, view.y + y / 4);
    else if (x) step(-x);
    else if (event.key === "+" || event.key === "=") zoomBy(2);
    else if (event.key === "-") zoomBy(.5);
    else if (event.key === "0") place(1, 0, 0);
    else return;
    event.preventDefault();
  });
  dialog.addEventListener("change", event => { if (event.target.name === "view") setView(event.target.value); });
  split.addEventListener("input", () => setSplit(split.value));

  const pointers = new Map();
  const inFrame = (event, frame) => {
    const box = frame.getBoundingClientRect();
    return [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
  };
  for (const frame of all(".frame", stage)) {
    frame.addEventListener("wheel", event => {
      event.preventDefault();
      zoomBy(Math.exp(-event.deltaY / 400), ...inFrame(event, frame));
    }, {passive: false});
    frame.addEventListener("pointerdown", event => {
      event.preventDefault();
      frame.setPointerCapture(event.pointerId);
      pointers.set(event.pointerId, inFrame(event, frame));
      if (stage.dataset.view === "slider" && pointers.size === 1) setSplit(100 * inFrame(event, frame)[0]);
    });
    frame.addEventListener("pointermove", event => {
      const before = pointers.get(event.pointerId), now = inFrame(event, frame);
      if (!before) return;
      const other = [...pointers].find(([id]) => id !== event.pointerId)?.[1];
      pointers.set(event.pointerId, now);
      if (other) {
        const distance = at => Math.hypot(at[0] - other[0], at[1] - other[1]) || 1e-3;
        zoomBy(distance(now) / distance(before), (now[0] + other[0]) / 2, (now[1] + other[1]) / 2);
      } else if (stage.dataset.view === "slider") setSplit(100 * now[0]);
      else place(view.zoom, view.x + now[0] - before[0], view.y + now[1] - before[1]);
    });
    for (const end of ["pointerup", "pointercancel"])
      frame.addEventListener(end, event => pointers.delete(event.pointerId));
  }

  find.addEventListener("input", choose);
  sort.addEventListener("change", choose);
  place(1, 0, 0);
  setSplit(50);
  // a browser may restore what was typed and chosen before a reload
  setView($("input[name=view]:checked").value);
  choose();
  follow();
