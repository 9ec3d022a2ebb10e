// The third step: what the model answered, a panel for each kind of answer, and the files to take away.
import * as api from "./api.ts";
import { byId, fill, h } from "./dom.ts";
import { explanations } from "./explained.ts";
import { Drawn, section } from "./kinds.ts";
import { fileStem } from "./names.ts";
import { questions } from "./questions.ts";
import { imageNotes, remarks, toldOf } from "./remarks.ts";
import { guarded } from "./say.ts";
import type { Stage } from "./stage.ts";
import { caseAnswers, chosenCase, chosenModel, now, on } from "./store.ts";
import type { Held } from "./types.ts";
import { weighed } from "./weighed.ts";

const FILES: Record<string, string> = {
  "seg.dcm": "DICOM SEG",
  "rt.dcm": "DICOM RTSTRUCT",
  "sr.dcm": "DICOM SR",
  "sc.dcm": "DICOM capture",
  "pm.dcm": "DICOM map",
  "pdf.dcm": "DICOM PDF",
  "mask.nii.gz": "NIfTI",
  "outer.mask.nii.gz": "NIfTI, outer mask",
  "map.nii.gz": "NIfTI map",
  "overlay.png": "PNG",
  "answer.json": "JSON",
  "explanation.html": "Page",
};
let turn = 0;

/** Keep the panel true: all answers of the chosen model for the chosen case. `ready` says when the image is there. */
export function resultPanel(stage: Stage, ready: () => Promise<void>): void {
  let before = "";
  const drawn = new Drawn(stage);
  const show = guarded(async () => {
    const answers = caseAnswers();
    const sign = JSON.stringify([now().study?.study, chosenCase()?.case, chosenModel()?.name, answers.map((a) => [a.files, a.explainer, a.withheld])]);
    if (sign === before) return;
    before = sign;
    const mine = ++turn;
    const current = () => mine === turn;
    byId("results-none").hidden = answers.length > 0;
    fill(byId("results"));
    await ready();
    if (!current()) return;
    await drawn.clear(answers.map((a) => a.kind));
    const why = answers.filter((a) => a.by === "explain");
    for (const answer of answers.filter((a) => a.by !== "explain")) {
      const parts = [imageNotes(answer.notes), toldOf(answer.told), remarks(answer.outside), await section(answer, { stage, current, file: (name) => file(answer, name) }, drawn), weighed(answer), questions(answer), downloads(answer)];
      if (current()) byId("results").append(h("section", { class: "answer", "data-kind": answer.kind }, parts.flat().filter((part) => part !== null)));
    }
    if (!why.length || !current()) return;
    const given = (answer: Held) => ({ stage, current, file: (name: string) => file(answer, name) });
    const panel = await explanations(why, { given, drawn, below: downloads });
    if (current()) byId("results").append(panel);
  });
  on(["answers", "caseId", "model", "study"], () => {
    void show();
    const gone = now().study?.gone ?? false;
    byId("results").querySelectorAll<HTMLButtonElement>(".downloads button").forEach((b) => (b.disabled = gone));
  });
}


async function file(answer: Held, name: string): Promise<ArrayBuffer | null> {
  const path = answer.files[name];
  return path ? api.bytes(path) : null;
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
