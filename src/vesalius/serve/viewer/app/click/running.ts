// The running mask of one object in the drawing: what the service says changed is drawn, and nothing else.
import type { Work } from "../draw/work.ts";
import type { Triple } from "../tiles.ts";
import type { Told } from "./talk.ts";

export class Running {
  /** The service's mask as it is held here. */
  readonly bits: Uint8Array;
  private count = 0;
  private version = 0;
  private before: Uint8Array;

  /** `emptyOnly`: other classes stay; `start`: what was drawn of the class belongs to the object, so it can be taken away. */
  constructor(
    private work: Work,
    readonly value: number,
    private how: { emptyOnly: boolean; start: boolean },
  ) {
    this.before = work.labels.slice();
    this.bits = new Uint8Array(work.labels.length);
    work.begin("Click");
  }

  /** What was drawn of the class, as runs of gap and length; empty where the object does not start from it. */
  get start(): number[] {
    return this.how.start ? runsOf(this.before, this.value) : [];
  }

  /** Take an answer. False where it does not add up: then the whole mask must be asked for. */
  take(told: Told): boolean {
    if (told.against !== 0 && told.against !== this.version) return false;
    if (told.against === 0 && this.version) this.flip(runsOf(this.bits, 1));
    this.flip(told.flips);
    this.version = told.version;
    return this.count === told.voxels;
  }

  private flip(flips: readonly number[]): void {
    const { bits, work } = this;
    const [nx, ny] = work.grid.size;
    const [low, high]: [Triple, Triple] = [[Infinity, Infinity, Infinity], [0, 0, 0]];
    let at = 0;
    for (let k = 0; k + 1 < flips.length; k += 2) {
      at += flips[k]!;
      const end = Math.min(at + flips[k + 1]!, bits.length);
      if (end > at) grow(low, high, at, end - 1, nx, ny);
      for (; at < end; at++) {
        bits[at] = bits[at] ? 0 : 1;
        this.count += bits[at] ? 1 : -1;
        work.put(at, this.shown(at));
      }
    }
    if (high[0]) work.touch(low, high);
  }

  /** The value that a voxel has in the drawing. */
  private shown(at: number): number {
    const was = this.before[at]!;
    if (this.bits[at]) return this.how.emptyOnly && was ? was : this.value;
    return this.how.start && was === this.value ? 0 : was;
  }
}

function grow(low: Triple, high: Triple, from: number, to: number, nx: number, ny: number): void {
  const [y0, y1] = [Math.floor(from / nx), Math.floor(to / nx)];
  const [z0, z1] = [Math.floor(y0 / ny), Math.floor(y1 / ny)];
  const ends: [number, number][] = [y0 === y1 ? [from % nx, to % nx] : [0, nx - 1], z0 === z1 ? [y0 % ny, y1 % ny] : [0, ny - 1], [z0, z1]];
  ends.forEach(([a, b], k) => {
    low[k] = Math.min(low[k]!, a);
    high[k] = Math.max(high[k]!, b + 1);
  });
}

/** Where an array has a value, as runs of gap and length. */
export function runsOf(values: Uint8Array, value: number): number[] {
  const runs: number[] = [];
  let last = 0;
  for (let k = values.indexOf(value); k >= 0; k = values.indexOf(value, k)) {
    const from = k;
    while (k < values.length && values[k] === value) k++;
    runs.push(from - last, k - from);
    last = k;
  }
  return runs;
}
