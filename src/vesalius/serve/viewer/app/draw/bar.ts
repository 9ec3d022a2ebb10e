// The bar of drawing: tools, what they are set to, undo and redo, and what works on whole slices.
import { byId, digits, fill, h } from "../dom.ts";
import { addMode, type Shortcut } from "../keys.ts";
import type { Session } from "./session.ts";
import type { DrawTool } from "./table.ts";

const NUMBERS = [1, 2, 3, 4, 5, 6, 7, 8, 9];
const LEAST = 0.5;
const MOST = 200;

/** Fill the bar and keep it true; give the mode its keys. */
export function drawBar(session: Session, layout: (n: number) => void): () => void {
  const bar = byId("draw-bar");
  addMode({ title: "While drawing", on: () => session.open !== null, shortcuts: () => shortcuts(session, layout) });
  return () => {
    const { open } = session;
    if (bar.hidden !== (open === null)) {
      bar.hidden = open === null;
      session.stage.resized();
    }
    if (!open) return fill(bar);
    if (open.locked) return fill(bar, h("p", { class: "faint" }, "This is only looked at: nothing can be changed."));
    fill(bar, h("div", { class: "line" }, tools(session), steps(session), slices(session)), h("div", { class: "line" }, settings(session)));
  };
}

function tools(session: Session): HTMLElement {
  const button = (t: DrawTool) => h("button", { "data-tool": t.name, "aria-pressed": String(t === session.tool), title: `${t.title} (${t.key}). ${t.help}`, onclick: () => session.take(t === session.tool ? null : t) }, t.title);
  return h("span", { class: "group", role: "group", "aria-label": "Drawing tool" }, session.tools.map(button));
}

function steps(session: Session): HTMLElement {
  return h(
    "span",
    { class: "group", role: "group", "aria-label": "Steps" },
    h("button", { id: "undo", "aria-label": "Undo", title: "Undo (Ctrl+Z)", disabled: !session.canUndo, onclick: () => session.undo() }, "↶ Undo"),
    h("button", { id: "redo", "aria-label": "Redo", title: "Redo (Ctrl+Y)", disabled: !session.canRedo, onclick: () => session.redo() }, "↷ Redo"),
  );
}

function slices(session: Session): HTMLElement | null {
  if (session.making !== "mask" || !session.open!.work.grid.size.every((n) => n > 1)) return null;
  return h(
    "span",
    { class: "group", role: "group", "aria-label": "Slices" },
    h("button", { id: "fill-between", title: "Fill the slices between those on which the class is drawn, in the plane that was pointed at last (f)", onclick: () => session.fillBetween() }, "Fill between"),
    h("button", { id: "copy-on", title: "Copy the class on this slice to the next one and go there (v)", onclick: () => session.copy(1) }, "Copy ▲"),
    h("button", { id: "copy-back", title: "Copy the class on this slice to the one before and go there (Shift+V)", "aria-label": "Copy to the slice before", onclick: () => session.copy(-1) }, "▼"),
  );
}

/** What the tool is set to, and its own buttons; a line that is always there, so that the image stays where it is. */
function settings(session: Session): HTMLElement {
  const wanted = session.tool?.options ?? [];
  const { settings: set } = session;
  const unit = session.open!.work.grid.unit;
  const parts: (HTMLElement | false)[] = [];
  if (wanted.includes("diameter")) {
    const words = h("output", { for: "brush-size" }, `${digits(set.diameter)} ${unit}`);
    const slide = (e: Event) => {
      set.diameter = Number((LEAST * (MOST / LEAST) ** (e.target as HTMLInputElement).valueAsNumber).toPrecision(2));
      words.textContent = `${digits(set.diameter)} ${unit}`;
      session.redraw();
    };
    const at = Math.log(Math.min(MOST, Math.max(LEAST, set.diameter)) / LEAST) / Math.log(MOST / LEAST);
    parts.push(h("label", { title: "The brush's diameter ([ and ])" }, "Size ", h("input", { type: "range", id: "brush-size", min: "0", max: "1", step: "0.005", value: at, oninput: slide }), words));
  }
  const box = (id: string, words: string, title: string, on: boolean, act: (on: boolean) => void) => h("label", { title }, h("input", { type: "checkbox", id, checked: on, onchange: (e: Event) => act((e.target as HTMLInputElement).checked) }), ` ${words}`);
  const volume = session.open!.work.grid.size.every((n) => n > 1);
  if (wanted.includes("ball") && volume) parts.push(box("brush-ball", "3-D", "A ball: draws on the slices beside too", set.ball, (on) => (set.ball = on)));
  if (wanted.includes("emptyOnly")) parts.push(box("empty-only", "Keep others", "Draw only where no class is drawn yet", set.emptyOnly, (on) => (set.emptyOnly = on)));
  if (wanted.includes("range") && session.drawing?.values) {
    parts.push(box("range-on", "Only values", "Draw only where the image's value is in a range", set.range !== null, (on) => {
      set.range = on ? session.stage.windowEnds : null;
      session.onpanel();
    }));
    if (set.range) {
      const ends = set.range;
      const end = (k: 0 | 1) =>
        h("input", {
          type: "number",
          step: "any",
          value: digits(ends[k], 5),
          "aria-label": k ? "Greatest value" : "Least value",
          onchange: (e: Event) => {
            const typed = (e.target as HTMLInputElement).valueAsNumber;
            if (Number.isFinite(typed)) ends[k] = typed;
            (e.target as HTMLInputElement).setAttribute("aria-invalid", String(!Number.isFinite(typed) || ends[0] > ends[1]));
          },
        });
      parts.push(h("span", { class: "range" }, end(0), " to ", end(1)));
    }
  }
  const own = (session.drawing && session.tool?.controls?.(session.drawing)) ?? [];
  const help = parts.length > 1 ? null : h("span", { class: "faint tool-help" }, session.tool?.help ?? "Choose a tool to draw; wheel and right button work as ever.");
  return h("span", { id: "tool-settings", role: "group", "aria-label": "Settings of the tool" }, ...parts, ...own, help);
}

function shortcuts(session: Session, layout: (n: number) => void): Shortcut[] {
  const { open } = session;
  if (!open) return [];
  const always: Shortcut[] = [
    { keys: ["Alt+1"], does: "all planes; Alt+2, 3, 4, 5: axial, coronal, sagittal, 3-D", act: () => layout(1) },
    ...[2, 3, 4, 5].map((n) => ({ keys: [`Alt+${n}`], does: "", act: () => layout(n) })),
    { keys: ["s"], does: "what is drawn shown or hidden", act: () => session.toggleShown() },
    { keys: ["m"], does: "what is drawn as outlines or filled", act: () => session.show({ outline: !session.manner.outline }) },
  ];
  if (open.locked) return always;
  const own = session.drawing && session.tool?.keys ? session.tool.keys(session.drawing) : [];
  return [
    ...session.tools.map((t) => ({ keys: [t.key], does: t.title.toLowerCase(), act: () => session.take(t) })),
    ...NUMBERS.map((n) => ({ keys: [String(n)], does: n === 1 ? "the first class; 2 to 9: the others" : "", act: () => session.chooseNth(n) })),
    { keys: ["Ctrl+z"], does: "undo", act: () => session.undo() },
    { keys: ["Ctrl+y", "Ctrl+Shift+z"], does: "redo", act: () => session.redo() },
    { keys: ["["], does: "a smaller brush", act: () => session.resize(1 / 1.25) },
    { keys: ["]"], does: "a larger brush", act: () => session.resize(1.25) },
    { keys: ["f"], does: "fill between the slices that are drawn", act: () => session.fillBetween() },
    { keys: ["v"], does: "copy the class to the next slice", act: () => session.copy(1) },
    { keys: ["V"], does: "copy the class to the slice before", act: () => session.copy(-1) },
    { keys: ["Escape"], does: "give up what is half drawn", act: () => session.cancel() },
    ...own,
    ...always,
  ];
}
