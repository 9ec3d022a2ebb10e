// What is known of the patient beside the image: a field for each column that a model reads.
import { Failure } from "./api.ts";
import { written } from "./called.ts";
import { byId, digits, fill, h } from "./dom.ts";
import { patientsOf } from "./names.ts";
import type { Case, Column, Model, Study } from "./types.ts";

let shownFor = "";

/** Fill the fields for a model and a case: they are empty again for another case, as it may be another patient's. */
export function fillKnown(model: Model | null, study: Study | null, chosen: Case | null): void {
  const columns = model?.columns ?? [];
  byId("known").hidden = !columns.length || !study || Boolean(model?.imageless);
  const sign = columns.length && study ? JSON.stringify([model!.name, model!.hash, study.study, chosen?.case]) : "";
  if (sign === shownFor) return;
  shownFor = sign;
  fill(byId("known-values"), columns.map((one) => h("label", {}, h("span", {}, written(one.name), one.needed && !study?.synthetic ? " (needed)" : ""), entry(one))));
}

/** Where a column's value is entered: among the words that the model learned, or a number. */
function entry(column: Column): HTMLElement {
  if (column.values) {
    return h("select", { "data-known": column.name }, h("option", { value: "" }, "not known"), column.values.map((value) => h("option", { value }, value)));
  }
  const ends = column.low === null || column.high === null ? "" : `${digits(column.low)} to ${digits(column.high)}`;
  return h("input", { type: "text", inputmode: "decimal", autocomplete: "off", "data-known": column.name, "data-number": true, placeholder: ends, title: ends && `Learned from ${ends}` });
}

/** What is known, by the model's names for it; null where nothing was entered. Throws for what is no number, and for all cases of several patients. */
export function whatIsKnown(study: Study, every: boolean): Record<string, number | string> | null {
  if (byId("known").hidden) return null;
  const found: Record<string, number | string> = {};
  for (const field of byId("known-values").querySelectorAll<HTMLInputElement | HTMLSelectElement>("[data-known]")) {
    const text = field.value.trim();
    if (!text) continue;
    const value = field.hasAttribute("data-number") ? Number(text) : text;
    if (typeof value === "number" && !Number.isFinite(value)) {
      throw new Failure({ error: `${written(field.dataset.known!)} is not a number`, found: text, hint: "a point before the decimals" }, 422);
    }
    found[field.dataset.known!] = value;
  }
  if (!Object.keys(found).length) return null;
  if (every && patientsOf(study).length > 1) {
    throw new Failure({ error: "what is known is of one patient, and this study has several", hint: "one case at a time" }, 422);
  }
  return found;
}
