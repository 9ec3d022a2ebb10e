// Keyboard shortcuts, in one table; the help that `?` shows is made from it.
import { byId, fill, h } from "./dom.ts";

export interface Shortcut {
  keys: string[];
  does: string;
  act: () => void;
}

/** Listen for them, except where a person types. */
export function listen(shortcuts: Shortcut[]): void {
  const table = new Map(shortcuts.flatMap((s) => s.keys.map((k) => [k, s] as const)));
  document.addEventListener("keydown", (e) => {
    if (e.ctrlKey || e.metaKey || e.altKey || document.querySelector("dialog[open]")) return;
    const at = e.target as HTMLElement;
    if (at.matches("input[type=number], input[type=password], select, textarea")) return;
    if (at.matches("input[type=range], #solid") && e.key.startsWith("Arrow")) return;
    if ((e.key === "Enter" || e.key === " ") && at.matches("button, a, summary, input")) return;
    const found = table.get(e.key);
    if (!found) return;
    e.preventDefault();
    e.stopPropagation();
    found.act();
  }, true);
  fill(
    byId("help-keys"),
    shortcuts.map((s) => h("li", {}, h("span", {}, s.keys.slice(0, 1).map((k) => h("kbd", {}, shown(k)))), h("span", {}, s.does))),
  );
}

const shown = (key: string): string => ({ ArrowUp: "↑", ArrowDown: "↓", ArrowLeft: "←", ArrowRight: "→", " ": "Space", PageUp: "Page ↑", PageDown: "Page ↓" })[key] ?? key;
