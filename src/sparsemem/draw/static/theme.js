// As the system says, or as the reader says. Storage may be refused to a page from a file: then the choice lasts as long as the page.
const THEMES = ["system", "light", "dark"];
let theme = "system";

function setTheme(name) {
  theme = THEMES.includes(name) ? name : "system";
  if (theme === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  document.querySelector('[data-do="theme"]').textContent = `theme: ${theme}`;
}

function storedTheme() {
  try {
    return localStorage.getItem("sparsemem-theme") ?? "system";
  } catch {
    return "system";
  }
}

// The reader's own choice is kept; what the address of a page asks for is not.
function nextTheme() {
  setTheme(THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length]);
  try {
    localStorage.setItem("sparsemem-theme", theme);
  } catch {
    // Refused: nothing to do.
  }
}
