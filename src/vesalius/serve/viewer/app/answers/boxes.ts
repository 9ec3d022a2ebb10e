// Boxes: a list, the surest first; a click goes to the middle of one.
import { h } from "../dom.ts";
import type { Given } from "../panel_result.ts";
import type { Held } from "../types.ts";

/** In index coordinates `(z, y, x)`, `low` included, `high` excluded. */
interface Box {
  low: number[];
  high: number[];
  label: string;
}

export function panel(answer: Held, { stage }: Given): HTMLElement {
  const { boxes = [], p = [] } = answer.answer as { boxes?: Box[]; p?: number[] };
  const order = boxes.map((_, k) => k).sort((a, b) => (p[b] ?? 0) - (p[a] ?? 0));
  const middle = ({ low, high }: Box) => [2, 1, 0].map((k) => Math.floor((low[k]! + high[k]! - 1) / 2)) as [number, number, number];
  const row = (k: number) =>
    h("li", {}, h("button", { class: "row", onclick: () => stage.goTo(middle(boxes[k]!)) }, h("span", { class: "name" }, boxes[k]!.label), h("span", { class: "number" }, `${(100 * (p[k] ?? 0)).toFixed(1)} %`)));
  return h("div", {}, h("h2", {}, boxes.length ? "Findings" : "No findings"), h("ul", { class: "list" }, order.map(row)));
}
