// The first step: a study, dropped, chosen from disk or one of before; and which of its cases.
import * as api from "./api.ts";
import { byId, fill, h } from "./dom.ts";
import { takeDrops, worthSending } from "./drop.ts";
import { aboutCase, aboutStudy, holds, nameInStudy, patientsOf, studyName, titleOf, whenCame } from "./names.ts";
import { announce, guarded, note, quiet } from "./say.ts";
import { now, on, set } from "./store.ts";
import type { Study } from "./types.ts";

/** Fill the panel and keep it true. `choose` opens a study. */
export function studyPanel(choose: (study: Study) => Promise<void>): void {
  const take = guarded(async (files: File[]) => {
    if (!files.length) return;
    if (now().uploading !== null) throw new api.Failure({ error: "another study is on its way still", hint: "drop this one again once that is read" }, 409);
    quiet();
    set({ uploading: 0 });
    let study: Study;
    let known = false;
    try {
      [study, known] = await api.upload(files, (part) => set({ uploading: part }));
      set({ studies: [study, ...now().studies.filter((s) => s.study !== study.study)] });
    } finally {
      set({ uploading: null });
    }
    if (known) note("These files are here already: the study that was made of them is open, with its answers.");
    else announce(study.cases.length === 1 ? "1 case read" : `${study.cases.length} cases read`);
    await choose(study);
  });
  const sample = guarded(async () => {
    if (now().uploading !== null) return;
    quiet();
    set({ uploading: 1 });
    try {
      const study = await api.sample(now().model);
      set({ uploading: null, studies: [study, ...now().studies.filter((s) => s.study !== study.study)] });
      await choose(study);
    } finally {
      set({ uploading: null });
    }
  });
  byId("sample").addEventListener("click", sample);
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
  on(["study", "access"], () => {
    const { study, access } = now();
    const [drop, empty] = [byId("drop"), byId("empty")];
    const place = study ? byId("drop-place") : empty; // where nothing is open yet, it stands in the middle
    if (drop.parentElement !== place) place.prepend(drop);
    empty.hidden = study !== null;
    byId<HTMLButtonElement>("sample").disabled = access !== "given";
  });
  on(["studies", "study"], () => studies(choose));
  on(["study", "caseId", "answers"], cases);
}

let told = "";

function uploading(): void {
  const part = now().uploading;
  const bar = byId<HTMLProgressElement>("sending");
  bar.hidden = part === null;
  byId("drop-text").textContent =
    part === null ? "DICOM files, a folder, a zip, NIfTI or pictures" : part < 1 ? `Sending… ${Math.round(100 * part)} %` : "Reading…";
  const stage = part === null ? "" : part < 1 ? "Sending the study" : "Reading the study";
  if (stage && stage !== told) announce(stage);
  told = stage;
  if (part !== null && part < 1) bar.value = part;
  else bar.removeAttribute("value");
}

function studies(choose: (study: Study) => Promise<void>): void {
  const { studies, study } = now();
  byId("studies-head").hidden = !studies.length;
  fill(byId("studies"), studies.map((s) => h("li", {}, opener(s), remover(s))));

  function opener(s: Study): HTMLElement {
    return h(
      "button",
      { class: "row two", "aria-pressed": String(s.study === study?.study), title: `${studyName(s)}\n${aboutStudy(s)}`, onclick: guarded(() => choose(s)) },
      h("span", { class: "name" }, studyName(s)),
      s.synthetic && h("span", { class: "tag" }, "Synthetic"),
      h("span", { class: s.gone ? "gone" : "faint" }, s.gone ? "no longer on the server" : aboutStudy(s)),
    );
  }

  function remover(s: Study): HTMLElement {
    const [does, act] = s.gone ? ["Take it off this list", () => drop(s)] : ["Remove from the server", () => forget(s)];
    return h("button", { class: "plain", "aria-label": `${does}: ${studyName(s)}, ${whenCame(s)}`, title: does, onclick: guarded(act) }, "×");
  }
}

async function forget(study: Study): Promise<void> {
  if (!confirm(`Remove ${studyName(study)} (${aboutStudy(study)}) and its answers from the server?`)) return;
  await api.forget(study.study).catch((error: unknown) => {
    if (!(error instanceof api.Failure && error.status === 404)) throw error; // gone already: as was wanted
  });
  drop(study);
}

/** Take a study off the page. */
function drop(study: Study): void {
  const open = now().study?.study === study.study;
  set({ studies: now().studies.filter((s) => s.study !== study.study), ...(open ? { study: null, caseId: null, job: null, answers: [], history: [] } : {}) });
}

function cases(): void {
  const { study, caseId, answers } = now();
  const several = (study?.cases.length ?? 0) > 1;
  const whose = study !== null && patientsOf(study).length > 1;
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
            { class: "row two", "aria-pressed": String(c.case === caseId), title: `${titleOf(c)}\n${holds(c)}`, onclick: () => set({ caseId: c.case }) },
            h("span", { class: "name" }, `${k + 1}. ${nameInStudy(c, whose)}`),
            h("span", { class: "faint" }, answers.some((a) => a.case === c.case) ? `${aboutCase(c)} · answered` : aboutCase(c)),
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
