// What the theme's parts are to a screen reader, and what a keyboard reaches.
document.addEventListener("DOMContentLoaded", () => {
  // The switch of the colours has three icons with titles of their own, under a label that says
  // something else: it is to have one name, and the mode with it.
  for (const button of document.querySelectorAll(".theme-switch-button")) {
    const name = button.getAttribute("aria-label");
    const say = () => {
      const label = `${name}: ${document.documentElement.dataset.mode}`;
      if (button.getAttribute("aria-label") !== label) button.setAttribute("aria-label", label);
      for (const icon of button.querySelectorAll(".theme-switch")) {
        for (const named of ["title", "aria-labelledby", "role"]) icon.removeAttribute(named);
        for (const title of icon.querySelectorAll("title")) title.remove();
        icon.setAttribute("aria-hidden", "true");
      }
    };
    say();
    // The icons are replaced by drawings when the page is there.
    new MutationObserver(say).observe(button, { childList: true });
    new MutationObserver(say).observe(document.documentElement, { attributeFilter: ["data-mode"] });
  }
  // What opens a part of the list of pages is an arrow alone; it is to say which part.
  for (const summary of document.querySelectorAll(".has-children > details > summary")) {
    const page = summary.closest("li").querySelector("a");
    summary.setAttribute("aria-label", `Pages of ${page.textContent.trim()}`);
  }
  // Folded code says in words what it is, which a label of the theme's would hide.
  for (const summary of document.querySelectorAll("details.hide > summary[aria-label]")) {
    summary.removeAttribute("aria-label");
  }
  // What the search shows of a page is plain text, in which a formula would be its TeX.
  if (typeof Search !== "undefined") {
    const plain = Search.htmlToText;
    Search.htmlToText = (text, anchor) => {
      const page = new DOMParser().parseFromString(text, "text/html");
      for (const formula of page.querySelectorAll(".math")) formula.textContent = "…";
      return plain(page.documentElement.outerHTML, anchor);
    };
  }
  // The bibliography is a list, and its entries are to be items of it.
  for (const entry of document.querySelectorAll(".citation-list > .citation")) {
    entry.setAttribute("role", "listitem");
  }
  // A long cell has room in a table that scrolls anyway.
  for (const cell of document.querySelectorAll(".bd-content tbody :is(td, th:last-of-type)")) {
    cell.classList.toggle("long", cell.textContent.trim().length > 24);
  }
  // A short word of code goes to the next line whole, and so does an option; a long name is broken behind
  // its dots.
  for (const word of document.querySelectorAll(".bd-content :is(code.literal .pre, dl.field-list em)")) {
    const text = word.textContent;
    const inTable = word.closest("td");
    if (word.matches(".pre") && (text.startsWith("--") || (text.length < 25 && !inTable))) {
      word.style.whiteSpace = "nowrap";
    } else if (text.length > 24 && !inTable && !word.children.length) {
      const parts = text.split(/(?<=[./(])(?=\w{4})/);
      word.replaceChildren(...parts.flatMap((part, i) => (i ? [document.createElement("wbr"), part] : [part])));
    }
  }
  // What is wider than the page: an equation or a figure becomes smaller, down to three fifths; a table
  // scrolls in its box, which says so, and takes the arrow keys as well. So does what is still wider.
  const LEAST = 0.6;
  const fit = () => {
    for (const equation of document.querySelectorAll('mjx-container[display="true"]')) {
      equation.style.fontSize = "";
      // Not all of its width follows the size of its letters, so that one step is not enough.
      for (let size = 1; size > LEAST && equation.scrollWidth > equation.clientWidth; ) {
        size = Math.max(LEAST, (0.99 * size * equation.clientWidth) / equation.scrollWidth);
        equation.style.fontSize = `${size}em`;
      }
      if (equation.scrollWidth > equation.clientWidth + 1) equation.tabIndex = 0;
      else equation.removeAttribute("tabindex");
    }
    // The letters of a figure stay large enough to read; on a phone it scrolls, as a table does.
    const figures = "figure.align-default > img, .audiopg-frame:not(:has(audio)) > img";
    for (const image of document.querySelectorAll(`.bd-content :is(${figures})`)) {
      image.style.minWidth = `${LEAST * image.naturalWidth}px`;
    }
    const boxes =
      ".pst-scrollable-table-container, .cell_output .text_html, figure.align-default, .audiopg-frame";
    for (const box of document.querySelectorAll(`.bd-content :is(${boxes})`)) {
      const content = box.querySelector("table, img");
      // It is measured as it would be alone, so that it looks the same whatever it was before.
      box.classList.remove("wider");
      const wider = content && box.scrollWidth > box.clientWidth;
      box.classList.toggle("wider", Boolean(wider));
      if (!wider) {
        for (const name of ["tabindex", "role", "aria-label"]) box.removeAttribute(name);
        continue;
      }
      box.tabIndex = 0;
      box.setAttribute("role", "region");
      const what = content.matches("table") ? "table" : "figure";
      box.setAttribute("aria-label", `A ${what} that scrolls sideways`);
    }
  };
  // One sound at a time, or nobody can compare two.
  document.addEventListener("play", ({ target }) => {
    for (const player of document.querySelectorAll("audio")) if (player !== target) player.pause();
  }, true);
  window.MathJax?.startup?.promise?.then(fit);
  fit();
  // Images have a width once they are there.
  for (const event of ["load", "resize"]) window.addEventListener(event, fit);
  // What was folded, or behind another place of a slider, has no width before it is shown.
  document.addEventListener("toggle", fit, true);
  document.addEventListener("input", ({ target }) => { if (target.closest(".audiopg-sweep")) fit(); });
});
