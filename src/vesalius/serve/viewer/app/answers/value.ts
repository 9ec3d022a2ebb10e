// Value: one number with its unit.
import { digits, h } from "../dom.ts";
import type { Held } from "../types.ts";

export function panel(answer: Held): HTMLElement {
  const { x, unit, quantity } = answer.answer as { x?: number; unit?: string | null; quantity?: string | null };
  return h("div", {}, h("h2", {}, quantity ?? "Value"), h("p", { class: "big" }, `${digits(Number(x), 4)}${unit && unit !== "1" ? ` ${unit}` : ""}`));
}
