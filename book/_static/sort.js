// A press on a column's header sorts the table by it: numbers by size, empty cells last.
document.addEventListener("DOMContentLoaded", () => {
  const value = (row, place) => row.cells[place].textContent.trim();
  const compare = (a, b) => {
    if (!a || !b) return !a - !b;
    const [x, y] = [a, b].map((text) => parseFloat(text.replaceAll(",", "")));
    return Number.isNaN(x) || Number.isNaN(y) ? a.localeCompare(b) : y - x;
  };
  for (const table of document.querySelectorAll("table.sortable")) {
    for (const [place, header] of [...table.tHead.rows[0].cells].entries()) {
      if (!header.textContent.trim()) continue;
      const button = document.createElement("button");
      button.append(...header.querySelector("p").childNodes);
      header.querySelector("p").append(button);
      button.addEventListener("click", () => {
        for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
        header.setAttribute("aria-sort", "descending");
        const rows = [...table.tBodies[0].rows];
        rows.sort((a, b) => compare(value(a, place), value(b, place)));
        table.tBodies[0].append(...rows);
      });
    }
  }
});
