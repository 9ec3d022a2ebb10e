// A reading on the page: labels, boxes and facts of one case, from what the service keeps and back again.
import * as api from "../api.ts";
import { fromRuns, runsOf } from "../draw/files.ts";
import type { Grid } from "../draw/plane.ts";
import type { DrawnLabel } from "../draw/table.ts";
import { Work, type DrawnBox } from "../draw/work.ts";
import { colourOf } from "../colours.ts";
import { head, valuesOf } from "../nifti.ts";
import type { Triple } from "../tiles.ts";
import type { Entry, Facts } from "./journal.ts";
import type { Ask, Content, Project, Reading } from "./service.ts";

/** The classes of one thing that is asked for. */
export function labelsOf(project: Project, ask: Ask): DrawnLabel[] {
  return (project.asks.find((a) => a.kind === ask)?.labels ?? []).map((l, k) => ({ value: l.value ?? k + 1, name: l.name, colour: colourOf(l, k) }));
}

export const asksFor = (project: Project, ask: Ask): boolean => project.asks.some((a) => a.kind === ask);

export const NOTHING: Facts = { class: null, classes: null, note: "", start: { kind: "nothing" } };

export const factsOf = (reading: Reading | null): Facts =>
  reading ? { class: reading.content?.class ?? null, classes: reading.content?.classes ?? null, note: reading.note, start: reading.start } : NOTHING;

/** What is drawn in a reading; an error where it is not of this image. */
export async function workOf(reading: Reading | null, grid: Grid, project: Project): Promise<Work> {
  const [x, y, z] = grid.size;
  const boxes = labelsOf(project, "boxes");
  const drawn = (reading?.content?.boxes ?? []).map((b): DrawnBox => ({ low: turned(b.low), high: turned(b.high), value: boxes.find((l) => l.name === b.label)?.value ?? 0 }));
  const mask = reading?.content?.mask;
  if (mask) {
    if (mask.shape[0] !== z || mask.shape[1] !== y || mask.shape[2] !== x) throw new api.Failure({ error: "the saved mask is not of this image", found: `${mask.shape.join(" × ")} voxels for an image of ${z} × ${y} × ${x}` }, 422);
    return new Work(grid, fromRuns(mask.runs, x * y * z), drawn);
  }
  return new Work(grid, reading?.mask ? await fileLabels(reading.mask, grid) : null, drawn);
}

/** The labels of a NIfTI on the image's grid. */
export async function fileLabels(path: string, grid: Grid): Promise<Uint8Array> {
  const bytes = await api.bytes(path);
  const dims = head(bytes)?.dims.slice(1, 4).map((d) => Math.max(1, d));
  const values = valuesOf(bytes);
  if (!values || dims?.some((d, k) => d !== grid.size[k])) throw new api.Failure({ error: "a mask is not on this image's grid", found: dims?.join(" × ") ?? "no NIfTI" }, 422);
  return Uint8Array.from(values as ArrayLike<number>);
}

/** What the steps of a draft make of what was saved before them. */
export function replay(entries: readonly Entry[], work: Work, facts: Facts): { facts: Facts; seconds: number } {
  let [now, seconds] = [facts, 0];
  for (const entry of entries) {
    if (entry.at && entry.after) work.apply({ name: "", patch: { at: entry.at, before: entry.after, after: entry.after }, boxes: null }, false);
    if (entry.boxes) work.apply({ name: "", patch: null, boxes: { before: [], after: entry.boxes } }, false);
    if (entry.facts) now = entry.facts;
    seconds = entry.seconds;
  }
  return { facts: now, seconds };
}

/** What is saved: only what the project asks for. */
export function contentOf(project: Project, work: Work, facts: Facts): Content {
  const [x, y, z] = work.grid.size;
  const boxes = labelsOf(project, "boxes");
  return {
    ...(asksFor(project, "class") && facts.class !== null ? { class: facts.class } : {}),
    ...(asksFor(project, "classes") && facts.classes !== null ? { classes: facts.classes } : {}),
    ...(asksFor(project, "boxes") ? { boxes: work.boxes.map((b) => ({ low: turned(b.low), high: turned(b.high), label: boxes.find((l) => l.value === b.value)?.name ?? "" })) } : {}),
    ...(asksFor(project, "mask") ? { mask: { shape: [z, y, x], runs: runsOf(work.settled) } } : {}),
  };
}

/** Whether two contents say the same. */
export function sameContent(one: Content, other: Content): boolean {
  const said = ({ class: c, classes, boxes, mask }: Content) =>
    JSON.stringify([c ?? null, classes ? [...classes].sort() : null, boxes?.map((b) => [b.label, ...b.low, ...b.high]) ?? null, mask?.shape ?? null, mask?.runs ?? null]);
  return said(one) === said(other);
}

/** Axes in the other order: the file's columns, rows and slices, and the service's slices, rows and columns. */
export const turned = (at: readonly number[]): Triple => [at[2]!, at[1]!, at[0]!];

/** The Dice of each class in two drawings of one image; null where neither has it. */
export function dice(one: Uint8Array, other: Uint8Array, labels: readonly DrawnLabel[]): (number | null)[] {
  const [both, all] = [new Float64Array(256), new Float64Array(256)];
  for (let k = 0; k < one.length; k++) {
    const [a, b] = [one[k]!, other[k]!];
    all[a]! += 1;
    all[b]! += 1;
    if (a === b) both[a]! += 2;
  }
  return labels.map((l) => (all[l.value] ? both[l.value]! / all[l.value]! : null));
}
