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
    if (at.matches("input[type=number], input[type=password], input[type=text], select, textarea")) return;
    if (at.matches("input[type=range], input[type=radio], #solid") && e.key.startsWith("Arrow")) return;
    if ((e.key === "Enter" || e.key === " ") && at.matches("button, a, summary, input, [role=button]")) return;
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

/** After a click with the mouse the keys are the images' again; who comes to a button by Tab works it with Enter and Space. */
export function leaveAfterClicks(): void {
  let byMouse = false;
  const leave = () => {
    const at = document.activeElement as HTMLElement | null;
    if (at?.matches("button, summary, input[type=checkbox], input[type=radio], select") && !at.closest("dialog")) at.blur(); // Tab goes on from there
  };
  addEventListener("pointerdown", () => (byMouse = true), true);
  addEventListener("keydown", () => (byMouse = false), true);
  document.addEventListener("click", (e) => {
    if (!e.detail || (e.target as HTMLElement).closest("select")) return; // 0: by keyboard
    leave(); // before what it does: a dialog gives the focus back to where it was
    setTimeout(leave); // a box is given it by its words after the click
  }, true);
  document.addEventListener("change", (e) => byMouse && (e.target as HTMLElement).matches("select") && setTimeout(leave));
}

const shown = (key: string): string => ({ ArrowUp: "↑", ArrowDown: "↓", ArrowLeft: "←", ArrowRight: "→", " ": "Space", PageUp: "Page ↑", PageDown: "Page ↓" })[key] ?? key;
