// Value: one number with its unit.
import { digits, h } from "../dom.ts";
import type { Followed } from "../running.ts";
import type { Held } from "../types.ts";

interface Bounds {
  low: number;
  high: number;
  share: number;
}

export function panel(answer: Held): HTMLElement {
  const { x, unit, quantity, bounds } = answer.answer as { x?: number; unit?: string | null; quantity?: string | null; bounds?: Bounds | null };
  const of = unit && unit !== "1" ? ` ${unit}` : "";
  const own = bounds && !answer.summary.promise ? `The model's own ${Number((100 * bounds.share).toPrecision(4))} % interval, which nobody has checked on other cases: ${digits(bounds.low, 4)} to ${digits(bounds.high, 4)}${of}.` : null;
  return h("div", {}, h("h2", {}, quantity ?? "Value"), h("p", { class: "big" }, `${digits(Number(x), 4)}${of}`), own !== null && h("p", { class: "faint" }, own));
}

export function followed(answer: Held): Followed | null {
  const { x, unit, quantity } = answer.answer as { x?: number; unit?: string | null; quantity?: string | null };
  return x === undefined ? null : { name: quantity ?? "Value", value: x, text: `${digits(x, 4)}${unit && unit !== "1" ? ` ${unit}` : ""}` };
}
