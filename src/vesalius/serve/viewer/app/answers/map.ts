// Map: a field of numbers over the image, such as what an explanation found; with its scale and how dense it lies.
import { digits, h } from "../dom.ts";
import { extremes } from "../nifti.ts";
import type { Given } from "../kinds.ts";
import type { Stage } from "../stage.ts";
import type { Held } from "../types.ts";

export const ownFile = true;

/** The next map is laid in the place of the last, without a blink between them. */
export async function clear(stage: Stage, again: boolean): Promise<void> {
  if (!again) await stage.setMap(null);
}

export async function panel(answer: Held, given: Given): Promise<HTMLElement> {
  const { quantity } = answer.summary;
  const buffer = await given.file("map.nii.gz");
  const [least, greatest] = buffer ? extremes(buffer) : [0, 1];
  const { low = least, high = greatest } = answer.summary;
  const most = Math.max(-low, high); // the scale of a field with two signs has 0 in its middle
  const lay = (shown: boolean) => given.stage.setMap(shown ? buffer : null, low, high);
  if (buffer && given.current()) await lay(true);
  given.stage.setOpacity("map", 0.5);
  return h(
    "div",
    {},
    h("h2", {}, answer.by === "explain" ? "Explanation" : "Map"),
    h("p", {}, (quantity ?? String(answer.answer.quantity ?? "")).replaceAll("_", " ")),
    h("div", { class: "scale" }, h("span", {}, digits(low < 0 ? -most : low)), h("div", { class: low < 0 ? "ramp signed" : "ramp" }), h("span", {}, digits(low < 0 ? most : high))),
    !given.beside && h(
      "div",
      { class: "controls" },
      h("label", {}, h("input", { type: "checkbox", id: "map-shown", checked: true, onchange: (e: Event) => void lay((e.target as HTMLInputElement).checked) }), "Show it"),
      h("label", {}, "Opacity", h("input", { type: "range", id: "map-opacity", min: "0", max: "1", step: "0.05", value: "0.5", oninput: (e: Event) => given.stage.setOpacity("map", (e.target as HTMLInputElement).valueAsNumber) })),
    ),
  );
}

/** Fields that are parts of an answer, such as where its counts come from: one at a time over the image, or none. */
export async function parts(names: readonly string[], answer: Held, given: Given): Promise<HTMLElement> {
  const files = Object.keys(answer.files).filter((name) => name.endsWith(".map.nii.gz"));
  const fileOf = (name: string) => (files.length === names.length ? files[names.indexOf(name)] : `${name}.map.nii.gz`);
  const lay = async (name: string | null) => {
    const buffer = name === null ? null : await given.file(fileOf(name) ?? "");
    if (!given.current()) return;
    const [low, high] = buffer ? extremes(buffer) : [0, 1];
    await given.stage.setMap(buffer, low, high);
    given.stage.setOpacity("map", 0.5);
  };
  const choice = (name: string | null, words: string) =>
    h("label", {}, h("input", { type: "radio", name: "field-shown", value: name ?? "", checked: name === names[0], onchange: () => void lay(name) }), words);
  await lay(names[0] ?? null);
  return h(
    "div",
    { class: "fields" },
    h("h3", {}, "Over the image"),
    !given.beside && h("div", { class: "controls" }, names.map((name) => choice(name, name.replaceAll("_", " "))), choice(null, "none of them")),
  );
}
