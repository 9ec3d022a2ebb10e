// What a person draws of one image: labels in the image's own grid and boxes, with every step to be taken back.
import type { Triple } from "../tiles.ts";
import type { Grid } from "./plane.ts";

/** A box in grid coordinates: `low` included, `high` excluded; voxel k reaches from k to k + 1. */
export interface DrawnBox {
  low: Triple;
  high: Triple;
  /** The value of its class. */
  value: number;
}

/** Voxels that a step changed, in the order in which it did. */
export interface Patch {
  at: Uint32Array;
  before: Uint8Array;
  after: Uint8Array;
}

export interface Step {
  name: string;
  patch: Patch | null;
  /** All boxes before and after, where the step changed one. */
  boxes: { before: readonly DrawnBox[]; after: readonly DrawnBox[] } | null;
}

/** The part of the grid, `low` included and `high` excluded, in which something may be drawn anew. */
export interface Extent {
  low: Triple;
  high: Triple;
}

const MOST_BYTES = 192 << 20; // of steps that can be taken back
const FIRST = 1024;

export class Work {
  /** One byte a voxel, the file's first axis the fastest; 0 is nothing. */
  readonly labels: Uint8Array;
  /** A step was made, or taken back (`back`), or made again. */
  onstep: (step: Step, back: boolean) => void = () => {};
  /** Voxels or boxes are other than they were; they are to be drawn. */
  onchange: () => void = () => {};

  /** How many voxels have each value. */
  readonly counts = new Float64Array(256);

  private held: readonly DrawnBox[] = [];
  private done: Step[] = [];
  private undone: Step[] = [];
  private log: Log | null = null;
  private stale: Extent | null = null;

  constructor(
    readonly grid: Grid,
    labels: Uint8Array | null = null,
    boxes: readonly DrawnBox[] = [],
  ) {
    const [x, y, z] = grid.size;
    if (labels && labels.length !== x * y * z) throw new Error(`${labels.length} labels for a grid of ${x} × ${y} × ${z}`);
    this.labels = labels ?? new Uint8Array(x * y * z);
    this.held = boxes;
    if (labels) for (let k = 0; k < labels.length; k++) this.counts[labels[k]!]!++;
    else this.counts[0] = this.labels.length;
  }

  get boxes(): readonly DrawnBox[] {
    return this.held;
  }

  get canUndo(): boolean {
    return this.done.length > 0;
  }

  get canRedo(): boolean {
    return this.undone.length > 0;
  }

  /** Whether a step has begun that may be given up still. */
  get unsettled(): boolean {
    return (this.log?.count ?? 0) > 0;
  }

  /** The labels without a step that is not over: what is drawn for certain. */
  get settled(): Uint8Array {
    if (!this.log?.count) return this.labels;
    const found = this.labels.slice();
    const { at, before } = this.log.patch();
    for (let k = at.length - 1; k >= 0; k--) found[at[k]!] = before[k]!;
    return found;
  }

  /** What is to be drawn anew since this was last asked; null where nothing is. */
  takeStale(): Extent | null {
    const found = this.stale;
    this.stale = null;
    return found;
  }

  /** Change voxels as one step, in one piece or in several until `end`. */
  begin(name: string): void {
    this.end();
    this.log = new Log(name);
  }

  /** Give a voxel a value, within a step. */
  put(at: number, value: number): void {
    const before = this.labels[at]!;
    if (before === value || !this.log) return;
    this.log.add(at, before, value);
    this.set(at, value);
  }

  /** Say where voxels were put. */
  touch(low: Triple, high: Triple): void {
    const s = this.stale;
    this.stale = s ? { low: low.map((v, k) => Math.min(v, s.low[k]!)) as Triple, high: high.map((v, k) => Math.max(v, s.high[k]!)) as Triple } : { low: [...low], high: [...high] };
    this.onchange();
  }

  /** The step is over; null where it changed nothing. */
  end(): Step | null {
    const { log } = this;
    this.log = null;
    if (!log?.count) return null;
    return this.made({ name: log.name, patch: log.patch(), boxes: null });
  }

  /** Take back what a step that is not over has changed. */
  cancel(): void {
    const { log } = this;
    this.log = null;
    if (log?.count) this.apply({ name: log.name, patch: log.patch(), boxes: null }, true);
  }

  /** Other boxes in the place of all, as one step. */
  setBoxes(name: string, boxes: readonly DrawnBox[]): void {
    this.end();
    const step: Step = { name, patch: null, boxes: { before: this.held, after: boxes } };
    this.held = boxes;
    this.made(step);
    this.onchange();
  }

  /** Other labels in the place of all, as one step. */
  replace(name: string, labels: Uint8Array): Step | null {
    this.begin(name);
    for (let k = 0; k < labels.length; k++) if (labels[k] !== this.labels[k]) this.put(k, labels[k]!);
    this.touch([0, 0, 0], this.grid.size);
    return this.end();
  }

  undo(): Step | null {
    this.end();
    const step = this.done.pop() ?? null;
    if (!step) return null;
    this.undone.push(step);
    this.apply(step, true);
    this.onstep(step, true);
    return step;
  }

  redo(): Step | null {
    this.end();
    const step = this.undone.pop() ?? null;
    if (!step) return null;
    this.done.push(step);
    this.apply(step, false);
    this.onstep(step, false);
    return step;
  }

  /** Make a step, or take it back, without keeping it: as a journal is read again. */
  apply(step: Step, back: boolean): void {
    if (step.boxes) this.held = back ? step.boxes.before : step.boxes.after;
    if (step.patch) {
      const { at, before, after } = step.patch;
      if (back) for (let k = at.length - 1; k >= 0; k--) this.set(at[k]!, before[k]!);
      else for (let k = 0; k < at.length; k++) this.set(at[k]!, after[k]!);
      const { low, high } = this.extentOf(at);
      this.touch(low, high);
    } else this.onchange();
  }

  /** The part of the grid in which these voxels lie. */
  extentOf(at: ArrayLike<number>): Extent {
    const [nx, ny] = this.grid.size;
    const [low, high]: [Triple, Triple] = [[Infinity, Infinity, Infinity], [0, 0, 0]];
    for (let k = 0; k < at.length; k++) {
      const v = at[k]!;
      const [x, y, z] = [v % nx, Math.floor(v / nx) % ny, Math.floor(v / (nx * ny))];
      if (x < low[0]) low[0] = x;
      if (y < low[1]) low[1] = y;
      if (z < low[2]) low[2] = z;
      if (x >= high[0]) high[0] = x + 1;
      if (y >= high[1]) high[1] = y + 1;
      if (z >= high[2]) high[2] = z + 1;
    }
    return { low, high };
  }

  private set(at: number, value: number): void {
    this.counts[this.labels[at]!]!--;
    this.counts[value]!++;
    this.labels[at] = value;
  }

  private made(step: Step): Step {
    this.done.push(step);
    this.undone = [];
    let bytes = 0;
    let kept = this.done.length;
    while (kept > 0 && (bytes += 6 * (this.done[kept - 1]!.patch?.at.length ?? 0)) <= MOST_BYTES) kept--;
    this.done.splice(0, Math.min(kept, this.done.length - 1)); // the last one can be taken back however large it is
    this.onstep(step, false);
    return step;
  }
}

/** Voxels as they are changed, in arrays that grow. */
class Log {
  count = 0;
  private at = new Uint32Array(FIRST);
  private before = new Uint8Array(FIRST);
  private after = new Uint8Array(FIRST);

  constructor(readonly name: string) {}

  add(at: number, before: number, after: number): void {
    if (this.count === this.at.length) this.grow();
    this.at[this.count] = at;
    this.before[this.count] = before;
    this.after[this.count++] = after;
  }

  patch(): Patch {
    return { at: this.at.slice(0, this.count), before: this.before.slice(0, this.count), after: this.after.slice(0, this.count) };
  }

  private grow(): void {
    const [at, before, after] = [new Uint32Array(2 * this.count), new Uint8Array(2 * this.count), new Uint8Array(2 * this.count)];
    at.set(this.at);
    before.set(this.before);
    after.set(this.after);
    [this.at, this.before, this.after] = [at, before, after];
  }
}
