// A start for a reading: a served model's answer to the case, or another reading where one decides between several.
import * as api from "../api.ts";
import type { Work } from "../draw/work.ts";
import { now } from "../store.ts";
import type { Model } from "../types.ts";
import type { Desk } from "./desk.ts";
import type { Facts } from "./journal.ts";
import { asksFor, fileLabels, labelsOf, turned } from "./reading.ts";
import type { Project, Reading } from "./service.ts";

/** What kinds of answers can be a start for what a project asks. */
const MAKES: Record<string, "mask" | "boxes" | "class"> = { Mask: "mask", Boxes: "boxes", Scores: "class" };

/** The models whose answers have a class of the project. */
export function modelsFor(project: Project): Model[] {
  return now().models.filter((m) => {
    const makes = MAKES[m.answer];
    return makes !== undefined && asksFor(project, makes) && m.labels.some((l) => classes(project, makes).has(l.name));
  });
}

const classes = (project: Project, makes: "mask" | "boxes" | "class"): Set<string> => new Set((project.asks.find((a) => a.kind === makes)?.labels ?? []).map((l) => l.name));

/** Ask a model about the open case and begin from its answer; returns what of it could not be taken, in words. */
export async function fromModel(desk: Desk, model: Model, told: (part: number) => void): Promise<string> {
  const { opened, project, own } = desk;
  if (!opened || !project || !own) return "";
  const started = await api.start({ model: model.name, study: opened.study, case: opened.image, kind: "predict" });
  const ended = await api.follow(started.job, (job) => told(job.progress));
  const answer = ended.answers[0];
  if (ended.status !== "done" || !answer) throw new api.Failure(ended.error ?? { error: "the model gave no answer" }, 500);
  if (desk.opened !== opened) return "";
  const start = { kind: "model" as const, name: model.name, bundle: model.hash };
  const makes = MAKES[answer.kind];
  const others = (names: Iterable<string>, known: Set<string>) => {
    const unknown = [...new Set(names)].filter((n) => !known.has(n));
    return unknown.length ? `Not a class of this project, and left out: ${unknown.join(", ")}.` : "";
  };
  if (answer.summary.withheld) throw new api.Failure({ error: "the model withholds its answer", found: answer.summary.withheld }, 422);
  if (makes === "mask" && answer.files["mask.nii.gz"]) {
    if (answer.answer.overlapping === true) throw new api.Failure({ error: "the model's labels overlap, which a drawing of one class a voxel cannot hold" }, 422);
    const values = await fileLabels(answer.files["mask.nii.gz"], own.grid);
    const known = labelsOf(project, "mask");
    const table = new Uint8Array(256);
    const rows = answer.summary.labels ?? [];
    rows.forEach((row, k) => (table[row.value ?? k + 1] = known.find((l) => l.name === row.name)?.value ?? 0));
    if (desk.opened !== opened) return "";
    desk.begin(start, values.map((v) => table[v]!), null);
    return others(rows.map((r) => r.name), classes(project, "mask"));
  }
  if (makes === "boxes") {
    const said = answer.answer as { boxes?: { low: number[]; high: number[]; label: string }[]; p?: number[]; thresholds?: Record<string, number> | null };
    const called = (said.boxes ?? []).filter((b, k) => (said.p?.[k] ?? 1) >= (said.thresholds?.[b.label] ?? 0));
    const known = labelsOf(project, "boxes");
    const boxes = called.flatMap((b) => {
      const value = known.find((l) => l.name === b.label)?.value;
      return value === undefined ? [] : [{ low: inside(turned(b.low), own, 0), high: inside(turned(b.high), own, 1), value }];
    });
    desk.begin(start, null, boxes.filter((b) => b.low.every((v, k) => v < b.high[k]!)));
    return others(called.map((b) => b.label), classes(project, "boxes"));
  }
  const rows = answer.summary.labels ?? [];
  const known = classes(project, "class");
  const best = rows.filter((r) => r.p !== undefined).sort((a, b) => b.p! - a.p!)[0];
  if (!best || !known.has(best.name)) throw new api.Failure({ error: "the model's answer is no class of this project", found: best?.name }, 422);
  desk.begin(start, null, null, { class: best.name });
  return "";
}

/** A corner of a box, in whole voxels of the image. */
const inside = (at: [number, number, number], { grid }: Work, side: 0 | 1): [number, number, number] =>
  at.map((v, k) => Math.min(grid.size[k]!, Math.max(0, side ? Math.ceil(v - 1e-6) : Math.floor(v + 1e-6)))) as [number, number, number];

/** Begin from another annotator's reading. */
export async function fromReading(desk: Desk, reading: Reading): Promise<void> {
  const work = await desk.drawnIn(reading);
  if (!work) return;
  const said: Partial<Facts> = { class: reading.content?.class ?? null, classes: reading.content?.classes ?? null };
  desk.begin({ kind: "reading", name: reading.annotator }, work.labels, work.boxes, said);
}
