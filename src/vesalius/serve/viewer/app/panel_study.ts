// The first step: a study, dropped, chosen from disk or one of before; and which of its cases.
import * as api from "./api.ts";
import { byId, fill, h } from "./dom.ts";
import { takeDrops, worthSending } from "./drop.ts";
import { announce, guarded, quiet } from "./say.ts";
import { now, on, set } from "./store.ts";
import type { Case, Study } from "./types.ts";

/** Fill the panel and keep it true. `choose` opens a study. */
export function studyPanel(choose: (study: Study) => Promise<void>): void {
  const take = guarded(async (files: File[]) => {
    if (!files.length || now().uploading !== null) return;
    quiet();
    set({ uploading: 0 });
    try {
      const study = await api.upload(files, (part) => set({ uploading: part }));
      set({ studies: [study, ...now().studies.filter((s) => s.study !== study.study)] });
      announce(`${study.cases.length} cases read`);
      await choose(study);
    } finally {
      set({ uploading: null });
    }
  });
  takeDrops(document.body, take);
  for (const id of ["files", "folder"]) {
    const input = byId<HTMLInputElement>(id);
    byId(`choose-${id}`).addEventListener("click", () => input.click());
    input.addEventListener("change", () => {
      void take([...(input.files ?? [])].filter(worthSending));
      input.value = "";
    });
  }
  on(["uploading"], uploading);
  on(["studies", "study"], () => studies(choose));
  on(["study", "caseId", "answers"], cases);
}

function uploading(): void {
  const part = now().uploading;
  const bar = byId<HTMLProgressElement>("sending");
  bar.hidden = part === null;
  byId("drop-text").textContent =
    part === null ? "Drop DICOM files, a folder, a zip, NIfTI or pictures here" : part < 1 ? `Sending… ${Math.round(100 * part)} %` : "Reading…";
  if (part !== null && part < 1) bar.value = part;
  else bar.removeAttribute("value");
}

function studies(choose: (study: Study) => Promise<void>): void {
  const { studies, study } = now();
  const names = distinct(studies.map(nameOf));
  byId("studies-head").hidden = !studies.length;
  fill(
    byId("studies"),
    studies.map((s, k) =>
      h(
        "li",
        {},
        h(
          "button",
          { class: "row", "aria-pressed": String(s.study === study?.study), onclick: guarded(() => choose(s)) },
          h("span", { class: "name", title: names[k] }, names[k]),
          h("span", { class: "faint" }, s.cases.length === 1 ? size(s.cases[0]!) : `${s.cases.length} cases`),
        ),
        h("button", { class: "plain", "aria-label": `Remove ${names[k]} from the server`, title: "Remove from the server", onclick: guarded(() => forget(s, names[k]!)) }, "×"),
      ),
    ),
  );
}

async function forget(study: Study, name: string): Promise<void> {
  if (!confirm(`Remove ${name} and its answers from the server?`)) return;
  await api.forget(study.study);
  const gone = now().study?.study === study.study;
  set({ studies: now().studies.filter((s) => s.study !== study.study), ...(gone ? { study: null, caseId: null, job: null, answers: [] } : {}) });
}

function cases(): void {
  const { study, caseId, answers } = now();
  const several = (study?.cases.length ?? 0) > 1;
  byId("cases-head").hidden = !several;
  fill(
    byId("cases"),
    several &&
      study!.cases.map((c, k) =>
        h(
          "li",
          {},
          h(
            "button",
            { class: "row", "aria-pressed": String(c.case === caseId), onclick: () => set({ caseId: c.case }) },
            h("span", { class: "name" }, `${k + 1}. ${caseName(c)}`),
            h("span", { class: "faint" }, answers.some((a) => a.case === c.case) ? "answered" : size(c)),
          ),
        ),
      ),
  );
  const aside = study?.set_aside ?? [];
  byId("aside").hidden = !aside.length;
  fill(
    byId("aside"),
    h("summary", {}, `${aside.length} set aside`),
    aside.map((a) => h("p", {}, h("b", {}, a.name ?? a.case ?? ""), ` ${a.reason}`)),
  );
}

export const caseName = (c: Case): string => c.description || c.name;

function nameOf(study: Study): string {
  const first = study.cases[0];
  return first ? caseName(first) : "nothing readable";
}

/** Names that occur more than once with a number behind, the last of the list being the first. */
function distinct(names: string[]): string[] {
  const later = (k: number) => names.slice(k).filter((n) => n === names[k]).length;
  return names.map((name, k) => (names.indexOf(name) !== names.lastIndexOf(name) ? `${name} (${later(k)})` : name));
}

function size(c: Case): string {
  const [z, y, x] = c.shape;
  return [c.modality, z === 1 ? `${x}×${y}` : `${x}×${y}×${z}`].filter(Boolean).join(" ");
}
