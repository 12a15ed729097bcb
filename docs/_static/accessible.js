// Adds what the theme leaves out for screen readers and keyboards.
document.addEventListener("DOMContentLoaded", () => {
  const set = (selector, attributes) => {
    for (const element of document.querySelectorAll(selector)) {
      for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    }
  };
  set("p.caption[role=heading]", { "aria-level": "2" });
  set("aside.sidebar-drawer", { "aria-label": "All pages" });
  set("aside.toc-drawer", { "aria-label": "This page" });
  set(".content-icon-container", { role: "navigation", "aria-label": "Page tools" });
  // Code that is wider than the page is scrolled with the keyboard.
  set("pre", { tabindex: "0" });
});
