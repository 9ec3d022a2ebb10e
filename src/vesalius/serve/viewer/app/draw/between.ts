// Shapes between two slices that were drawn: their signed distances, weighed by how near each slice is (Raya and Udupa, 1990).
import type { Axis } from "../tiles.ts";
import { putShape, shapeIn, type Rule } from "./paint.ts";
import { sides } from "./plane.ts";
import type { Work } from "./work.ts";

const FAR = 1e20;

/** Squared distances along one row (Felzenszwalb and Huttenlocher, 2012): the lower envelope of a parabola at each place. */
function envelope(values: Float64Array, spacing: number): Float64Array {
  const n = values.length;
  const at = new Int32Array(n);
  const from = new Float64Array(n + 1);
  const found = new Float64Array(n);
  let k = -1;
  for (let q = 0; q < n; q++) {
    if (values[q]! >= FAR) continue;
    let start = -Infinity;
    while (k >= 0) {
      const r = at[k]!;
      start = (values[q]! - values[r]! + (q * q - r * r) * spacing * spacing) / (2 * (q - r) * spacing);
      if (start > from[k]!) break;
      k--;
      start = -Infinity;
    }
    at[++k] = q;
    from[k] = start;
  }
  if (k < 0) return found.fill(FAR);
  const last = k;
  k = 0;
  for (let q = 0; q < n; q++) {
    while (k < last && from[k + 1]! < q * spacing) k++;
    found[q] = ((q - at[k]!) * spacing) ** 2 + values[at[k]!]!;
  }
  return found;
}

/** The distance of each pixel to the nearest one that is set, in millimetres; rows of `wide` pixels. */
export function distances(set: Uint8Array, wide: number, spacing: readonly [number, number]): Float64Array {
  const high = set.length / wide;
  const squared = Float64Array.from(set, (v) => (v ? 0 : FAR));
  for (let u = 0; u < wide; u++) {
    const column = new Float64Array(high);
    for (let v = 0; v < high; v++) column[v] = squared[v * wide + u]!;
    envelope(column, spacing[1]).forEach((d, v) => (squared[v * wide + u] = d));
  }
  for (let v = 0; v < high; v++) squared.set(envelope(squared.slice(v * wide, (v + 1) * wide), spacing[0]), v * wide);
  return squared.map(Math.sqrt);
}

/** Above 0 within a shape, below 0 outside of it. */
function signed(shape: Uint8Array, wide: number, spacing: readonly [number, number]): Float64Array {
  const inside = distances(shape.map((v) => 1 - v), wide, spacing);
  const outside = distances(shape, wide, spacing);
  return inside.map((d, k) => d - outside[k]!);
}

/** The shapes on the way from one to another, by the part of it; where they do not meet, both are moved onto the line between their middles. */
export function shapesBetween(one: Uint8Array, other: Uint8Array, wide: number, spacing: readonly [number, number]): (part: number) => Uint8Array {
  const weighed = (near: Float64Array, far: Float64Array, part: number) => {
    const found = new Uint8Array(near.length);
    for (let k = 0; k < found.length; k++) if ((1 - part) * near[k]! + part * far[k]! > 0) found[k] = 1;
    return found;
  };
  if (one.some((v, k) => v && other[k])) {
    const [near, far] = [signed(one, wide, spacing), signed(other, wide, spacing)];
    return (part) => weighed(near, far, part);
  }
  const [a, b] = [middle(one, wide), middle(other, wide)];
  return (part) => {
    const to = (from: [number, number]) => [0, 1].map((k) => Math.round(a[k]! + part * (b[k]! - a[k]!) - from[k]!)) as [number, number];
    return weighed(signed(moved(one, wide, to(a)), wide, spacing), signed(moved(other, wide, to(b)), wide, spacing), part);
  };
}

function middle(shape: Uint8Array, wide: number): [number, number] {
  let [x, y, n] = [0, 0, 0];
  shape.forEach((v, k) => {
    if (!v) return;
    [x, y, n] = [x + (k % wide), y + Math.floor(k / wide), n + 1];
  });
  return [x / n, y / n];
}

function moved(shape: Uint8Array, wide: number, [dx, dy]: [number, number]): Uint8Array {
  if (!dx && !dy) return shape;
  const high = shape.length / wide;
  const found = new Uint8Array(shape.length);
  shape.forEach((set, k) => {
    const [x, y] = [(k % wide) + dx, Math.floor(k / wide) + dy];
    if (set && x >= 0 && y >= 0 && x < wide && y < high) found[y * wide + x] = 1;
  });
  return found;
}

/** Fill every gap between slices with the value, along an axis; returns how many slices were filled. */
export function fillBetween(work: Work, axis: Axis, rule: Rule): number {
  const { grid, labels } = work;
  const [p, q] = sides(axis);
  const spacing = [grid.spacing[p], grid.spacing[q]] as const;
  const area = grid.size[0] * grid.size[1];
  let filled = 0;
  let before: { slice: number; shape: Uint8Array } | null = null;
  for (let slice = 0; slice < grid.size[axis]; slice++) {
    if (axis === 2 && !labels.subarray(slice * area, (slice + 1) * area).includes(rule.value)) continue;
    const shape = shapeIn(labels, grid, { axis, slice }, rule.value);
    if (!shape.includes(1)) continue;
    if (before && slice - before.slice > 1) filled += gap(work, axis, before, { slice, shape });
    before = { slice, shape };
  }
  return filled;

  function gap(into: Work, along: Axis, from: { slice: number; shape: Uint8Array }, to: { slice: number; shape: Uint8Array }): number {
    const box = cropOf([from.shape, to.shape], grid.size[p]);
    const [one, other] = [cropped(from.shape, grid.size[p], box), cropped(to.shape, grid.size[p], box)];
    const between = shapesBetween(one, other, box.wide, spacing);
    for (let slice = from.slice + 1; slice < to.slice; slice++) {
      const part = (slice - from.slice) / (to.slice - from.slice);
      putShape(into, { axis: along, slice }, between(part), rule, box);
    }
    return to.slice - from.slice - 1;
  }
}

interface Crop {
  left: number;
  top: number;
  wide: number;
  high: number;
}

/** The part in which any of the shapes lies, with a pixel around it so that each has an outside. */
function cropOf(shapes: Uint8Array[], wide: number): Crop {
  const high = shapes[0]!.length / wide;
  let [left, top, right, bottom] = [wide, high, 0, 0];
  for (const shape of shapes) {
    shape.forEach((v, k) => {
      if (!v) return;
      const [x, y] = [k % wide, Math.floor(k / wide)];
      [left, right, top, bottom] = [Math.min(left, x), Math.max(right, x), Math.min(top, y), Math.max(bottom, y)];
    });
  }
  [left, top] = [Math.max(0, left - 1), Math.max(0, top - 1)];
  return { left, top, wide: Math.min(wide, right + 2) - left, high: Math.min(high, bottom + 2) - top };
}

function cropped(shape: Uint8Array, wide: number, { left, top, wide: w, high }: Crop): Uint8Array {
  const found = new Uint8Array(w * high);
  for (let v = 0; v < high; v++) found.set(shape.subarray((top + v) * wide + left, (top + v) * wide + left + w), v * w);
  return found;
}
