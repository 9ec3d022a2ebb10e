// Boxes: drawn on the planes with label and score, and listed, the surest first; a click goes to the middle of one.
import { calledBy } from "../called.ts";
import { colourOf } from "../colours.ts";
import { h } from "../dom.ts";
import type { Given } from "../kinds.ts";
import type { Stage } from "../stage.ts";
import type { Held, Label } from "../types.ts";

/** In index coordinates `(z, y, x)`, `low` included, `high` excluded. */
interface Found {
  low: number[];
  high: number[];
  label: string;
}

type Triple = [number, number, number];
const turned = (zyx: number[]): Triple => [zyx[2]!, zyx[1]!, zyx[0]!];
const percent = (p: number): string => `${(100 * p).toFixed(1)} %`;

/** Boxes of the last answer do not lie where those of the next do. */
export const clear = (stage: Stage): void => stage.setBoxes([]);

export function panel(answer: Held, given: Given): HTMLElement {
  const { stage } = given;
  const { boxes = [], p = [], labels = [] } = answer.answer as { boxes?: Found[]; p?: number[]; labels?: Label[] };
  const order = boxes.map((_, k) => k).sort((a, b) => (p[b] ?? 0) - (p[a] ?? 0));
  const colours = new Map(labels.map((l, k) => [l.name, colourOf(l, k)]));
  const names = calledBy(labels);
  const nameOf = (k: number) => names.get(boxes[k]!.label) ?? boxes[k]!.label;
  const colour = (k: number) => colours.get(boxes[k]!.label) ?? colourOf({ name: "" }, 0);
  const seen = new Set(labels.map((l) => l.name));
  let least = 0;
  const wanted = (k: number) => (p[k] ?? 1) >= least && (seen.has(boxes[k]!.label) || !colours.has(boxes[k]!.label));
  const rows = new Map(order.map((k) => [k, row(k)]));
  const apply = () => {
    for (const [k, made] of rows) made.hidden = !wanted(k);
    stage.setBoxes(
      order.filter(wanted).map((k) => ({
        low: turned(boxes[k]!.low),
        high: turned(boxes[k]!.high),
        text: p[k] === undefined ? nameOf(k) : `${nameOf(k)} ${percent(p[k]!)}`,
        colour: colour(k),
      })),
    );
  };
  if (given.current()) apply();
  return h(
    "div",
    {},
    h("h2", {}, boxes.length ? "Findings" : "No findings"),
    legend(),
    p.length > 1 && !given.beside && threshold(),
    h("ul", { class: "list" }, [...rows.values()]),
  );

  function row(k: number): HTMLElement {
    const { low, high } = boxes[k]!;
    const middle = turned(low.map((x, n) => Math.floor((x + high[n]! - 1) / 2)));
    return h(
      "li",
      {},
      h(
        "button",
        { class: "row", title: "Go to its middle", onclick: () => stage.goTo(middle) },
        h("span", { class: "name" }, h("span", { class: "swatch", style: { "background-color": colour(k) } }), nameOf(k)),
        h("span", { class: "number" }, p[k] === undefined ? "" : percent(p[k]!)),
      ),
    );
  }

  /** Each label that was found, with its colour, how many there are, and a box that hides them. */
  function legend(): HTMLElement | false {
    const there = labels.filter((l) => boxes.some((b) => b.label === l.name));
    if (!there.length) return false;
    return h(
      "ul",
      { class: "legend" },
      there.map((l) =>
        h(
          "li",
          {},
          h("label", {}, h("input", { type: "checkbox", checked: true, onchange: (e: Event) => {
            if ((e.target as HTMLInputElement).checked) seen.add(l.name);
            else seen.delete(l.name);
            apply();
          } }), h("span", { class: "swatch", style: { "background-color": colours.get(l.name)! } }), h("span", { class: "name", title: l.name }, names.get(l.name) ?? l.name)),
          h("span", { class: "number" }, boxes.filter((b) => b.label === l.name).length),
        ),
      ),
    );
  }

  function threshold(): HTMLElement {
    const said = h("output", {}, percent(0));
    const slider = h("input", { type: "range", id: "box-least", min: "0", max: "1", step: "0.01", value: "0", oninput: (e: Event) => {
      least = (e.target as HTMLInputElement).valueAsNumber;
      said.textContent = percent(least);
      apply();
    } });
    return h("div", { class: "controls" }, h("label", {}, "At least ", said, slider));
  }
}
