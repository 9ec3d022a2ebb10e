// Drawing on any open image without a project: classes of one's own, and the mask as a NIfTI to be saved.
import { saveBlob } from "../api.ts";
import { byId, fill, h } from "../dom.ts";
import { fileStem } from "../names.ts";
import { note } from "../say.ts";
import { chosenCase, now, on } from "../store.ts";
import { niftiOf } from "./files.ts";
import { fillDrawn, renewExtents } from "./panel.ts";
import type { Session } from "./session.ts";
import type { DrawnLabel } from "./table.ts";
import { Work } from "./work.ts";

const PLAIN = ["#e6194b", "#3cb44b", "#4363d8", "#f58231", "#911eb4", "#46f0f0", "#f032e6", "#bcf60c", "#fabebe"];

/** Which image a drawing is of. */
const keyOf = (): string | null => (now().study && now().caseId ? `${now().study!.study}/${now().caseId}` : null);

/** Join the button to the session; returns how the panel is filled while one draws so. */
export function freeDrawing(session: Session, ready: () => Promise<void>): { fill: () => boolean; step: () => void; end: () => void } {
  const button = byId<HTMLButtonElement>("draw-button");
  const panel = byId("draw-panel");
  const kept = new Map<string, { work: Work; labels: DrawnLabel[] }>(); // as long as the page is open
  let here: string | null = null;
  const labelsOf = () => kept.get(here!)!.labels;
  const offered = () => ({ mask: labelsOf(), boxes: [] });

  const begin = async () => {
    await ready();
    const file = session.stage.file;
    const key = keyOf();
    if (!file || !key) return;
    if (session.stage.frames > 1 && (chosenCase()?.frames ?? 1) > 1) return note("A cine cannot be drawn on: a drawing lies on one volume.");
    if (!kept.has(key)) kept.set(key, { work: new Work(file.grid), labels: [{ value: 1, name: "Label 1", colour: colourAt(0) }] });
    here = key;
    session.begin({ work: kept.get(key)!.work, labels: offered(), makes: ["mask"], locked: false });
  };
  const end = () => {
    if (here === null) return;
    here = null;
    session.begin(null);
  };
  button.addEventListener("click", () => (here === null ? void begin() : end()));
  on(["study", "caseId"], () => {
    button.disabled = !keyOf() || button.dataset.taken === "true";
    if (here !== null && here !== keyOf()) end();
  });

  const add = () => {
    const labels = labelsOf();
    const value = Math.max(0, ...labels.map((l) => l.value)) + 1;
    if (value > 255) return note("A mask holds 255 classes at most.");
    kept.get(here!)!.labels = [...labels, { value, name: `Label ${value}`, colour: colourAt(labels.length) }];
    session.relabel(offered());
    session.choose(value);
  };
  const rename = (value: number, name: string) => {
    const held = kept.get(here!)!;
    held.labels = held.labels.map((l) => (l.value === value ? { ...l, name: name.trim() || l.name } : l));
    session.relabel(offered());
  };
  const save = async () => {
    const file = session.stage.file;
    if (!file || !session.open) return;
    session.leave();
    saveBlob(await niftiOf(file.bytes, session.open.work.labels), `${chosenCase() ? fileStem(chosenCase()!) : "vesalius"}-drawn.nii.gz`);
    note(`Values: ${labelsOf().map((l) => `${l.value} ${l.name}`).join(", ")}.`);
  };
  return {
    end,
    step: () => here !== null && renewExtents(panel, session),
    fill: () => {
      button.setAttribute("aria-pressed", String(here !== null));
      if (here === null) return false;
      const drawn = h("div");
      const label = session.label;
      fillDrawn(drawn, session);
      panel.hidden = false;
      fill(
        panel,
        h("h2", { id: "draw-head" }, "Draw"),
        drawn,
        label && h("label", { class: "line" }, "Name ", h("input", { type: "text", id: "class-name", maxlength: "64", value: label.name, onchange: (e: Event) => rename(label.value, (e.target as HTMLInputElement).value) })),
        h("p", { class: "downloads" }, h("button", { id: "class-add", onclick: add }, "Another class"), h("button", { id: "drawn-save", onclick: () => void save() }, "↓ NIfTI")),
        h("p", { class: "faint" }, "This drawing stays in the page until it is closed; save it as a file."),
      );
      return true;
    },
  };
}

function colourAt(k: number): string {
  const palette = now().models[0]?.palette ?? PLAIN;
  return palette[k % palette.length] ?? PLAIN[k % PLAIN.length]!;
}
