// A scorecard's figures in words: what each is called, its interval, and what it is of.
import { fixed } from "./dom.ts";
import { written } from "./called.ts";
import type { Figure, MeasuredOn } from "./types.ts";

const UNITS: Record<string, string> = { mm: "mm", mm2: "mm²", ml: "ml", px: "px" };

/** `hd95_mm/liver` as what is measured, its unit and the label that it is of. */
function parts(metric: string): { base: string; unit: string | null; label: string } {
  const [whole = "", ...label] = metric.split("/");
  const [, base = whole, unit = null] = whole.match(/^(.+)_(mm2|mm|ml|px)$/) ?? [];
  return { base, unit, label: label.join("/") };
}

/** `HD95 (mm), liver`: as the service calls it, with its unit and its label; the tolerance of a surface Dice is in its unit. */
export function metricName(metric: string, figure: Figure): string {
  const { base, unit, label } = parts(metric);
  const words = figure.called ?? base.replaceAll("_", " ");
  const name = /^\p{Ll}\p{Lu}/u.test(words) ? words : words.charAt(0).toUpperCase() + words.slice(1); // nDCG stays
  const of = !unit ? "" : base === "surface_dice" ? ` (tolerance in ${UNITS[unit]})` : ` (${UNITS[unit]})`;
  return `${name}${of}${label && `, ${written(label)}`}`;
}

/** A figure's value. */
export const valueText = ({ value }: Figure): string => (typeof value === "number" ? fixed(value, value) : "not defined");

/** Its interval; nothing where it has none. */
export const intervalText = ({ low, high }: Figure): string => (typeof low === "number" && typeof high === "number" ? `${fixed(low, low, high)} to ${fixed(high, low, high)}` : "");

/** What stands beside a value: its interval, how many cases it is of where these are not all, and the baseline. */
export function besideText(figure: Figure, all: number | null): string {
  const { n, baseline } = figure;
  return [intervalText(figure), n && n !== all && `n = ${n}`, typeof baseline === "number" && `baseline ${fixed(baseline, baseline)}`].filter(Boolean).join(" · ");
}

/** What figures were measured on, as a sentence: never the image that is seen. */
export function measuredOn({ split, cases, patients, data, learned_from_it, same_data }: MeasuredOn): string {
  const of = `${cases} ${cases === 1 ? "case" : "cases"}${patients === null ? "" : ` of ${patients} ${patients === 1 ? "patient" : "patients"}`}`;
  const where = `${same_data ? "the data it was fitted with" : "other data than it was fitted with"} (${data.slice(0, 8)})`;
  return `Measured on ${of}, ${split} split of ${where}${learned_from_it ? ", from which it learned: too good, therefore" : ""}.`;
}
