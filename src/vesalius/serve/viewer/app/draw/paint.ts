// Which voxels a brush and a polygon cover: by the middle of each voxel, with lengths in millimetres.
import type { Axis, Point, Triple } from "../tiles.ts";
import { sides, strides, type Grid } from "./plane.ts";
import type { Work } from "./work.ts";

/** Which voxels may be changed. */
export interface Rule {
  value: number;
  /** Only where nothing is drawn, only in what is drawn with this value, or everywhere (null). */
  over: number | null;
  /** Only where the image's value lies between both, both included. */
  between: { values: ArrayLike<number>; low: number; high: number } | null;
}

/** A slice of a grid. */
export interface Slice {
  axis: Axis;
  slice: number;
}

function puts(work: Work, rule: Rule): (at: number) => void {
  const { value, over, between } = rule;
  return (at) => {
    if (over !== null && work.labels[at] !== over) return;
    if (between) {
      const seen = between.values[at]!;
      if (!(seen >= between.low && seen <= between.high)) return;
    }
    work.put(at, value);
  };
}

/** Draw a line from one point to another (grid coordinates) with a round brush of a radius in millimetres.
 *
 * In the slice alone, or in those beside it as far as a ball reaches. The voxel under each point is always covered.
 */
export function stroke(work: Work, where: Slice, line: [Triple, Triple], brush: { radius: number; ball: boolean }, rule: Rule): void {
  const { grid } = work;
  const { axis, slice } = where;
  const reach = brush.ball ? Math.floor(brush.radius / grid.spacing[axis]) : 0;
  for (let n = Math.max(0, slice - reach); n <= Math.min(grid.size[axis] - 1, slice + reach); n++) {
    const away = (n - slice) * grid.spacing[axis];
    capsule(work, { axis, slice: n }, line, Math.sqrt(Math.max(0, brush.radius ** 2 - away ** 2)), rule);
  }
}

function capsule(work: Work, { axis, slice }: Slice, [from, to]: [Triple, Triple], radius: number, rule: Rule): void {
  const { size, spacing } = work.grid;
  const [p, q] = sides(axis);
  const step = strides(size);
  const [sp, sq] = [spacing[p], spacing[q]];
  const [ax, ay, bx, by] = [from[p] * sp, from[q] * sq, to[p] * sp, to[q] * sq];
  const [dx, dy] = [bx - ax, by - ay];
  const length = dx * dx + dy * dy;
  const put = puts(work, rule);
  const first = (v: number, spacing_: number) => Math.max(0, Math.ceil((v - radius) / spacing_ - 0.5));
  const last = (v: number, spacing_: number, count: number) => Math.min(count - 1, Math.floor((v + radius) / spacing_ - 0.5));
  const [p0, p1] = [first(Math.min(ax, bx), sp), last(Math.max(ax, bx), sp, size[p])];
  const [q0, q1] = [first(Math.min(ay, by), sq), last(Math.max(ay, by), sq, size[q])];
  for (let v = q0; v <= q1; v++) {
    const y = (v + 0.5) * sq;
    for (let u = p0; u <= p1; u++) {
      const x = (u + 0.5) * sp;
      const t = length ? Math.min(1, Math.max(0, ((x - ax) * dx + (y - ay) * dy) / length)) : 0;
      if ((x - ax - t * dx) ** 2 + (y - ay - t * dy) ** 2 <= radius * radius) put(u * step[p] + v * step[q] + slice * step[axis]);
    }
  }
  const [low, high]: [Triple, Triple] = [[0, 0, 0], [0, 0, 0]];
  const voxels = [from, to].map((at) => [p, q].map((k) => Math.floor(at[k])) as Point);
  for (const [u, v] of voxels) if (u >= 0 && v >= 0 && u < size[p] && v < size[q]) put(u * step[p] + v * step[q] + slice * step[axis]);
  low[p] = Math.max(0, Math.min(p0, voxels[0]![0], voxels[1]![0]));
  low[q] = Math.max(0, Math.min(q0, voxels[0]![1], voxels[1]![1]));
  high[p] = Math.min(size[p], Math.max(p1, voxels[0]![0], voxels[1]![0]) + 1);
  high[q] = Math.min(size[q], Math.max(q1, voxels[0]![1], voxels[1]![1]) + 1);
  [low[axis], high[axis]] = [slice, slice + 1];
  work.touch(low, high);
}

/** Fill a polygon of a slice, by the even-odd rule; its corners are grid coordinates. */
export function fillPolygon(work: Work, { axis, slice }: Slice, corners: readonly Triple[], rule: Rule): void {
  const { size } = work.grid;
  const [p, q] = sides(axis);
  const step = strides(size);
  const put = puts(work, rule);
  for (let v = 0; v < size[q]; v++) {
    const y = v + 0.5;
    const cuts: number[] = [];
    corners.forEach((a, k) => {
      const b = corners[(k + 1) % corners.length]!;
      if (a[q] <= y !== b[q] <= y) cuts.push(a[p] + ((y - a[q]) / (b[q] - a[q])) * (b[p] - a[p]));
    });
    cuts.sort((a, b) => a - b);
    for (let k = 0; k + 1 < cuts.length; k += 2) {
      const to = Math.min(size[p], Math.ceil(cuts[k + 1]! - 0.5));
      for (let u = Math.max(0, Math.ceil(cuts[k]! - 0.5)); u < to; u++) put(u * step[p] + v * step[q] + slice * step[axis]);
    }
  }
  const [low, high]: [Triple, Triple] = [[0, 0, 0], [...size]];
  [low[axis], high[axis]] = [slice, slice + 1];
  work.touch(low, high);
}

/** The voxels of a slice that have a value, as ones. */
export function shapeIn(labels: ArrayLike<number>, grid: Grid, { axis, slice }: Slice, value: number): Uint8Array {
  const [p, q] = sides(axis);
  const step = strides(grid.size);
  const found = new Uint8Array(grid.size[p] * grid.size[q]);
  let n = 0;
  for (let v = 0; v < grid.size[q]; v++) for (let u = 0; u < grid.size[p]; u++, n++) if (labels[u * step[p] + v * step[q] + slice * step[axis]] === value) found[n] = 1;
  return found;
}

/** A part of a slice: where it begins along its two axes, and how wide it is. */
export interface Part {
  left: number;
  top: number;
  wide: number;
}

/** Give a shape of a slice a value; `part` is where the shape lies, by default all of the slice. */
export function putShape(work: Work, { axis, slice }: Slice, shape: Uint8Array, rule: Rule, part: Part | null = null): void {
  const { size } = work.grid;
  const [p, q] = sides(axis);
  const step = strides(size);
  const put = puts(work, rule);
  const { left, top, wide } = part ?? { left: 0, top: 0, wide: size[p] };
  const high = shape.length / wide;
  let n = 0;
  for (let v = top; v < top + high; v++) for (let u = left; u < left + wide; u++, n++) if (shape[n]) put(u * step[p] + v * step[q] + slice * step[axis]);
  const [low, end]: [Triple, Triple] = [[0, 0, 0], [0, 0, 0]];
  [low[axis], end[axis]] = [slice, slice + 1];
  [low[p], end[p], low[q], end[q]] = [left, left + wide, top, top + high];
  work.touch(low, end);
}
