// Sets the theme before anything is painted: what was chosen, or what the system says.
(function () {
  const chosen = localStorage.getItem("theme") || "auto";
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const apply = (name) => {
    document.documentElement.dataset.theme = name === "auto" ? (dark.matches ? "dark" : "light") : name;
    document.documentElement.dataset.chosen = name;
    window.dispatchEvent(new Event("themechange"));
  };
  dark.addEventListener("change", () => apply(document.documentElement.dataset.chosen));
  window.setTheme = (name) => {
    localStorage.setItem("theme", name);
    apply(name);
  };
  apply(chosen);
})();
