// Numbers: several numbers, a line each with its unit, and the interval in which the true one lies by promise or by the model's own word.
import { digits, h } from "../dom.ts";
import type { Held } from "../types.ts";

interface Interval {
  coverage?: number;
  interval?: (number | null)[] | null;
}

interface Part {
  kind?: string;
  x?: number;
  unit?: string | null;
  bounds?: { low: number; high: number; share: number } | null;
  promise?: Interval | null;
}

/** Its parts are the numbers, so that no panels of theirs follow. */
export const showsParts = true;

export function panel(answer: Held): HTMLElement {
  const parts = Object.entries((answer.answer.parts ?? {}) as Record<string, Part>).filter(([, part]) => part.kind === "Value");
  const promised = parts.find(([, part]) => part.promise?.interval)?.[1].promise;
  const own = parts.find(([, part]) => part.bounds)?.[1].bounds;
  const head = promised ? `promised at ${share(promised.coverage)}` : own ? `by its own word in ${share(own.share)}` : null;
  return h(
    "div",
    {},
    h("h2", {}, parts.length === 1 ? "Number" : "Numbers"),
    h(
      "table",
      { class: "numbers" },
      h("thead", {}, h("tr", {}, h("th", {}, ""), h("th", { class: "number" }, "value"), head !== null && h("th", {}, head))),
      h("tbody", {}, parts.map(([name, part]) => row(name, part, head !== null))),
    ),
    own !== undefined && own !== null && !promised && h("p", { class: "faint" }, "These intervals are the model's own: nobody has checked them on other cases."),
  );
}

function row(name: string, part: Part, intervals: boolean): HTMLElement {
  const unit = part.unit && part.unit !== "1" ? ` ${part.unit}` : "";
  return h("tr", {}, h("th", { scope: "row" }, name.replaceAll("_", " ")), h("td", { class: "number" }, `${digits(Number(part.x), 4)}${unit}`), intervals && h("td", {}, interval(part, unit)));
}

/** The interval in words; a side without a bound is said, and nothing stands where there is no interval. */
function interval({ promise, bounds }: Part, unit: string): string {
  const [low, high] = promise?.interval ?? (bounds ? [bounds.low, bounds.high] : []);
  if (low === undefined && high === undefined) return "";
  const text = (x: number | null | undefined): string => (typeof x === "number" ? digits(x, 4) : "");
  if (text(low) === "" && text(high) === "") return "any number";
  if (text(low) === "") return `at most ${text(high)}${unit}`;
  return text(high) === "" ? `at least ${text(low)}${unit}` : `${text(low)} to ${text(high)}${unit}`;
}

const share = (part: number | undefined): string => `${Number((100 * (part ?? 0)).toPrecision(4))} %`;
