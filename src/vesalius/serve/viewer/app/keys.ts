// Keyboard shortcuts, in one table and one for each mode over it; the help that `?` shows is made from them.
import { byId, fill, h } from "./dom.ts";

export interface Shortcut {
  /** A key's name; with Ctrl or Alt held as `Ctrl+z`, `Ctrl+Shift+z`, `Alt+1`. The command key of a Mac is Ctrl here. */
  keys: string[];
  /** What the help says of it; empty for one that another row tells of. */
  does: string;
  act: () => void;
}

/** A way of working with keys of its own, which come before the others while it lasts. */
export interface Mode {
  title: string;
  on(): boolean;
  shortcuts(): Shortcut[];
}

const modes: Mode[] = [];

/** Give a mode's keys. */
export function addMode(mode: Mode): void {
  modes.push(mode);
}

/** Listen for them, except where a person types. */
export function listen(shortcuts: Shortcut[]): void {
  const table = tableOf(shortcuts);
  document.addEventListener("keydown", (e) => {
    if (document.querySelector("dialog[open]")) return;
    const at = e.target as HTMLElement;
    if (at.matches("input[type=number], input[type=password], input[type=text], select, textarea")) return;
    if (at.matches("input[type=range], input[type=radio], #solid, #mesh") && e.key.startsWith("Arrow")) return;
    if ((e.key === "Enter" || e.key === " ") && at.matches("button, a, summary, input, [role=button]")) return;
    const name = nameOf(e);
    const found = modes.filter((m) => m.on()).map((m) => tableOf(m.shortcuts()).get(name)).find(Boolean) ?? table.get(name);
    if (!found) return;
    e.preventDefault();
    e.stopPropagation();
    found.act();
  }, true);
  const row = (s: Shortcut) => h("li", {}, h("span", {}, s.keys.slice(0, 1).map((k) => h("kbd", {}, shown(k)))), h("span", {}, s.does));
  const help = () => {
    const on = modes.filter((m) => m.on());
    const taken = new Set(on.flatMap((m) => m.shortcuts()).flatMap((s) => s.keys));
    const special = on.flatMap((m) => [h("li", { class: "mode" }, m.title), ...m.shortcuts().filter((s) => s.does).map(row)]);
    const rest = shortcuts.filter((s) => s.keys.some((k) => !taken.has(k)));
    fill(byId("help-keys"), special, special.length > 0 && h("li", { class: "mode" }, "Always"), rest.map(row));
  };
  help();
  byId("help").addEventListener("beforetoggle", help);
  byId("help").addEventListener("toggle", () => (byId("help").scrollTop = 0)); // its button has the focus, and lies at the end
}

const tableOf = (shortcuts: Shortcut[]): Map<string, Shortcut> => new Map(shortcuts.flatMap((s) => s.keys.map((k) => [k, s] as const)));

function nameOf(e: KeyboardEvent): string {
  const held = (e.ctrlKey || e.metaKey ? "Ctrl+" : "") + (e.altKey ? "Alt+" : "");
  if (!held) return e.key;
  const key = e.code.startsWith("Digit") ? e.code.slice(5) : e.key.length === 1 ? e.key.toLowerCase() : e.key;
  return held + (e.shiftKey ? "Shift+" : "") + key;
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

const WORDS: Record<string, string> = { ArrowUp: "↑", ArrowDown: "↓", ArrowLeft: "←", ArrowRight: "→", " ": "Space", PageUp: "Page ↑", PageDown: "Page ↓", Backspace: "⌫" };
const shown = (key: string): string => key.split("+").map((k) => WORDS[k] ?? k).join("+") || key;
