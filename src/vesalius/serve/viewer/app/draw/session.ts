// Drawing on the open image: the tool that is taken up, the class that is drawn, and the layer on the stage; it knows no project.
import { byId } from "../dom.ts";
import { meantValues } from "../nifti.ts";
import { note } from "../say.ts";
import type { Stage } from "../stage.ts";
import type { Axis, Triple } from "../tiles.ts";
import { fillBetween } from "./between.ts";
import { Layer, type Manner } from "./layer.ts";
import { putShape, shapeIn } from "./paint.ts";
import type { Plane } from "./plane.ts";
import { Surface } from "./surface.ts";
import { TOOLS, type DrawnLabel, type Drawing, type DrawTool, type Settings } from "./table.ts";
import { boxMarks } from "./tools/box.ts";
import type { Step, Work } from "./work.ts";

/** What is drawn in: the work, its classes, and which tools make what is asked for. */
export interface Opened {
  work: Work;
  labels: { mask: readonly DrawnLabel[]; boxes: readonly DrawnLabel[] };
  makes: readonly DrawTool["makes"][];
  /** Whether nothing may be changed: it is only looked at. */
  locked: boolean;
}

export class Session {
  /** Another tool, class, image or manner: the panel is to be filled anew. */
  onpanel: () => void = () => {};
  /** Something was drawn, or taken back. */
  onstep: (step: Step, back: boolean) => void = () => {};
  /** What was just drawn is a model's proposal. */
  onproposed: Drawing["proposed"] = () => {};
  readonly settings: Settings = { diameter: 10, ball: false, emptyOnly: false, range: null };
  readonly manner: Manner & { hidden: Set<number> } = { opacity: 0.5, outline: false, hidden: new Set() };

  private held: Opened | null = null;
  private taken: DrawTool | null = null;
  private values: ArrayLike<number> | null | undefined;
  private values_: Record<"mask" | "boxes", number | null> = { mask: null, boxes: null };
  private lastPlane: Plane | null = null;
  private layer: Layer;
  private surface: Surface;

  constructor(readonly stage: Stage) {
    const canvas = byId<HTMLCanvasElement>("draw");
    this.layer = new Layer(canvas, () => (this.held ? { work: this.held.work, labels: this.allLabels, manner: this.manner, planes: stage.seen, marks: (pen, plane) => this.marks(pen, plane) } : null));
    this.surface = new Surface(canvas.parentElement!, byId<HTMLCanvasElement>("planes"), {
      planes: () => (this.held ? stage.seen : []),
      tool: () => (this.taken && this.drawing ? { tool: this.taken, drawing: this.drawing } : null),
      zoom: (by, plane, from, to) => stage.zoom(by, plane, from, to),
      pointed: (plane) => (this.lastPlane = plane),
    });
    stage.ondrawn = () => this.layer.draw();
  }

  get open(): Opened | null {
    return this.held;
  }

  get tool(): DrawTool | null {
    return this.taken;
  }

  /** The tools for what is asked for. */
  get tools(): readonly DrawTool[] {
    return this.held && !this.held.locked ? TOOLS.filter((t) => this.held!.makes.includes(t.makes) && (t.offered?.() ?? true)) : [];
  }

  /** What the chosen tool makes, or the first thing that is asked for. */
  get making(): DrawTool["makes"] {
    return this.taken?.makes ?? this.held?.makes[0] ?? "mask";
  }

  /** The classes of what is being made. */
  get labels(): readonly DrawnLabel[] {
    return this.held?.labels[this.making] ?? [];
  }

  get label(): DrawnLabel | null {
    return this.labels.find((l) => l.value === this.values_[this.making]) ?? this.labels[0] ?? null;
  }

  /** Draw in this image; null to draw no more. */
  begin(opened: Opened | null): void {
    this.leave();
    this.held = opened;
    this.values = undefined;
    this.lastPlane = null;
    this.layer.forget();
    this.manner.hidden.clear();
    if (opened) {
      opened.work.onchange = () => this.layer.request();
      opened.work.onstep = (step, back) => {
        this.onstep(step, back);
        this.layer.request();
      };
    }
    const wanted = this.taken && this.tools.includes(this.taken) ? this.taken : (this.tools[0] ?? null);
    this.take(wanted);
    document.body.classList.toggle("draws", opened !== null);
    this.layer.request();
  }

  /** Take up a tool; null gives the button back to the stage's own. */
  take(tool: DrawTool | null): void {
    if (tool !== this.taken) this.leave();
    this.taken = tool;
    byId("planes").style.cursor = "";
    this.onpanel();
    this.layer.request();
  }

  /** What is half drawn becomes a step, or goes. */
  leave(): void {
    const { drawing } = this;
    if (this.taken && drawing) this.taken.leave?.(drawing);
  }

  choose(value: number): void {
    if (!this.labels.some((l) => l.value === value)) return;
    this.values_[this.making] = value;
    this.onpanel();
    this.layer.request();
  }

  /** The class with this number on its key, from 1. */
  chooseNth(n: number): void {
    const label = this.labels[n - 1];
    if (label) this.choose(label.value);
  }

  resize(factor: number): void {
    const size = this.settings.diameter * factor;
    this.settings.diameter = Number(Math.min(400, Math.max(0.1, size)).toPrecision(2));
    this.onpanel();
    this.layer.request();
  }

  /** Labels denser, clearer, as outlines, hidden. */
  show(change: Partial<Manner>): void {
    Object.assign(this.manner, change);
    this.layer.request();
    this.onpanel();
  }

  /** All that is drawn shown or hidden. */
  toggleShown(): void {
    const all = [...new Set([...(this.held?.labels.mask ?? []), ...(this.held?.labels.boxes ?? [])].map((l) => l.value))];
    const shown = all.some((v) => !this.manner.hidden.has(v));
    this.manner.hidden.clear();
    if (shown) for (const v of all) this.manner.hidden.add(v);
    this.layer.request();
    this.onpanel();
  }

  hide(value: number, hidden: boolean): void {
    if (hidden) this.manner.hidden.add(value);
    else this.manner.hidden.delete(value);
    this.layer.request();
    this.onpanel();
  }

  undo(): void {
    if (this.surface.cancel() || this.ofTool("undo")) return;
    const step = this.held && !this.held.locked ? this.held.work.undo() : null;
    if (step) this.goToStep(step);
  }

  redo(): void {
    if (this.ofTool("redo")) return;
    const step = this.held && !this.held.locked ? this.held.work.redo() : null;
    if (step) this.goToStep(step);
  }

  get canUndo(): boolean {
    return this.held?.work.canUndo || (this.taken?.steps?.().undo ?? false);
  }

  get canRedo(): boolean {
    return this.held?.work.canRedo || (this.taken?.steps?.().redo ?? false);
  }

  /** Take a step of the tool's own back, or make it again; whether there was one. */
  private ofTool(which: "undo" | "redo"): boolean {
    const { drawing } = this;
    return drawing !== null && (this.taken?.[which]?.(drawing) ?? false);
  }

  /** Whether one draws at this moment. */
  get busy(): boolean {
    return this.surface.busy;
  }

  /** Whether something is half done that no step holds yet. */
  get pending(): boolean {
    return this.taken?.pending?.() ?? false;
  }

  /** Give up what is half drawn. */
  cancel(): boolean {
    return this.surface.cancel();
  }

  /** The slices between those that are drawn get the shapes between. */
  fillBetween(): void {
    const { held, label } = this;
    const plane = this.plane();
    if (!held || held.locked || !label || !plane || this.making !== "mask") return;
    this.leave();
    held.work.begin("Filled between slices");
    const count = fillBetween(held.work, plane.axis, { value: label.value, over: 0, between: null });
    held.work.end();
    note(count ? `${label.name}: ${count} ${count === 1 ? "slice" : "slices"} filled (${plane.tile.name}).` : `${label.name} is drawn on no two ${plane.tile.name} slices with a gap between them.`);
  }

  /** The chosen class of this slice is drawn on the next one (or the one before), and that is gone to. */
  copy(by: 1 | -1): void {
    const { held, label } = this;
    const plane = this.plane();
    if (!held || held.locked || !label || !plane || this.making !== "mask") return;
    this.leave();
    const { work } = held;
    const to = plane.slice + by;
    if (to < 0 || to >= work.grid.size[plane.axis]) return note("There is no slice beyond this one.");
    const shape = shapeIn(work.labels, work.grid, plane, label.value);
    if (!shape.includes(1)) return note(`${label.name} is not drawn on this ${plane.tile.name} slice.`);
    work.begin("Copied to the next slice");
    putShape(work, { axis: plane.axis, slice: to }, shape, { value: label.value, over: 0, between: null });
    work.end();
    this.goTo(plane.axis, to);
  }

  redraw(): void {
    this.layer.request();
  }

  /** Classes were renamed, or have other colours. */
  relabel(labels: Opened["labels"]): void {
    if (!this.held) return;
    this.held = { ...this.held, labels };
    this.layer.request();
    this.onpanel();
  }

  /** The plane that was pointed at last, as it is seen now. */
  plane(): Plane | null {
    const planes = this.stage.seen;
    return planes.find((p) => p.axis === this.lastPlane?.axis) ?? planes[0] ?? null;
  }

  get drawing(): Drawing | null {
    const { held } = this;
    if (!held || held.locked) return null;
    const session = this;
    return {
      work: held.work,
      labels: this.allLabels,
      label: this.label,
      get values() {
        return session.imageValues();
      },
      settings: this.settings,
      redraw: () => this.layer.request(),
      panel: () => this.onpanel(),
      proposed: (by) => this.onproposed(by),
      say: (text) => text && note(text),
    };
  }

  private imageValues(): ArrayLike<number> | null {
    if (this.values === undefined) this.values = this.stage.file ? meantValues(this.stage.file.bytes) : null;
    return this.values;
  }

  private get allLabels(): readonly DrawnLabel[] {
    return this.held ? (this.held.makes.includes("mask") ? this.held.labels.mask : this.held.labels.boxes) : [];
  }

  private marks(pen: CanvasRenderingContext2D, plane: Plane): void {
    const { held } = this;
    if (!held) return;
    const drawing = this.drawing ?? { work: held.work, labels: this.allLabels, label: null, values: null, settings: this.settings, redraw: () => {}, panel: () => {}, proposed: () => {}, say: () => {} };
    boxMarks(pen, plane, { ...drawing, labels: held.labels.boxes }, this.manner.hidden);
    this.taken?.marks?.(pen, plane, drawing);
  }

  /** Go to where a step was made, unless that is seen. */
  private goToStep(step: Step): void {
    const { held } = this;
    if (!held) return;
    const box = step.boxes && step.boxes.after.concat(step.boxes.before).find((b) => !(step.boxes!.after.includes(b) && step.boxes!.before.includes(b)));
    const extent = step.patch ? held.work.extentOf(step.patch.at) : box ? { low: box.low, high: box.high } : null;
    if (!extent || this.stage.seen.some((p) => p.slice >= extent.low[p.axis] && p.slice < extent.high[p.axis])) return;
    this.stage.goTo(extent.low.map((v, k) => Math.floor((v + extent.high[k]! - 1) / 2)) as Triple);
  }

  /** Go to a slice along an axis of the file; the other two places stay. */
  private goTo(axis: Axis, slice: number): void {
    const at: Triple = [0, 0, 0];
    for (const p of this.stage.seen) at[p.axis] = p.slice;
    const cross = this.stage.crossIndex;
    for (const k of [0, 1, 2] as const) at[k] = cross?.[k] ?? at[k];
    at[axis] = slice;
    this.stage.goTo(at);
  }
}
