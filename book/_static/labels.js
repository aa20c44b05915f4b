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
  // The bibliography is a list, and its entries are to be items of it.
  for (const entry of document.querySelectorAll(".citation-list > .citation")) {
    entry.setAttribute("role", "listitem");
  }
  // An equation wider than the page scrolls, with the arrow keys as well.
  const reach = () => {
    for (const equation of document.querySelectorAll('mjx-container[display="true"]')) {
      if (equation.scrollWidth > equation.clientWidth) equation.tabIndex = 0;
      else equation.removeAttribute("tabindex");
    }
  };
  window.MathJax?.startup?.promise?.then(reach);
  window.addEventListener("resize", reach);
});
