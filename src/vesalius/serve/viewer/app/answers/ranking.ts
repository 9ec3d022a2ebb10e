// Ranking: other cases, the nearest first.
import { digits, h } from "../dom.ts";
import type { Held } from "../types.ts";

export function panel(answer: Held): HTMLElement {
  const { case_ids: ids = [], distances = [] } = answer.answer as { case_ids?: string[]; distances?: number[] };
  return h("div", {}, h("h2", {}, "Similar cases"), h("ol", { class: "list" }, ids.slice(0, 20).map((id, k) => h("li", {}, `${id} (${digits(distances[k] ?? NaN)})`))));
}
