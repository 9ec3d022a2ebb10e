// Explanations of one answer: a method at a time over the image, switched by its name; one that does not hold says why instead.
import * as api from "./api.ts";
import { digits, fill, h } from "./dom.ts";
import { section, type Drawn, type Given } from "./kinds.ts";
import { guarded } from "./say.ts";
import type { Held } from "./types.ts";

const FIGURES: [string, string][] = [
  ["gain", "gain"],
  ["gain_by_chance", "by chance"],
  ["gain_of_the_middle", "of the middle"],
  ["same_without_learning", "same without learning"],
];
const PAGE = "explanation.html";
let last = "";

/** Which explanation is to be seen once it is there: the first of those that are asked for. */
export function seeNext(explainer: string, ask: string | null): void {
  last = named(explainer, ask);
}

const named = (explainer?: string | null, ask?: string | null): string => `${explainer ?? ""}${ask ? `, ${ask.replace(/^label=/, "")}` : ""}`;

interface Shown {
  given: (answer: Held) => Given;
  drawn: Drawn;
  below: (answer: Held) => HTMLElement;
}

/** A panel for all explanations of a case: a button for each, and below them the one that is chosen. */
export async function explanations(held: Held[], shown: Shown): Promise<HTMLElement> {
  const body = h("div", { class: "explained" });
  const name = (a: Held) => named(a.explainer, a.ask);
  let current = held.find((a) => name(a) === last) ?? held.find((a) => !a.withheld) ?? held[0]!;
  let turn = 0;
  const show = async (chosen: Held) => {
    const mine = ++turn;
    current = chosen;
    last = name(chosen);
    const base = shown.given(chosen);
    const given = { ...base, current: () => mine === turn && base.current() }; // a map that comes late is not laid over the next
    const made = chosen.withheld ? notShown(chosen) : [...(await section(chosen, given, shown.drawn)), figures(chosen), shown.below(chosen)];
    if (chosen.withheld) await base.stage.setMap(null);
    if (mine === turn) fill(body, made);
  };
  const buttons = held.map((a) =>
    h("label", { class: a.withheld ? "withheld" : null }, h("input", { type: "radio", name: "explained", value: name(a), checked: a === current, onchange: guarded(() => show(a)) }), name(a), a.withheld && h("span", { class: "tag" }, "not shown")),
  );
  await show(current);
  return h("section", { class: "answer", "data-kind": "Map" }, h("fieldset", { class: "methods", id: "explained" }, h("legend", {}, "Explanations"), buttons), body);
}

function notShown(answer: Held): HTMLElement[] {
  return [h("h2", {}, "No map is shown"), h("p", { class: "warn", id: "withheld" }, answer.withheld ?? "")];
}

/** How far the map can be believed, and its whole page. */
function figures(answer: Held): HTMLElement {
  const known = answer.summary.figures ?? {};
  const rows = FIGURES.filter(([key]) => key in known);
  const beside = Object.entries(answer.summary.beside ?? {});
  const path = answer.files[PAGE];
  return h(
    "div",
    {},
    rows.length > 0 && h("dl", { class: "believed" }, rows.flatMap(([key, words]) => [h("dt", {}, words), h("dd", { class: "number" }, digits(known[key]!))])),
    rows.length > 0 && h("p", { class: "faint" }, "Gain: how much sooner the answer comes and goes in the map's order. 0 says nothing."),
    beside.length > 0 && h("h3", {}, "Beside the image"),
    beside.length > 0 && h("dl", {}, beside.flatMap(([key, x]) => [h("dt", {}, key), h("dd", { class: "number" }, digits(x))])),
    path && api.keyInUse() === null && h("p", {}, h("a", { href: path, target: "_blank", rel: "noopener" }, "Its page, with all figures")),
  );
}
