// Ranking: other cases, the nearest first, and how likely each shares a label.
import { digits, h } from "../dom.ts";
import type { Held } from "../types.ts";

interface Ranking {
  case_ids?: string[];
  distances?: number[];
  /** How many cases were compared, where the list is cut. */
  among?: number;
  /** How likely each shares a label with the image. */
  same?: number[];
}

export function panel(answer: Held): HTMLElement {
  const { case_ids: ids = [], distances = [], among, same } = answer.answer as Ranking;
  const shown = ids.slice(0, 20);
  const likely = (k: number) => (same?.[k] === undefined ? "" : `, the same with ${Math.round(100 * same[k])} %`);
  return h(
    "div",
    {},
    h("h2", {}, "Similar cases"),
    h("ol", { class: "list" }, shown.map((id, k) => h("li", {}, `${id} (${digits(distances[k] ?? NaN)}${likely(k)})`))),
    among !== undefined && among > shown.length && h("p", { class: "faint" }, `The nearest of ${among}.`),
  );
}
