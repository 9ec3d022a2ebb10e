// Mask: the labels over the image, with a legend that shows and hides them, their sizes, and how good each is known to be.
import { called } from "../called.ts";
import { colourOf } from "../colours.ts";
import { digits, h } from "../dom.ts";
import type { Given } from "../kinds.ts";
import { intervalText, measuredOn, valueText } from "../metrics.ts";
import { apart, valuesOf } from "../nifti.ts";
import type { Labelled, Stage } from "../stage.ts";
import { now } from "../store.ts";
import { closeSurfaces, labelSurfaces, surfaceSwitch } from "../surfaces/switch.ts";
import type { Held, Model, Scored } from "../types.ts";

export const ownFile = true;

/** The next mask is laid in the place of the last, without a blink between them. */
export async function clear(stage: Stage, again: boolean): Promise<void> {
  closeSurfaces();
  if (!again) await stage.setMask(null);
}

let laid: { labels: Labelled[]; numbers: HTMLElement[] } = { labels: [], numbers: [] };

/** Another answer of the same labels in the place of the last, with what is hidden and how dense it lies as it was. */
export async function renew(answer: Held, given: Given): Promise<void> {
  const buffer = await given.file("mask.nii.gz");
  if (buffer && given.current()) await given.stage.setMask(buffer, laid.labels, answer.answer.overlapping === true);
  (answer.summary.labels ?? []).forEach((row, k) => laid.numbers[k] && (laid.numbers[k].textContent = extent(row)));
}

export async function panel(answer: Held, given: Given): Promise<HTMLElement> {
  const rows = answer.summary.labels ?? [];
  const names = called(rows);
  const labels: Labelled[] = rows.map((l, k) => ({ value: l.value ?? k + 1, name: names[k]!, colour: colourOf(l, k), shown: true }));
  const buffer = await given.file("mask.nii.gz");
  if (buffer && given.current()) await given.stage.setMask(buffer, labels, answer.answer.overlapping === true);
  const model = given.beside ? null : (now().models.find((m) => m.name === answer.model) ?? null);
  const boxes: HTMLInputElement[] = [];
  const apply = () => {
    boxes.forEach((box, k) => (labels[k]!.shown = box.checked));
    given.stage.setLabels(labels);
    if (!given.beside) labelSurfaces(labels);
  };
  const list = rows.map((row, k) => {
    const box = h("input", { type: "checkbox", checked: true, onchange: apply });
    boxes.push(box);
    return h(
      "li",
      {},
      h("label", { title: row.name }, box, h("span", { class: "swatch", style: { "background-color": labels[k]!.colour } }), h("span", { class: "name" }, names[k])),
      h("span", { class: "number" }, extent(row)),
      known(model, row.name),
    );
  });
  if (!given.beside) laid = { labels, numbers: list.map((li) => li.querySelector<HTMLElement>(".number")!) };
  const all = (on: boolean) => () => {
    for (const box of boxes) box.checked = on;
    apply();
  };
  const measured = model?.measured_on && rows.some((row) => known(model, row.name));
  return h(
    "div",
    {},
    h("div", { class: "head" }, h("h2", {}, "Labels"), h("span", {}, h("button", { class: "plain", onclick: all(true) }, "all"), h("button", { class: "plain", onclick: all(false) }, "none"))),
    h("ul", { class: "legend" }, list),
    measured && h("p", { class: "faint known-of" }, `Dice with its 95 % interval says how good the model was on other images, not on this one. ${measuredOn(model.measured_on!)}`),
    answer.files[OUTER] && !given.beside ? outerSwitch(answer, given, labels) : null,
    given.beside ? null : controls(given),
    given.beside ? null : surfaceSwitch(answer, given, labels),
  );
}

const OUTER = "outer.mask.nii.gz";

/** Shows the outer mask, which a promise is made of, in the place of the mask. */
function outerSwitch(answer: Held, given: Given, labels: Labelled[]): HTMLElement {
  const show = async (e: Event) => {
    const outer = (e.target as HTMLInputElement).checked;
    const buffer = await given.file(outer ? OUTER : "mask.nii.gz");
    const overlapping = outer ? labels.length > 1 || answer.answer.overlapping === true : answer.answer.overlapping === true;
    if (buffer && given.current()) await given.stage.setMask(buffer, labels, overlapping);
  };
  return h("label", { class: "outer" }, h("input", { type: "checkbox", id: "outer", onchange: (e: Event) => void show(e) }), "Outer mask, as promised below");
}

/** How good a model was at a label, on the data of its scorecard; null where that is not known. */
function known(model: Model | null, label: string): HTMLElement | null {
  const figure = model?.measured_on ? model.scorecard?.[`dice/${label}`] : undefined;
  if (typeof figure?.value !== "number") return null;
  const interval = intervalText(figure);
  return h("span", { class: "known faint" }, `Dice ${valueText(figure)}${interval && ` (${interval})`}`);
}

/** Dice of two masks of one image, label by label, told apart by name; both have the image's grid. */
export async function agree(one: Held, other: Held, bytes: (answer: Held, name: string) => Promise<ArrayBuffer | null>): Promise<HTMLElement | null> {
  const [a, b] = await Promise.all([one, other].map((answer) => bytes(answer, "mask.nii.gz")));
  const [left, right] = [a && placesOf(a, one), b && placesOf(b, other)];
  if (!left || !right) return null;
  const names = [...left.keys()].filter((name) => right.has(name));
  const only = [...left.keys(), ...right.keys()].filter((name) => !left.has(name) || !right.has(name));
  if (!names.length) return h("p", { class: "warn" }, "No label of the one is a label of the other: they are not compared.");
  const shown = called(names.map((name) => ({ name })));
  return h(
    "div",
    { class: "agreement" },
    h("h3", {}, "Dice of the two, on this image"),
    h("ul", { class: "legend" }, names.map((name, k) => h("li", {}, h("span", { class: "name" }, shown[k]), h("span", { class: "number" }, dice(left.get(name)!, right.get(name)!))))),
    only.length > 0 && h("p", { class: "faint" }, `In one alone: ${called(only.map((name) => ({ name }))).join(", ")}.`),
  );
}

/** Where a label is: at the voxels of a value, or where there is one, at all that are not 0 (null). */
type Where = [values: ArrayLike<number>, value: number | null];

/** Where each label is, by its own name; null where two labels have one name. */
function placesOf(buffer: ArrayBuffer, answer: Held): Map<string, Where> | null {
  const rows = answer.summary.labels ?? [];
  if (new Set(rows.map((row) => row.name)).size < rows.length) return null;
  const parts = answer.answer.overlapping === true ? apart(buffer).map(valuesOf) : null;
  const values = parts ? null : valuesOf(buffer);
  const found = new Map<string, Where>();
  rows.forEach((row, k) => {
    const from = parts ? parts[k] : values;
    if (from) found.set(row.name, [from, parts ? null : (row.value ?? k + 1)]);
  });
  return found;
}

function dice([a, one]: Where, [b, other]: Where): string {
  if (a.length !== b.length) return "on other grids";
  let [both, all] = [0, 0];
  for (let k = 0; k < a.length; k++) {
    const here = one === null ? a[k] !== 0 : a[k] === one;
    const there = other === null ? b[k] !== 0 : b[k] === other;
    if (here && there) both += 2;
    if (here) all++;
    if (there) all++;
  }
  return all ? digits(both / all) : "in neither";
}

function controls({ stage }: Given): HTMLElement {
  const slider = h("input", { type: "range", id: "mask-opacity", min: "0", max: "1", step: "0.05", value: "0.5", oninput: (e: Event) => stage.setOpacity("mask", (e.target as HTMLInputElement).valueAsNumber) });
  const words = h("span", {}, "Opacity");
  const outline = (on: boolean) => {
    slider.disabled = on; // outlines are always drawn in full
    words.textContent = on ? "Opacity (filled)" : "Opacity";
    stage.setOutline(on);
  };
  stage.setOpacity("mask", 0.5);
  stage.setOutline(false);
  void stage.setBody(false);
  return h(
    "div",
    { class: "controls" },
    h("label", {}, words, slider),
    h("label", {}, h("input", { type: "checkbox", id: "outline", onchange: (e: Event) => outline((e.target as HTMLInputElement).checked) }), "Outlines"),
    h("label", { class: "solid-only" }, h("input", { type: "checkbox", id: "body", onchange: (e: Event) => void stage.setBody((e.target as HTMLInputElement).checked) }), "Image in 3-D"),
  );
}

/** A size with one decimal, or two digits where that would be next to nothing. */
const size = (x: number): string => (x >= 1 ? x.toFixed(1) : digits(x, 2));

function extent(row: Scored): string {
  if (row.volume_ml !== null && row.volume_ml !== undefined) return row.volume_ml > 0 ? `${size(row.volume_ml)} ml` : "none";
  if (row.area_mm2 !== null && row.area_mm2 !== undefined) return row.area_mm2 > 0 ? `${size(row.area_mm2)} mm²` : "none";
  if (row.pixels !== null && row.pixels !== undefined) return row.pixels > 0 ? `${row.pixels.toLocaleString("en")} px` : "none";
  return "";
}
