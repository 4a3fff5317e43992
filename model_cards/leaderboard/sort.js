"use strict";
// Tables are sorted by their column headings. Without this script they are read as they are.
for (const table of document.querySelectorAll("table.sortable")) {
  const headings = [...table.tHead.rows[0].cells];
  const body = table.tBodies[0];
  const original = [...body.rows];
  const key = (row, column) => {
    const cell = row.cells[column];
    const value = cell.dataset.value ?? cell.textContent.trim();
    return value === "" ? null : Number.isNaN(Number(value)) ? value : Number(value);
  };
  const compare = (a, b) => (typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b)));
  const sort = (column, direction) => {
    const rows = [...original];
    if (direction) {
      rows.sort((a, b) => {
        const [x, y] = [key(a, column), key(b, column)];
        if (x === null || y === null) return (x === null) - (y === null); // what has no value comes last
        return direction === "ascending" ? compare(x, y) : compare(y, x);
      });
    }
    body.append(...rows);
    headings.forEach((heading, place) => {
      if (place === column && direction) heading.setAttribute("aria-sort", direction);
      else heading.removeAttribute("aria-sort");
    });
  };
  headings.forEach((heading, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...heading.childNodes);
    heading.append(button);
    button.addEventListener("click", () => {
      const now = heading.getAttribute("aria-sort");
      sort(column, now === null ? "descending" : now === "descending" ? "ascending" : null);
    });
  });
}
