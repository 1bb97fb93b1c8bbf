  // What the reader has chosen survives a reload.
  const remembered = {
    get: key => { try { return sessionStorage.getItem(location.pathname + key); } catch { return null; } },
    set: (key, value) => { try { sessionStorage.setItem(location.pathname + key, value); } catch { /* not allowed */ } },
  };
  const news = document.getElementById("/news"), reload = document.getElementById("/reload");
  const slider = document.querySelector(".samples input"), labels = [...document.querySelectorAll(".samples img")].map(image => image.dataset.label);
  const place = labels.indexOf(remembered.get("sample"));
  if (slider && place >= 0) {
    slider.value = place;
    slider.dispatchEvent(new Event("input"));
  }
  // at the newest sample, the slider follows the training
  slider?.addEventListener("input", () => remembered.set("sample", Number(slider.value) === labels.length - 1 ? "" : labels[slider.value]));
  if (reload) {
    reload.checked = remembered.get("reload") !== "false";
    reload.addEventListener("change", () => remembered.set("reload", reload.checked));
  }

  const spoken = seconds => seconds < 90 ? `${Math.round(seconds)} s` : seconds < 5400 ? `${Math.round(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`;
  const SILENT = 900;
  function tell() {
    const age = Math.max(0, (Date.now() - written) / 1000);
    news.textContent = running && age > SILENT ?
      `no news for ${spoken(age)}: the training may have been killed; the same command resumes it` : `last news ${spoken(age)} ago`;
    return age;
  }
  let held = false;
  addEventListener("pointerdown", () => { held = true; });
  addEventListener("pointerup", () => { held = false; });
  addEventListener("pointercancel", () => { held = false; });
  const opened = Date.now();
  tell();
  setInterval(() => {
    const wait = tell() > SILENT ? 60 : 5;
    if (running && reload.checked && !held && !document.hidden && Date.now() - opened >= 1000 * wait) location.reload();
  }, 1000);
