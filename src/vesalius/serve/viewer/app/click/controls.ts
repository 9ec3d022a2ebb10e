// The controls of the click tool: what a stroke does, the strokes that there are, how large the object is and how long it took.
import { digits, h } from "../dom.ts";
import type { Stroke } from "./strokes.ts";
import type { Told } from "./talk.ts";

export interface Status {
  busy: boolean;
  told: Told | null;
  /** From the stroke to its mask, as it was seen here. */
  ms: number | null;
}

export interface Shown {
  strokes: readonly Stroke[];
  chosen: number | null;
  status: Status;
  manner: { scribbles: boolean; removes: boolean; start: boolean };
  turn(which: "scribbles" | "removes" | "start"): void;
  choose(k: number): void;
  remove(k: number): void;
  keep: (() => void) | null;
  discard: (() => void) | null;
  /** Whether the image is DICOM, so that a SEG can be made. */
  dicom: boolean;
  seg: (() => void) | null;
}

const KINDS = { point: "●", box: "▭", scribble: "〰" };

export function controls(shown: Shown): HTMLElement[] {
  const { manner, strokes } = shown;
  const toggle = (id: string, words: string, title: string, on: boolean, act: () => void) => h("button", { id, title, "aria-pressed": String(on), onclick: act }, words);
  return [
    h(
      "span",
      { class: "group", role: "group", "aria-label": "What a stroke is" },
      toggle("click-scribbles", "Scribble", "Drag lines in place of boxes (q)", manner.scribbles, () => shown.turn("scribbles")),
      toggle("click-removes", "Remove", "Strokes say where the object is not (x); so do the right button, Shift and a long press", manner.removes, () => shown.turn("removes")),
    ),
    h("label", { title: "The object begins with what is drawn of its class" }, h("input", { type: "checkbox", id: "click-start", checked: manner.start, disabled: strokes.length > 0, onchange: () => shown.turn("start") }), " From drawn"),
    h("span", { id: "click-strokes", role: "group", tabindex: "0", "aria-label": "Strokes" }, strokes.map((s, k) => chip(s, k, shown))),
    h("output", { id: "click-status", "aria-live": "polite" }, shown.status.busy && h("span", { class: "spinner", role: "img", "aria-label": "the model answers" }), words(shown.status)),
    h(
      "span",
      { class: "group", role: "group", "aria-label": "The object" },
      h("button", { id: "click-keep", title: "Keep the object as it is, and go on with the next (Enter)", disabled: !shown.keep, onclick: shown.keep }, "Keep"),
      h("button", { id: "click-discard", title: "Take all strokes and their mask away", disabled: !shown.discard, onclick: shown.discard }, "Discard"),
      shown.dicom && h("button", { id: "click-seg", title: "Save the object as a DICOM SEG", disabled: !shown.seg, onclick: shown.seg }, "↓ SEG"),
    ),
  ];
}

function chip(stroke: Stroke, k: number, shown: Shown): HTMLElement {
  const name = `${k + 1}: ${stroke.kind} that ${stroke.adds ? "adds" : "removes"}`;
  return h(
    "span",
    { class: stroke.adds ? "chip adds" : "chip" },
    h("button", { class: "plain", "aria-pressed": String(k === shown.chosen), "aria-label": `Stroke ${name}`, title: `Stroke ${name}`, onclick: () => shown.choose(k) }, `${stroke.adds ? "+" : "−"}${KINDS[stroke.kind]}`),
    h("button", { class: "plain", "aria-label": `Delete stroke ${name}`, title: "Delete it", onclick: () => shown.remove(k) }, "×"),
  );
}

/** How large the object is, and how long the last answer took. */
function words({ told, ms }: Status): string {
  if (!told) return "Click on the object";
  const size = told.summary.labels[0] ?? {};
  const large = size.volume_ml !== undefined ? `${digits(size.volume_ml)} ml` : size.area_mm2 !== undefined ? `${digits(size.area_mm2)} mm²` : `${told.voxels.toLocaleString("en")} px`;
  return ms === null ? large : `${large} · ${Math.round(ms)} ms`;
}
