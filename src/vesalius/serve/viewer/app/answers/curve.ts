// Curve: survival over time as steps with its band, one line for each arm, and causes in dashes; a slider reads it at any time.
import { adviceOf } from "../advice.ts";
import { calledBy, written } from "../called.ts";
import { colourOf } from "../colours.ts";
import { digits, h, svg } from "../dom.ts";
import type { Held } from "../types.ts";

type Lines = Record<string, number[]>;

interface Curve {
  times_days?: number[];
  survival?: Lines;
  low?: Lines | null;
  high?: Lines | null;
  share?: number | null;
  incidence?: Record<string, Lines> | null;
  risk?: number | null;
  rank?: number | null;
  given?: string | null;
  event?: string | null;
  treatment?: { column: string } | null;
}

interface Unit {
  days: number;
  one: string;
  many: string;
}

const [WIDTH, HEIGHT, LEFT, FOOT, TOP] = [250, 160, 34, 28, 6];
const UNITS: Unit[] = [
  { days: 1, one: "day", many: "days" },
  { days: 365.25 / 12, one: "month", many: "months" },
  { days: 365.25, one: "year", many: "years" },
];
const STEPS = [1, 2, 3, 5, 6, 10, 12, 20, 24, 25, 50, 100];
const MOST_TICKS = 6;

export function panel(answer: Held): HTMLElement {
  const curve = answer.answer as Curve;
  const days = curve.times_days ?? [];
  const arms = Object.keys(curve.survival ?? {});
  const names = calledBy(arms.map((name) => ({ name })));
  const title = titleOf(curve.event ?? "survival");
  if (!days.length) return h("div", {}, h("h2", {}, title), h("p", {}, "The model tells of no time."));
  const end = Math.max(...days);
  const unit = unitOf(end);
  const chart = drawn(curve, days, arms, end, unit, title);
  const read = h("table", { class: "numbers" });
  const said = h("output", { class: "faint" });
  const slider = h("input", { type: "range", min: 0, max: end, step: "any", value: end / 2, "aria-label": "Time at which the curves are read" });
  const show = (at: number): void => {
    const when = inWords(at, unit);
    slider.setAttribute("aria-valuetext", when);
    said.textContent = `After ${when}`;
    chart.mark(at);
    read.replaceChildren(...rows(curve, days, arms, names, at));
  };
  slider.oninput = () => show(Number(slider.value));
  chart.element.addEventListener("pointermove", (event) => {
    const at = chart.timeAt(event as PointerEvent);
    if (at === null) return;
    slider.value = String(at);
    show(at);
  });
  show(end / 2);
  const band = curve.low && typeof curve.share === "number" ? `The band is how far the members of the model differ, scaled to ${digits(100 * curve.share)} %. True curves lie outside it more often than that.` : null;
  return h(
    "div",
    { class: "curve" },
    h("h2", {}, title),
    riskInWords(curve),
    chart.element as unknown as HTMLElement,
    h("label", {}, said, slider),
    read,
    arms.map((arm) => h("p", { class: "faint" }, medianInWords(curve, days, arm, arms.length > 1 ? `${names.get(arm) ?? arm}: ` : "", unit))),
    band !== null && h("p", { class: "faint" }, band),
    arms.length > 1 && curve.treatment && answer.by === "predict" ? adviceOf(answer) : null,
  );
}

function drawn(curve: Curve, days: number[], arms: string[], end: number, unit: Unit, title: string) {
  const x = (t: number) => LEFT + ((WIDTH - LEFT - 4) * t) / (end || 1);
  const y = (s: number) => TOP + (HEIGHT - FOOT - TOP) * (1 - s);
  const chart = svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": `${title} over time, to ${inWords(end, unit)}` });
  for (const part of [0, 0.25, 0.5, 0.75, 1]) {
    chart.append(svg("line", { x1: LEFT, x2: WIDTH - 4, y1: y(part), y2: y(part), class: "grid" }), text(LEFT - 4, y(part) + 3.5, `${100 * part} %`, "end"));
  }
  for (const tick of ticks(end / unit.days)) {
    const at = x(tick * unit.days);
    chart.append(svg("line", { x1: at, x2: at, y1: y(0), y2: y(0) + 3, class: "grid" }), text(at, y(0) + 13, String(tick), "middle"));
  }
  chart.append(text((LEFT + WIDTH) / 2, HEIGHT - 3, unit.many, "middle"));
  arms.forEach((arm, k) => {
    const [low, high] = [curve.low?.[arm], curve.high?.[arm]];
    if (low && high) chart.append(svg("path", { d: area(days, low, high, x, y), fill: colour(k), "fill-opacity": 0.18 }));
  });
  arms.forEach((arm, k) => {
    const line = svg("path", { d: steps(days, curve.survival?.[arm] ?? [], 1, x, y), fill: "none", stroke: colour(k), "stroke-width": 2 });
    chart.append(line);
    const median = medianOf(days, curve.survival?.[arm] ?? []);
    if (median !== null) chart.append(svg("line", { x1: x(median), x2: x(median), y1: y(0.5), y2: y(0), stroke: colour(k), "stroke-dasharray": "3 3", class: "median" }));
  });
  const shown = held(curve, arms);
  Object.values(curve.incidence?.[shown] ?? {}).forEach((line, k) =>
    chart.append(svg("path", { d: steps(days, line, 0, x, y), fill: "none", stroke: colour(arms.length + k), "stroke-width": 1.5, "stroke-dasharray": "4 3" })),
  );
  const cursor = svg("line", { y1: TOP, y2: y(0), class: "cursor" });
  chart.append(cursor);
  return {
    element: chart,
    mark: (at: number): void => ["x1", "x2"].forEach((end_) => cursor.setAttribute(end_, String(x(at)))),
    timeAt: (event: PointerEvent): number | null => {
      const box = (chart as SVGSVGElement).getBoundingClientRect();
      if (!box.width) return null;
      const across = ((event.clientX - box.left) / box.width) * WIDTH;
      return Math.min(end, Math.max(0, ((across - LEFT) / (WIDTH - LEFT - 4)) * end));
    },
  };
}

/** A row of the table an arm, and of the arm given (or the first) a row a cause, as they are at a time. */
function rows(curve: Curve, days: number[], arms: string[], names: Map<string, string>, at: number): HTMLElement[] {
  const alone = arms.length < 2;
  const made = arms.map((arm, k) => {
    const [low, high] = [curve.low?.[arm], curve.high?.[arm]];
    const band = low && high ? `${(100 * valueAt(days, low, 1, at)).toFixed(0)} to ${percent(valueAt(days, high, 1, at))}` : "";
    const name = alone ? "Survival" : `${names.get(arm) ?? arm}${arm === curve.given ? " (given)" : ""}`;
    return row(name, colour(k), false, percent(valueAt(days, curve.survival?.[arm] ?? [], 1, at)), band);
  });
  const causes = Object.entries(curve.incidence?.[held(curve, arms)] ?? {});
  const nice = calledBy(causes.map(([name]) => ({ name })));
  return [...made, ...causes.map(([cause, line], k) => row(nice.get(cause) ?? cause, colour(arms.length + k), true, percent(valueAt(days, line, 0, at)), ""))];
}

function row(name: string, colour: string, hollow: boolean, value: string, band: string): HTMLElement {
  const swatch = h("span", { class: hollow ? "swatch hollow" : "swatch", style: hollow ? { "border-color": colour } : { "background-color": colour } });
  return h("tr", {}, h("th", { scope: "row" }, swatch, " ", name), h("td", { class: "number" }, value), h("td", {}, band));
}

const titleOf = (event: string): string => written(event.toLowerCase().includes("survival") ? event : `survival free of ${event}`);
const held = (curve: Curve, arms: string[]): string => curve.given ?? arms[0] ?? "";
const colour = (place: number): string => colourOf({ name: "" }, place);
const percent = (p: number): string => `${(100 * p).toFixed(0)} %`;

function riskInWords({ risk, rank }: Curve): HTMLElement | null {
  if (typeof risk !== "number") return null;
  const place = typeof rank === "number" ? `, a higher risk than ${percent(rank)} of the training cases` : "";
  return h("p", {}, h("b", {}, `${digits(Math.exp(risk))} times`), ` the hazard of the average training case${place}`);
}

function medianInWords(curve: Curve, days: number[], arm: string, lead: string, unit: Unit): string {
  const median = medianOf(days, curve.survival?.[arm] ?? []);
  return `${lead}${median === null ? `median not reached within ${inWords(Math.max(...days), unit)}` : `median ${inWords(median, unit)}`}`;
}

function medianOf(days: number[], line: number[]): number | null {
  const k = line.findIndex((s) => s <= 0.5);
  return k < 0 ? null : (days[k] ?? null);
}

/** What a step function has at a time: what it came to at the last of its times until then. */
function valueAt(days: number[], line: number[], before: number, at: number): number {
  let value = before;
  days.forEach((day, k) => (value = day <= at ? (line[k] ?? value) : value));
  return value;
}

function steps(days: number[], line: number[], from: number, x: (t: number) => number, y: (s: number) => number): string {
  return `M${fine(x(0))},${fine(y(from))}` + line.map((s, k) => `H${fine(x(days[k] ?? 0))}V${fine(y(s))}`).join("");
}

function area(days: number[], low: number[], high: number[], x: (t: number) => number, y: (s: number) => number): string {
  let path = steps(days, high, 1, x, y);
  for (let k = low.length - 1; k >= 0; k--) path += `${k === low.length - 1 ? `V${fine(y(low[k]!))}` : ""}H${fine(x(days[k]!))}V${fine(y(k ? low[k - 1]! : 1))}`;
  return `${path}Z`;
}

const fine = (value: number): string => value.toFixed(2);

const unitOf = (end: number): Unit => (end >= 3 * UNITS[2]!.days ? UNITS[2]! : end >= 3 * UNITS[1]!.days ? UNITS[1]! : UNITS[0]!);

/** Whole numbers from 0 to an end, few enough to be read. */
function ticks(end: number): number[] {
  const step = STEPS.find((one) => end / one <= MOST_TICKS) ?? Math.ceil(end / MOST_TICKS);
  return Array.from({ length: Math.floor(end / step) + 1 }, (_, k) => k * step);
}

function inWords(days: number, unit: Unit): string {
  const many = days / unit.days;
  const said = unit.days === 1 ? String(Math.round(many)) : many.toFixed(1).replace(/\.0$/, "");
  return `${said} ${said === "1" ? unit.one : unit.many}`;
}

function text(x: number, y: number, words: string, anchor: string): SVGElement {
  const made = svg("text", { x, y, "text-anchor": anchor });
  made.textContent = words;
  return made;
}
