// The theme's switch has three icons with titles of their own, under a label that says something
// else: a screen reader is to hear one name, and the mode with it.
document.addEventListener("DOMContentLoaded", () => {
  for (const button of document.querySelectorAll(".theme-switch-button")) {
    for (const icon of button.querySelectorAll(".theme-switch")) {
      icon.removeAttribute("title");
      icon.setAttribute("aria-hidden", "true");
    }
    const name = button.getAttribute("aria-label");
    const say = () => button.setAttribute("aria-label", `${name}: ${document.documentElement.dataset.mode}`);
    say();
    new MutationObserver(say).observe(document.documentElement, { attributeFilter: ["data-mode"] });
  }
});
