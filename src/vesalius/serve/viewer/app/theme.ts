// Light or dark: as the system has it, or as a person chose; the images lie on black in both.
import { byId } from "./dom.ts";

const KEPT = "vesalius-theme";
const THEMES = ["auto", "light", "dark"] as const;
type Theme = (typeof THEMES)[number];
const WORDS: Record<Theme, [string, string]> = {
  auto: ["Auto", "Colours of the page: as the system has them"],
  light: ["Light", "Colours of the page: light"],
  dark: ["Dark", "Colours of the page: dark"],
};

/** The button that goes from one to the next; the choice stays in this browser. */
export function themeButton(): void {
  const button = byId<HTMLButtonElement>("theme");
  let theme: Theme = THEMES.find((t) => t === localStorage.getItem(KEPT)) ?? "auto";
  const show = () => {
    if (theme === "auto") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme;
    const [text, title] = WORDS[theme];
    button.textContent = text;
    button.title = title;
    button.setAttribute("aria-label", title);
  };
  button.addEventListener("click", () => {
    theme = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length]!;
    localStorage.setItem(KEPT, theme);
    show();
  });
  show();
}
