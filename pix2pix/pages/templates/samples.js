  for (const box of document.querySelectorAll(".samples")) {
    const range = box.querySelector("input"), images = [...box.querySelectorAll("img")];
    const show = () => {
      images.forEach((image, i) => { image.hidden = i !== Number(range.value); });
      const {label} = images[range.value].dataset;
      box.querySelector("output").textContent = label;
      range.setAttribute("aria-valuetext", label);
    };
    range?.addEventListener("input", show);
    if (range) show();
  }
