// What a calibration promises of an answer, and that an answer is withheld, which is then not shown as a result.
import { calledBy } from "./called.ts";
import { h } from "./dom.ts";
import type { Held, Promised } from "./types.ts";

/** Why an answer is withheld; null of one that is not. */
export function withheldBecause(answer: Held): string | null {
  const why = answer.answer.withheld ?? answer.summary.withheld;
  return typeof why === "string" ? why : null;
}

/** What stands in the place of an answer that is withheld. */
export const withheld = (why: string): HTMLElement =>
  h("div", { class: "withheld" }, h("h2", {}, "Withheld"), h("p", { class: "warn", role: "note" }, `The model gives no result for this image: ${why}.`), h("p", { class: "faint" }, "A person has to read it."));

/** The promise of an answer: the set, the interval or the outer mask, with what weakens it; null where there is none. */
export function promise(answer: Held): HTMLElement | null {
  const promised = answer.summary.promise;
  if (!promised) return null;
  return h(
    "div",
    { class: "promise" },
    h("h3", {}, `Promised at ${share(promised)}`),
    h("p", { class: "big-set" }, words(promised, answer)),
    h("p", { class: "faint" }, `${sentence(promised.says)} It stands on ${promised.n} ${promised.n === 1 ? "case" : "cases"}${promised.group ? ` of the group ${promised.group}` : ""}.`),
    promised.remarks.length > 0 && h("p", { class: "warn" }, `Mind: ${promised.remarks.join("; ")}.`),
  );
}

function words(promised: Promised, answer: Held): string {
  if (!promised.labels) return promised.part ? outer(promised) : promised.text;
  const names = calledBy((answer.summary.labels ?? []).map(({ name }) => ({ name })));
  return promised.labels.map((name) => names.get(name) ?? name).join(" or ") || "none of them";
}

/** The outer mask, or whatever else it is by its own sentence: the outer boxes. */
function outer({ says }: Promised): string {
  const what = /^the outer (\w+)/.exec(says)?.[1] ?? "mask";
  return what === "mask" ? "an outer mask around each label" : `the outer ${what}`;
}

const share = ({ coverage }: Promised): string => `${Number((100 * coverage).toPrecision(4))} %`;

const sentence = (text: string): string => `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
