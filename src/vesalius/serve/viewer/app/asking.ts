// What an explanation is asked: about what of the answer, and by which methods.
import { called } from "./called.ts";
import { byId, fill, h } from "./dom.ts";
import type { Model } from "./types.ts";

const NAMED = "label"; // the one word whose things have names that the model tells
const WORDS: Record<string, string> = { region: "a region, by its size", box: "a box, the surest first", horizon: "a time in days", risk: "the risk", arm: "an arm, by its name", benefit: "what an arm changes", sentence: "a sentence", neighbour: "a near case", number: "the number", at_least: "at least a grade", mean_grade: "the mean grade" };
let shownFor = "";

/** Fill the choices for a model, each as it was where the model stays the same. */
export function fillAsking(model: Model | null): void {
  const explainers = model?.explainers ?? [];
  byId("explaining").hidden = !explainers.length;
  const sign = model ? `${model.name} ${model.hash}` : "";
  if (sign === shownFor) return;
  shownFor = sign;
  const asks = model?.asks ?? [];
  const names = asks.includes(NAMED) && model ? called(model.labels) : [];
  const select = byId<HTMLSelectElement>("ask");
  fill(
    select,
    h("option", { value: "" }, "what it says most of"),
    names.map((name, k) => h("option", { value: `${NAMED}=${model!.labels[k]!.name}` }, name)),
    asks.filter((word) => word !== NAMED).map((word) => h("option", { value: word, "data-which": true }, WORDS[word] ?? word)),
  );
  const whole = byId("ask-which-label");
  const which = () => (whole.hidden = !select.selectedOptions[0]?.hasAttribute("data-which"));
  select.onchange = which;
  which();
  fill(
    byId("explainers"),
    explainers.map((name, k) => h("label", {}, h("input", { type: "checkbox", name: "explainer", value: name, checked: k === 0, onchange: few }), name)),
  );
  few();
}

/** Without a method there is nothing to ask. */
function few(): void {
  byId("explain").toggleAttribute("data-none", chosenExplainers().length === 0);
}

export const chosenExplainers = (): string[] => [...byId("explainers").querySelectorAll<HTMLInputElement>("input:checked")].map((box) => box.value);

/** What is asked in the service's words; null for what the answer says most of. */
export function chosenAsk(): string | null {
  const word = byId<HTMLSelectElement>("ask").value;
  if (!word || word.includes("=")) return word || null;
  const which = byId<HTMLInputElement>("ask-which").value.trim();
  return which ? `${word}=${which}` : word;
}
