  // A title sorts by its column: metrics from the best, then from the worst; other columns in natural order, then reversed.
  // Published numbers and ceilings are in a body of their own and stay below.
  const natural = new Intl.Collator("en", {numeric: true});
  for (const title of document.querySelectorAll("th[aria-sort]")) title.querySelector("button").addEventListener("click", () => {
    const column = title.cellIndex, body = title.closest("table").tBodies[0];
    const metric = title.closest(".comparison") && column > 0;
    const upFirst = !metric || "lower" in title.dataset;
    const up = title.ariaSort === "none" ? upFirst : title.ariaSort === "descending";
    for (const other of title.parentElement.cells) other.ariaSort = "none";
    title.ariaSort = up ? "ascending" : "descending";
    const value = row => row.cells[column].dataset.value ?? row.cells[column].textContent;
    const number = row => value(row) === "inf" ? Infinity : parseFloat(value(row));
    const order = (a, b) => {
      if (!metric) return (up ? 1 : -1) * natural.compare(value(a), value(b));
      const [x, y] = [number(a), number(b)];
      // what is not known comes last in either order
      if (Number.isNaN(x) || Number.isNaN(y)) return Number.isNaN(x) - Number.isNaN(y);
      return x === y ? 0 : (x < y) === up ? -1 : 1;
    };
    body.append(...[...body.rows].sort(order));
  });
