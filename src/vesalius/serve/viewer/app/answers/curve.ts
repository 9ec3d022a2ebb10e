// Curve: survival over time as steps, one line for each arm.
import { called } from "../called.ts";
import { colourOf } from "../colours.ts";
import { h, svg } from "../dom.ts";
import type { Held } from "../types.ts";

const [WIDTH, HEIGHT, LEFT, FOOT] = [250, 150, 36, 18];

export function panel(answer: Held): HTMLElement {
  const days = (answer.answer.times_days ?? []) as number[];
  const arms = Object.entries((answer.answer.survival ?? {}) as Record<string, number[]>);
  const end = Math.max(...days, 1);
  const x = (t: number) => LEFT + ((WIDTH - LEFT) * t) / end;
  const y = (s: number) => (HEIGHT - FOOT) * (1 - s);
  const chart = svg("svg", { viewBox: `0 -6 ${WIDTH} ${HEIGHT + 6}`, role: "img", "aria-label": "Survival over time" });
  for (const part of [0, 0.5, 1]) {
    chart.append(svg("line", { x1: LEFT, x2: WIDTH, y1: y(part), y2: y(part), class: "grid" }), text(0, y(part) + 4, `${100 * part} %`));
  }
  for (const part of [0.5, 1]) chart.append(text(x(end * part) - 34 * part, HEIGHT - 4, `${((end * part) / 365.25).toFixed(1)} y`));
  arms.forEach(([, survival], k) => {
    let path = `M${x(0)},${y(1)}`;
    survival.forEach((s, i) => (path += `H${x(days[i] ?? end)}V${y(s)}`));
    chart.append(svg("path", { d: path, fill: "none", stroke: colourOf({ name: "" }, k), "stroke-width": 2 }));
  });
  const names = called(arms.map(([name]) => ({ name })));
  const legend = names.map((name, k) => h("li", {}, h("span", { class: "swatch", style: { "background-color": colourOf({ name: "" }, k) } }), name));
  return h("div", {}, h("h2", {}, "Survival"), chart as unknown as HTMLElement, arms.length > 1 && h("ul", { class: "legend" }, legend));
}

function text(x: number, y: number, words: string): SVGElement {
  const made = svg("text", { x, y });
  made.textContent = words;
  return made;
}
