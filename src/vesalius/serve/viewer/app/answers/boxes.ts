// Boxes: a list, the surest first; a click goes to the middle of one.
import { h } from "../dom.ts";
import type { Given } from "../panel_result.ts";
import type { Held, Label } from "../types.ts";

interface Box {
  low?: number[];
  high?: number[];
  label?: number | string;
}

export function panel(answer: Held, { stage }: Given): HTMLElement {
  const { boxes = [], p = [], labels = [] } = answer.answer as { boxes?: Box[]; p?: number[]; labels?: Label[] };
  const order = boxes.map((_, k) => k).sort((a, b) => (p[b] ?? 0) - (p[a] ?? 0));
  const name = (box: Box) => labels.find((l) => l.value === box.label || l.name === box.label)?.name ?? String(box.label ?? "finding");
  const middle = (box: Box) => [0, 1, 2].map((k) => Math.round(((box.low?.[k] ?? 0) + (box.high?.[k] ?? 0)) / 2)) as [number, number, number];
  const row = (k: number) =>
    h("li", {}, h("button", { class: "row", onclick: () => stage.goTo(middle(boxes[k]!)) }, h("span", { class: "name" }, name(boxes[k]!)), h("span", { class: "number" }, `${(100 * (p[k] ?? 0)).toFixed(1)} %`)));
  return h("div", {}, h("h2", {}, boxes.length ? "Findings" : "No findings"), h("ul", { class: "list" }, order.map(row)));
}
