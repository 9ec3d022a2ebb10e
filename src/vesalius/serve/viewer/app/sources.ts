// Which image of a study is which, for a model that joins several of one body: a choice for each of its images.
import { written } from "./called.ts";
import { byId, fill, h } from "./dom.ts";
import { nameInStudy, patientsOf } from "./names.ts";
import type { Case, Model, Study } from "./types.ts";

let shownFor = "";

/** The names of the images that a model joins; none of a model that is asked about one. */
const imagesOf = (model: Model | null): string[] => {
  const names = (model?.inputs ?? []).filter((name) => model?.sources?.includes(name));
  return names.length > 1 ? names : [];
};

/** Fill the choices for a model and a study, each guessed from what its headers and its file say. */
export function fillSources(model: Model | null, study: Study | null, chosen: Case | null): void {
  const names = imagesOf(model);
  byId("sources").hidden = !names.length || !study;
  const sign = names.length && study ? JSON.stringify([model!.name, model!.hash, study.study, chosen?.case]) : "";
  if (sign === shownFor) return;
  shownFor = sign;
  const taken = guessed(names, study, chosen);
  const whose = study !== null && patientsOf(study).length > 1;
  fill(
    byId("source-images"),
    names.map((name) =>
      h(
        "label",
        { class: "source" },
        h("span", {}, written(name)),
        h(
          "select",
          { "data-source": name },
          h("option", { value: "" }, "not given"),
          (study?.cases ?? []).map((c, k) => h("option", { value: c.case, selected: taken.get(name) === c.case }, `${k + 1}. ${nameInStudy(c, whose)}`)),
        ),
      ),
    ),
  );
}

/** Which case is taken for each image: one whose words name it; the chosen one where nothing names it. */
function guessed(names: string[], study: Study | null, chosen: Case | null): Map<string, string> {
  const found = new Map<string, string>();
  const mine = (study?.cases ?? []).filter((c) => !chosen || c.patient === chosen.patient);
  const order = chosen ? [chosen, ...mine.filter((c) => c.case !== chosen.case)] : mine;
  for (const c of order) {
    const words = plain([c.modality, c.description, c.name].filter(Boolean).join(" "));
    const name = names.find((n) => !found.has(n) && words.includes(plain(n)));
    if (name) found.set(name, c.case);
  }
  const placed = new Set(found.values());
  const left = names.find((n) => !found.has(n));
  if (chosen && !placed.has(chosen.case) && left) found.set(left, chosen.case);
  return found;
}

const plain = (text: string): string => text.toLowerCase().replaceAll(/[^\p{L}\p{N}]/gu, "");

/** The images that are given, by the model's names for them; null of a model that is asked about one image. */
export function chosenImages(): Record<string, string> | null {
  if (byId("sources").hidden) return null;
  const selects = [...byId("source-images").querySelectorAll<HTMLSelectElement>("select")];
  return Object.fromEntries(selects.filter((s) => s.value).map((s) => [s.dataset.source!, s.value]));
}
