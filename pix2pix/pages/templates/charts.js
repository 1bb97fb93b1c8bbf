  // values can be read from a curve with the mouse, a finger or the arrow keys
  for (const svg of document.querySelectorAll(".chart svg")) {
    const [xs, ys] = JSON.parse(svg.dataset.points), mark = svg.querySelector(".mark");
    const output = svg.parentElement.querySelector("output"), last = output.textContent;
    const {left, right, bottom} = mark.dataset, width = xs.at(-1) - xs[0] || 1;
    let at = xs.length - 1;
    const read = index => {
      at = Math.min(Math.max(index, 0), xs.length - 1);
      output.textContent = `${+xs[at].toFixed(2)}: ${ys[at]}`;
      mark.setAttribute("d", `M${+left + (xs[at] - xs[0]) / width * (right - left)} 0V${bottom}`);
    };
    const leave = () => { output.textContent = last; mark.removeAttribute("d"); };
    const follow = event => {
      const box = svg.getBoundingClientRect(), {width: units} = svg.viewBox.baseVal;
      const x = xs[0] + ((event.clientX - box.left) / box.width * units - left) / (right - left) * width;
      read(xs.reduce((best, value, i) => Math.abs(value - x) < Math.abs(xs[best] - x) ? i : best, 0));
    };
    svg.addEventListener("pointermove", follow);
    svg.addEventListener("pointerdown", follow);
    svg.addEventListener("pointerleave", leave);
    svg.addEventListener("blur", leave);
    svg.addEventListener("keydown", event => {
      const by = {ArrowLeft: -1, ArrowRight: 1}[event.key];
      if (by) { event.preventDefault(); read(at + by); }
    });
  }
