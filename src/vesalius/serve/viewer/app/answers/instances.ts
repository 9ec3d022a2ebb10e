// Instances: each thing over the image, coloured by its label or by turns, and listed; a click goes to one.
import { called } from "../called.ts";
import { colourOf } from "../colours.ts";
import { digits, h } from "../dom.ts";
import type { Given } from "../kinds.ts";
import type { Labelled, Stage } from "../stage.ts";
import { now } from "../store.ts";
import type { Held, Scored } from "../types.ts";

/** One thing, as the service sums it up; `at` is a voxel of it, `(z, y, x)`. */
interface Thing extends Scored {
  id: number;
  label: string;
  p: number;
  called: boolean;
  at: [number, number, number];
}

const FIRST = 100; // things that are listed before somebody asks for more
const FILE = "instances.nii.gz";

export const ownFile = true;

export async function clear(stage: Stage, again: boolean): Promise<void> {
  if (!again) await stage.setMask(null);
}

const percent = (p: number): string => `${(100 * p).toFixed(1)} %`;

export async function panel(answer: Held, given: Given): Promise<HTMLElement> {
  const { stage } = given;
  const rows = (answer.summary.labels ?? []) as (Scored & { things?: number })[];
  const { things = [], all = 0 } = answer.summary as unknown as { things?: Thing[]; all?: number };
  const names = called(rows);
  const place = new Map(rows.map((row, k) => [row.name, k]));
  const palette = now().models[0]?.palette ?? ["#808080"];
  let [turns, unsure, most] = [false, false, FIRST];
  const seen = new Set(rows.map((row) => row.name));
  const colour = (thing: Thing, k: number): string => (turns ? palette[k % palette.length]! : colourOf(rows[place.get(thing.label) ?? 0] ?? { name: "" }, place.get(thing.label) ?? 0));
  const nameOf = (thing: Thing): string => names[place.get(thing.label) ?? -1] ?? thing.label;
  const wanted = (thing: Thing): boolean => seen.has(thing.label) && (unsure || thing.called);
  const labelled = (): Labelled[] => things.map((thing, k) => ({ value: thing.id, name: `${nameOf(thing)} ${thing.id}`, colour: colour(thing, k), shown: wanted(thing) }));
  const buffer = await given.file(FILE);
  if (buffer && given.current()) {
    await stage.setMask(buffer, labelled());
    if (!given.beside) {
      stage.setOpacity("mask", 0.5);
      stage.setOutline(true);
    }
  }
  const list = h("ul", { class: "list" });
  const apply = (): void => {
    stage.setLabels(labelled());
    fillList();
  };
  fillList();
  const hidden = things.filter((thing) => !thing.called).length;
  return h(
    "div",
    {},
    h("h2", {}, things.some((thing) => thing.called) ? "Instances" : "No instances"),
    h("ul", { class: "legend" }, rows.map((row, k) => legend(row, k))),
    given.beside
      ? null
      : h(
          "div",
          { class: "controls" },
          tick("instance-outline", "Outlines", true, (on) => stage.setOutline(on)),
          tick("instance-turns", "A colour each", false, (on) => {
            turns = on;
            apply();
          }),
          hidden > 0 &&
            tick("instance-unsure", `Also ${hidden} that ${hidden === 1 ? "is" : "are"} too unsure to be called`, false, (on) => {
              unsure = on;
              apply();
            }),
        ),
    all > things.length && h("p", { class: "warn" }, `The surest ${things.length} of ${all} are listed and drawn; the files have all.`),
    list,
  );

  function tick(id: string, text: string, on: boolean, set: (on: boolean) => void): HTMLElement {
    return h("label", {}, h("input", { type: "checkbox", id, checked: on, onchange: (e: Event) => set((e.target as HTMLInputElement).checked) }), text);
  }

  function legend(row: Scored & { things?: number }, k: number): HTMLElement {
    const box = h("input", {
      type: "checkbox",
      checked: true,
      onchange: (e: Event) => {
        if ((e.target as HTMLInputElement).checked) seen.add(row.name);
        else seen.delete(row.name);
        apply();
      },
    });
    return h(
      "li",
      {},
      h("label", { title: row.name }, box, h("span", { class: "swatch", style: { "background-color": colourOf(row, k) } }), h("span", { class: "name" }, names[k])),
      h("span", { class: "number" }, row.things ? `${row.things} · ${extent(row, row.things)} each` : "none"),
    );
  }

  function fillList(): void {
    const shown = things.map((thing, k) => [thing, k] as const).filter(([thing]) => wanted(thing));
    const more = shown.length - most;
    list.replaceChildren(
      ...shown.slice(0, most).map(([thing, k]) =>
        h(
          "li",
          {},
          h(
            "button",
            { class: "row", title: `${extent(thing, 1)}; go to its middle`, onclick: () => stage.goTo([thing.at[2], thing.at[1], thing.at[0]]) },
            h("span", { class: "name" }, h("span", { class: "swatch", style: { "background-color": colour(thing, k) } }), `${nameOf(thing)} ${thing.id}`),
            h("span", { class: "number" }, percent(thing.p)),
          ),
        ),
      ),
      ...(more > 0
        ? [
            h(
              "li",
              {},
              h(
                "button",
                {
                  class: "plain",
                  onclick: () => {
                    most += FIRST;
                    fillList();
                  },
                },
                `${Math.min(more, FIRST)} more of ${more}`,
              ),
            ),
          ]
        : []),
    );
  }
}

/** The size of one of so many things. */
function extent(row: Scored, many: number): string {
  const size = (x: number): string => (x >= 1 ? x.toFixed(1) : digits(x, 2));
  if (row.volume_ml !== null && row.volume_ml !== undefined) return `${size(row.volume_ml / many)} ml`;
  if (row.area_mm2 !== null && row.area_mm2 !== undefined) return `${size(row.area_mm2 / many)} mm²`;
  return `${Math.round((row.pixels ?? 0) / many).toLocaleString("en")} px`;
}
