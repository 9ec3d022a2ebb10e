// The third step: what the model answered, a panel for each kind of answer, and the files to take away.
import * as api from "./api.ts";
import { byId, fill, h } from "./dom.ts";
import { fileStem } from "./names.ts";
import { remarks } from "./remarks.ts";
import { guarded } from "./say.ts";
import type { Stage } from "./stage.ts";
import { caseAnswers, chosenCase, chosenModel, now, on } from "./store.ts";
import type { Held } from "./types.ts";

export interface Given {
  stage: Stage;
  /** Bytes of one of the answer's files; null where it has none of that name. */
  file(name: string): Promise<ArrayBuffer | null>;
  /** Whether this answer is still the one to be shown. */
  current(): boolean;
}

type Panel = (answer: Held, given: Given) => HTMLElement | Promise<HTMLElement>;
interface Kind {
  panel: Panel;
  /** Where there is one: another answer in the place of the last, without a new panel. */
  renew?: (answer: Held, given: Given) => Promise<void>;
}

const FILES: Record<string, string> = {
  "seg.dcm": "DICOM SEG",
  "rt.dcm": "DICOM RTSTRUCT",
  "sr.dcm": "DICOM SR",
  "sc.dcm": "DICOM capture",
  "pm.dcm": "DICOM map",
  "pdf.dcm": "DICOM PDF",
  "mask.nii.gz": "NIfTI",
  "map.nii.gz": "NIfTI map",
  "overlay.png": "PNG",
  "answer.json": "JSON",
};
let turn = 0;

/** Keep the panel true: all answers of the chosen model for the chosen case. `ready` says when the image is there. */
export function resultPanel(stage: Stage, ready: () => Promise<void>): void {
  let before = "";
  const show = guarded(async () => {
    const answers = caseAnswers();
    const sign = JSON.stringify([now().study?.study, chosenCase()?.case, chosenModel()?.name, answers.map((a) => a.files)]);
    if (sign === before) return;
    before = sign;
    const mine = ++turn;
    const current = () => mine === turn;
    byId("results-none").hidden = answers.length > 0;
    fill(byId("results"));
    await ready();
    if (!current()) return;
    if (!answers.some((a) => overlays(a, "Mask"))) await stage.setMask(null);
    if (!answers.some((a) => overlays(a, "Map"))) await stage.setMap(null);
    stage.setBoxes([]);
    for (const answer of answers) {
      const parts = [remarks(answer.outside), await section(answer, { stage, current, file: (name) => file(answer, name) }), downloads(answer)];
      if (current()) byId("results").append(h("section", { class: "answer", "data-kind": answer.kind }, parts.flat().filter((part) => part !== null)));
    }
  });
  on(["answers", "caseId", "model", "study"], () => {
    void show();
    const gone = now().study?.gone ?? false;
    byId("results").querySelectorAll<HTMLButtonElement>(".downloads button").forEach((b) => (b.disabled = gone));
  });
}

const overlays = (answer: Held, kind: string): boolean => answer.kind === kind;

async function file(answer: Held, name: string): Promise<ArrayBuffer | null> {
  const path = answer.files[name];
  return path ? api.bytes(path) : null;
}

/** The panel of an answer's kind, and below it those of its parts. */
async function section(answer: Held, given: Given): Promise<HTMLElement[]> {
  const made = [await (await kindOf(answer.kind)).panel(answer, given)];
  for (const [name, part] of Object.entries((answer.answer.parts ?? {}) as Record<string, Record<string, unknown>>)) {
    if (part.kind === "Mask" || part.kind === "Map") continue; // their pixels lie in files of their own
    const inner: Held = { ...answer, kind: String(part.kind), answer: part, summary: {}, files: {} };
    made.push(h("h3", {}, name.replaceAll("_", " ")), ...(await section(inner, given)));
  }
  return made;
}

async function kindOf(kind: string): Promise<Kind> {
  try {
    // to add a kind, add a file: the build takes in all of the folder
    return (await import(`./answers/${kind.toLowerCase()}.ts`)) as Kind;
  } catch {
    return { panel: plain };
  }
}

/** An answer in an element that is there already: the panel of its kind, made once where that can be renewed. */
export async function fillAnswer(into: HTMLElement, answer: Held, given: Given): Promise<void> {
  const { renew } = await kindOf(answer.kind);
  if (renew && into.dataset.kind === answer.kind) {
    await renew(answer, given);
    return;
  }
  into.dataset.kind = answer.kind;
  fill(into, await section(answer, given));
}

/** For a kind without a panel of its own: its figures, and the files below. */
function plain(answer: Held): HTMLElement {
  const fields = Object.entries(answer.summary.fields ?? {});
  return h("div", {}, h("h2", {}, answer.kind), h("dl", {}, fields.flatMap(([name, x]) => [h("dt", {}, name.replaceAll("_", " ")), h("dd", {}, String(x))])));
}

function downloads(answer: Held): HTMLElement {
  const c = chosenCase();
  const stem = c ? fileStem(c) : answer.case;
  return h(
    "div",
    { class: "downloads" },
    Object.entries(answer.files).map(([name, path]) =>
      h("button", { "data-file": name, title: `Save ${name}`, onclick: guarded(() => api.save(path, `${stem}-${name}`)) }, `↓ ${FILES[name] ?? name}`),
    ),
  );
}
