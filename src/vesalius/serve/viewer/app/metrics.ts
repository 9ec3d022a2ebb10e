// A scorecard's figures in words: what each is called, its interval, and what it is of.
import { fixed } from "./dom.ts";
import { written } from "./called.ts";
import type { Figure, MeasuredOn } from "./types.ts";

const NAMES: Record<string, string> = {
  accuracy: "Accuracy",
  aji: "AJI",
  ap: "AP, IoU .5 to .95",
  ap10: "AP at IoU .1",
  ap50: "AP at IoU .5",
  area_error: "Area error",
  assd: "Mean surface distance",
  auc: "AUC",
  average_precision: "Average precision",
  balanced_accuracy: "Balanced accuracy",
  bias: "Bias",
  brier: "Brier score",
  c_index: "C (Harrell)",
  calibration: "Calibration error",
  count_bias: "Bias of counts",
  count_inside: "Counts within the promised interval",
  count_mae: "Error of counts",
  count_relative: "Relative error of counts",
  count_spearman: "Spearman's ρ of counts",
  count_width: "Width of the promised intervals",
  cut_auc: "AUC from a grade on",
  cut_ece: "Calibration error from a grade on",
  d_calibration: "D-calibration",
  dice: "Dice",
  ece: "Calibration error (ECE)",
  exact_match: "All labels right",
  f1: "F1",
  false_per_image: "False boxes an image",
  froc: "FROC score",
  hd95: "HD95",
  ibs: "Integrated Brier score",
  inside: "Within the promised interval",
  jaccard: "Jaccard",
  kappa: "Quadratic kappa",
  log_loss: "Log loss",
  mae: "Mean absolute error",
  map: "mAP",
  pq: "Panoptic quality (PQ)",
  precision: "Precision",
  r2: "R²",
  recall: "Sensitivity",
  relative: "Relative error",
  relative_total: "Relative error in total",
  rmse: "RMSE",
  rps: "Ranked probability score",
  rq: "Finding quality (RQ)",
  sensitivity: "Sensitivity",
  spearman: "Spearman's ρ",
  specificity: "Specificity",
  sq: "Overlap quality (SQ)",
  surface_dice: "Surface Dice",
  uno_c: "C (Uno)",
  volume_error: "Volume error",
  width: "Width of the promised interval",
  within_one: "Within one grade",
};
const UNITS: Record<string, string> = { mm: "mm", mm2: "mm²", ml: "ml", px: "px" };

/** `hd95_mm/liver` as what is measured, its unit and the label that it is of. */
function parts(metric: string): { base: string; unit: string | null; label: string } {
  const [whole = "", ...label] = metric.split("/");
  const [, base = whole, unit = null] = whole.match(/^(.+)_(mm2|mm|ml|px)$/) ?? [];
  return { base, unit, label: label.join("/") };
}

/** `HD95 (mm), liver`; the tolerance of a surface Dice is in its unit. */
export function metricName(metric: string): string {
  const { base, unit, label } = parts(metric);
  const plain = base.replace(/^sensitivity_at_(1_\d|\d)$/, (_, rate: string) => `sensitivity at ${rate.replace("_", "/")} false an image`).replaceAll("_", " ");
  const name = NAMES[base] ?? plain.charAt(0).toUpperCase() + plain.slice(1);
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
