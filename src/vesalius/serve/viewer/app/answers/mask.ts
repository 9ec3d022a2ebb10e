// Mask: the labels over the image, with a legend that shows and hides them, their volumes, and how dense they lie.
import { colourOf } from "../colours.ts";
import { digits, h } from "../dom.ts";
import type { Given } from "../kinds.ts";
import type { Labelled, Stage } from "../stage.ts";
import type { Held, Scored } from "../types.ts";

export const ownFile = true;

/** The next mask is laid in the place of the last, without a blink between them. */
export async function clear(stage: Stage, again: boolean): Promise<void> {
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
  const labels: Labelled[] = rows.map((l, k) => ({ value: l.value ?? k + 1, name: l.name, colour: colourOf(l, k), shown: true }));
  const buffer = await given.file("mask.nii.gz");
  if (buffer && given.current()) await given.stage.setMask(buffer, labels, answer.answer.overlapping === true);
  const boxes: HTMLInputElement[] = [];
  const apply = () => {
    boxes.forEach((box, k) => (labels[k]!.shown = box.checked));
    given.stage.setLabels(labels);
  };
  const list = rows.map((row, k) => {
    const box = h("input", { type: "checkbox", checked: true, onchange: apply });
    boxes.push(box);
    return h(
      "li",
      {},
      h("label", {}, box, h("span", { class: "swatch", style: { "background-color": labels[k]!.colour } }), h("span", { class: "name" }, row.name)),
      h("span", { class: "number" }, extent(row)),
    );
  });
  laid = { labels, numbers: list.map((li) => li.querySelector<HTMLElement>(".number")!) };
  const all = (on: boolean) => () => {
    for (const box of boxes) box.checked = on;
    apply();
  };
  return h(
    "div",
    {},
    h("div", { class: "head" }, h("h2", {}, "Labels"), h("span", {}, h("button", { class: "plain", onclick: all(true) }, "all"), h("button", { class: "plain", onclick: all(false) }, "none"))),
    h("ul", { class: "legend" }, list),
    opacity(given),
  );
}

function opacity({ stage }: Given): HTMLElement {
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

function extent(row: Scored): string {
  if (row.volume_ml !== null && row.volume_ml !== undefined) return row.volume_ml > 0 ? `${digits(row.volume_ml)} ml` : "none";
  if (row.area_mm2 !== null && row.area_mm2 !== undefined) return row.area_mm2 > 0 ? `${digits(row.area_mm2)} mm²` : "none";
  if (row.pixels !== null && row.pixels !== undefined) return row.pixels > 0 ? `${row.pixels.toLocaleString("en")} px` : "none";
  return "";
}
