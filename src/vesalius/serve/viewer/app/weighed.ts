// How much each source of a case counted in its answer, where a model joins several; and in words which were not given.
import { written } from "./called.ts";
import { h } from "./dom.ts";
import type { Held } from "./types.ts";

/** A small bar a source, and what was not given; null of an answer to one image. */
export function weighed(answer: Held): HTMLElement | null {
  const found = answer.summary.weighed;
  if (!found) return null;
  const rows = Object.entries(found.shares).sort(([, a], [, b]) => b - a);
  return h(
    "div",
    { class: "weighed" },
    h("h3", {}, "What counted"),
    rows.length > 0 && h("ul", { class: "bars small" }, rows.map(([name, share]) => bar(written(name), share))),
    found.not_given.length > 0 && h("p", { class: "note" }, `Not given: ${found.not_given.map(written).join(", ")}.`),
    rows.length > 0 && h("p", { class: "faint" }, "The model's own weights of its sources, which are no effects: vesalius explain --method sources tells what each adds."),
  );
}

function bar(name: string, share: number): HTMLElement {
  return h(
    "li",
    {},
    h("span", { class: "name" }, name),
    h("span", { class: "number" }, `${(100 * share).toFixed(0)} %`),
    h(
      "div",
      { class: "bar", role: "meter", "aria-label": name, "aria-valuemin": 0, "aria-valuemax": 1, "aria-valuenow": share.toFixed(3) },
      h("div", { class: "fill", style: { width: `${100 * share}%` } }),
    ),
  );
}
