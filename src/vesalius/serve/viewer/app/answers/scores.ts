// Scores: a bar for each probability, and a mark where the operating point lies; grades as a ladder in their order.
import { calledBy } from "../called.ts";
import { h } from "../dom.ts";
import type { Followed } from "../running.ts";
import { chosenModel } from "../store.ts";
import type { Held, Label, OperatingPoint } from "../types.ts";

interface Scores {
  labels?: Label[];
  p?: number[];
  positive?: string | null;
  thresholds?: Record<string, number>;
  /** The labels whose probability is not calibrated, where others' are. */
  uncalibrated?: string[];
}

export function panel(answer: Held): HTMLElement {
  const inner = answer.answer as Scores;
  const rows = answer.summary.labels?.map((l) => ({ name: l.name, p: l.p ?? 0 }))
    ?? (inner.labels ?? []).map((l, k) => ({ name: l.name, p: inner.p?.[k] ?? 0 }));
  const points = marks(inner, answer.summary.operating_point ?? null);
  const names = calledBy(rows);
  const nameOf = (name: string) => names.get(name) ?? name;
  const title = chosenModel()?.calibrated ? "Calibrated probabilities" : "Scores, not calibrated";
  if (answer.summary.called !== undefined) return ladder(answer, rows, nameOf, title);
  rows.sort((a, b) => b.p - a.p);
  return h(
    "div",
    {},
    h("h2", {}, title),
    h("ul", { class: "bars" }, rows.map(({ name, p }) => bar(nameOf(name), p, points[name]))),
    inner.uncalibrated?.length ? h("p", { class: "warn" }, `Not calibrated: ${inner.uncalibrated.map(nameOf).join(", ")}.`) : false,
    Object.entries(points).map(([name, threshold]) => verdict(nameOf(name), threshold, rows.find((r) => r.name === name)?.p)),
  );
}

/** The label that is called from a threshold, else the last of them. */
export function followed(answer: Held): Followed | null {
  const inner = answer.answer as Scores;
  const points = marks(inner, answer.summary.operating_point ?? null);
  const label = Object.keys(points)[0] ?? inner.positive ?? inner.labels?.at(-1)?.name;
  const p = inner.p?.[inner.labels?.findIndex((l) => l.name === label) ?? -1];
  if (label === undefined || p === undefined) return null;
  return { name: calledBy([{ name: label }]).get(label) ?? label, value: p, text: percent(p), low: 0, high: 1, mark: points[label] };
}

function marks(scores: Scores, point: OperatingPoint | null): Record<string, number> {
  if (scores.thresholds && Object.keys(scores.thresholds).length) return scores.thresholds;
  return point ? { [point.label]: point.threshold } : {};
}

/** The grade that is called, and all of them from the highest down, with a rail along those of the promised range. */
function ladder(answer: Held, rows: { name: string; p: number }[], nameOf: (name: string) => string, title: string): HTMLElement {
  const { called, decision, at_least: cuts } = answer.summary;
  const range = new Set(answer.summary.promise?.labels ?? []);
  const from = new Map((cuts ?? []).map(({ name, p }) => [name, p]));
  const list = [...rows].reverse().map(({ name, p }) => {
    const over = from.get(name);
    const said = over === undefined ? "" : `At least ${nameOf(name)}: ${percent(over)}`;
    const kind = [name === called && "called", range.has(name) && "held"].filter(Boolean).join(" ");
    return bar(nameOf(name), p, undefined, { class: kind, title: said, "aria-current": name === called ? "true" : undefined });
  });
  return h(
    "div",
    {},
    h("h2", {}, "Grade"),
    h("p", { class: "big" }, nameOf(called ?? "")),
    h("h3", {}, title),
    h("ol", { class: "bars grades", reversed: true }, list),
    h("p", { class: "faint" }, `Called: ${decision ?? "the most probable grade"}.${range.size ? " The rail marks the promised range." : ""}`),
  );
}

function bar(name: string, p: number, threshold: number | undefined, more: Record<string, unknown> = {}): HTMLElement {
  return h(
    "li",
    more,
    h("span", { class: "name" }, name),
    h("span", { class: "number" }, percent(p)),
    h(
      "div",
      { class: "bar", role: "meter", "aria-label": name, "aria-valuemin": 0, "aria-valuemax": 1, "aria-valuenow": p.toFixed(3) },
      h("div", { class: "fill", style: { width: `${100 * p}%` } }),
      threshold !== undefined && h("div", { class: "mark", title: `Operating point: ${percent(threshold)}`, style: { left: `${100 * threshold}%` } }),
    ),
  );
}

function verdict(name: string, threshold: number, p: number | undefined): HTMLElement | false {
  if (p === undefined) return false;
  const above = p >= threshold;
  return h("p", { class: "verdict" }, h("b", {}, `${name}: ${above ? "above" : "below"}`), ` the operating point of ${percent(threshold)}`);
}

const percent = (p: number): string => `${(100 * p).toFixed(1)} %`;
