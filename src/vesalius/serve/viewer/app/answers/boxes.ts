// Boxes: those that are called are drawn on the planes and listed, the surest first; others in dashes, where they are asked for.
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

interface Said {
  boxes?: Found[];
  p?: number[];
  labels?: Label[];
  thresholds?: Record<string, number> | null;
  parts?: Record<string, Part>;
}

/** What of the parts is shown here: the outer boxes that a promise takes in, and how many there are of each label. */
interface Part {
  boxes?: Found[];
  parts?: Record<string, { promise?: { interval?: [number | null, number | null] | null } | null }>;
}

type Triple = [number, number, number];
const turned = (zyx: number[]): Triple => [zyx[2]!, zyx[1]!, zyx[0]!];
const percent = (p: number): string => `${(100 * p).toFixed(1)} %`;
const sameBox = (a: Found, b: Found): boolean => a.label === b.label && [...a.low, ...a.high].every((x, k) => x === [...b.low, ...b.high][k]);

/** Parts that the panel shows itself. */
export const holds: readonly string[] = ["outer", "counts"];

/** Boxes of the last answer do not lie where those of the next do. */
export const clear = (stage: Stage): void => stage.setBoxes([]);

export function panel(answer: Held, given: Given): HTMLElement {
  const { stage } = given;
  const { boxes = [], p = [], labels = [], thresholds, parts = {} } = answer.answer as Said;
  const order = boxes.map((_, k) => k).sort((a, b) => (p[b] ?? 0) - (p[a] ?? 0));
  const colours = new Map(labels.map((l, k) => [l.name, colourOf(l, k)]));
  const names = calledBy(labels);
  const nameOf = (k: number) => names.get(boxes[k]!.label) ?? boxes[k]!.label;
  const colour = (k: number) => colours.get(boxes[k]!.label) ?? colourOf({ name: "" }, 0);
  const planned = (label: string) => thresholds?.[label] ?? 0;
  const isCalled = (k: number) => (p[k] ?? 1) >= planned(boxes[k]!.label);
  const outer = parts.outer?.boxes ?? null;
  const isOuter = (k: number) => outer !== null && outer.some((b) => sameBox(b, boxes[k]!));
  const seen = new Set(labels.map((l) => l.name));
  const least = new Map(labels.map((l) => [l.name, planned(l.name)]));
  const also = { uncalled: false, outer: false };
  const wanted = (k: number) =>
    (seen.has(boxes[k]!.label) || !colours.has(boxes[k]!.label)) &&
    ((p[k] ?? 1) >= (least.get(boxes[k]!.label) ?? 0) || also.uncalled || (also.outer && isOuter(k)));
  const rows = new Map(order.map((k) => [k, row(k)]));
  const numbers = new Map(labels.map((l) => [l.name, h("span", { class: "number" })]));
  const place = h("output", {});
  let at = -1; // of those that are shown, the one that was gone to
  const apply = () => {
    const shown = order.filter(wanted);
    for (const [k, made] of rows) made.hidden = !shown.includes(k);
    for (const [label, said] of numbers) said.textContent = counted(label, shown);
    at = -1;
    place.textContent = shown.length ? `${shown.length} shown` : "none shown";
    for (const made of rows.values()) made.querySelector("button")!.setAttribute("aria-pressed", "false");
    drawn(shown);
  };
  /** The surest are drawn last, over the others, and over all the one that was gone to. */
  const drawn = (shown: number[], chosen = -1) =>
    stage.setBoxes(
      [...shown.filter((k) => k !== chosen).reverse(), ...shown.filter((k) => k === chosen)].map((k) => ({
        low: turned(boxes[k]!.low),
        high: turned(boxes[k]!.high),
        text: p[k] === undefined ? nameOf(k) : `${nameOf(k)} ${percent(p[k]!)}`,
        colour: colour(k),
        dashed: !isCalled(k),
        chosen: k === chosen,
      })),
    );
  const left = order.filter((k) => !isCalled(k)).length;
  const calls = order.length - left;
  const there = labels.filter((l) => boxes.some((b) => b.label === l.name) || interval(l.name));
  const found = h(
    "div",
    {},
    h("h2", {}, calls ? "Findings" : "No findings"),
    !calls && left > 0 && h("p", { class: "faint" }, `Nothing is called: ${left === 1 ? "one candidate stays" : `${left} candidates stay`} below the planned ${Object.keys(thresholds ?? {}).length > 1 ? "probabilities" : "probability"}.`),
    there.length > 0 && h("ul", { class: "legend" }, there.map(inLegend)),
    !given.beside && left > 0 && toggle("uncalled", `Also what is not called (${left})`, (on) => (also.uncalled = on)),
    !given.beside && outer !== null && toggle("outer-boxes", `Also the outer boxes (${outer.length})`, (on) => (also.outer = on)),
    !given.beside && order.length > 1 && steps(),
    h("ul", { class: "list" }, [...rows.values()]),
  );
  if (given.current()) apply();
  else for (const [label, said] of numbers) said.textContent = counted(label, order.filter(wanted));
  return found;

  function row(k: number): HTMLElement {
    return h(
      "li",
      { hidden: !wanted(k) },
      h(
        "button",
        { class: isCalled(k) ? "row" : "row uncalled", title: isCalled(k) ? "Go to its middle" : "Go to its middle; it is not called", onclick: () => goTo(k) },
        h("span", { class: "name" }, h("span", { class: isCalled(k) ? "swatch" : "swatch hollow", style: isCalled(k) ? { "background-color": colour(k) } : { "border-color": colour(k) } }), nameOf(k)),
        h("span", { class: "number" }, p[k] === undefined ? "" : percent(p[k]!)),
      ),
    );
  }

  function goTo(k: number): void {
    const { low, high } = boxes[k]!;
    at = order.filter(wanted).indexOf(k);
    for (const [n, made] of rows) made.querySelector("button")!.setAttribute("aria-pressed", String(n === k));
    place.textContent = `${at + 1} of ${order.filter(wanted).length}`;
    drawn(order.filter(wanted), k);
    stage.goTo(turned(low.map((x, n) => Math.floor((x + high[n]! - 1) / 2))));
  }

  /** One after the other, the surest first. */
  function steps(): HTMLElement {
    const step = (by: number) => () => {
      const shown = order.filter(wanted);
      if (!shown.length) return;
      const next = at < 0 ? (by > 0 ? 0 : shown.length - 1) : (at + by + shown.length) % shown.length;
      goTo(shown[next]!);
      rows.get(shown[next]!)!.scrollIntoView({ block: "nearest" });
    };
    return h(
      "div",
      { class: "steps" },
      h("button", { id: "finding-before", title: "The finding before (,)", "aria-label": "The finding before", onclick: step(-1) }, "‹"),
      place,
      h("button", { id: "finding-next", title: "The next finding (.)", "aria-label": "The next finding", onclick: step(1) }, "›"),
    );
  }

  /** A label that was found, with its colour, how many there are, a box that hides them, and from where on they are shown. */
  function inLegend(l: Label, n: number): HTMLElement {
    const name = names.get(l.name) ?? l.name;
    const some = boxes.some((b) => b.label === l.name);
    return h(
      "li",
      {},
      h("label", {}, h("input", { type: "checkbox", checked: true, onchange: (e: Event) => {
        if ((e.target as HTMLInputElement).checked) seen.add(l.name);
        else seen.delete(l.name);
        apply();
      } }), h("span", { class: "swatch", style: { "background-color": colours.get(l.name)! } }), h("span", { class: "name", title: l.name }, name)),
      numbers.get(l.name)!,
      some && p.length > 1 && !given.beside && threshold(l, name, n),
    );
  }

  /** How many of a label are shown, as what is called or of how many, and how many a promise says that there truly are. */
  function counted(label: string, shown: number[]): string {
    const own = shown.filter((k) => boxes[k]!.label === label).length;
    const all = order.filter((k) => boxes[k]!.label === label && isCalled(k)).length;
    const bounds = interval(label);
    const truly = bounds && `${bounds[0] ?? 0} to ${bounds[1] ?? "any number"}`;
    return [own === all || !seen.has(label) ? `${all}` : `${own}, called ${all}`, truly && `(${truly})`].filter(Boolean).join(" ");
  }

  function interval(label: string): [number | null, number | null] | null {
    return parts.counts?.parts?.[label]?.promise?.interval ?? null;
  }

  function threshold(l: Label, name: string, n: number): HTMLElement {
    const plan = planned(l.name);
    const told = thresholds?.[l.name] !== undefined;
    const words = (value: number) => `${percent(value)}${!told ? "" : value === plan ? ", as planned" : `; planned ${percent(plan)}`}`;
    const said = h("output", {}, words(plan));
    const slider = h("input", { type: "range", id: n ? `box-least-${n}` : "box-least", "aria-label": `${name}: shown from a probability of`, min: "0", max: "1", step: "any", value: String(plan), oninput: (e: Event) => {
      const value = (e.target as HTMLInputElement).valueAsNumber;
      least.set(l.name, Math.abs(value - plan) < 0.008 ? plan : value); // what is planned is easily found again
      said.textContent = words(least.get(l.name)!);
      apply();
    }, onkeydown: (e: KeyboardEvent) => {
      if (e.key !== "ArrowLeft" && e.key !== "ArrowRight") return;
      e.preventDefault();
      slider.value = String(Math.min(1, Math.max(0, (least.get(l.name) ?? 0) + (e.key === "ArrowRight" ? 0.01 : -0.01))));
      slider.dispatchEvent(new Event("input"));
    } }) as HTMLInputElement;
    return h("div", { class: "known controls" }, h("label", {}, "At least ", said, slider));
  }

  function toggle(id: string, words: string, set: (on: boolean) => void): HTMLElement {
    return h("label", { class: "outer" }, h("input", { type: "checkbox", id, onchange: (e: Event) => {
      set((e.target as HTMLInputElement).checked);
      apply();
    } }), words);
  }
}
