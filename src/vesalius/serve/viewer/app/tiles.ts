// Where each plane lies on the screen: between a point there and a fraction of the image's extent, both ways.
import type { Niivue } from "@niivue/niivue";

export type Triple = [number, number, number];
export type Point = [number, number];
export type Axis = 0 | 1 | 2;

/** One plane on the screen, in CSS pixels. Fractions run to the right, the front and the top, as NiiVue has them. */
export interface Tile {
  /** The axis that the plane is cut across: 0 sagittal, 1 coronal, 2 axial. */
  axis: Axis;
  name: string;
  left: number;
  top: number;
  width: number;
  height: number;
  /** The fraction along `axis` at which it is cut, and the slice that this is in. */
  fraction: number;
  slice: number;
  toFraction(at: Point): Triple;
  toScreen(fraction: Triple): Point;
}

const AXES: Record<number, Axis> = { 0: 2, 1: 1, 2: 0 }; // by NiiVue's number of a plane
const NAMES = ["sagittal", "coronal", "axial"];

/** The planes that are drawn now. */
export function tilesOf(view: Niivue): Tile[] {
  const image = view.volumes[0];
  if (!image?.dimsRAS) return [];
  const dpr = view.uiData.dpr ?? 1;
  const found: Tile[] = [];
  view.screenSlices.forEach((drawn, k) => {
    const axis = AXES[drawn.axCorSag];
    const [left = 0, top = 0, wide = 0, high = 0] = drawn.leftTopWidthHeight;
    if (axis === undefined || wide <= 0 || high <= 0) return;
    // the map is linear: three points tell all of it (at the very corners, rounding may put them outside)
    const at = (x: number, y: number) => Array.from(view.screenXY2TextureFrac(left + x * wide, top + y * high, k, false)) as Triple;
    const [one, beside, below] = [at(0.25, 0.25), at(0.75, 0.25), at(0.25, 0.75)];
    const [x, y] = [beside, below].map((other) => other.map((f, n) => 2 * (f - one[n]!)) as Triple) as [Triple, Triple];
    const origin = one.map((f, n) => f - 0.25 * (x[n]! + y[n]!)) as Triple;
    const [i, j] = [0, 1, 2].filter((a) => a !== axis) as [Axis, Axis];
    const [a, b] = [x[i], x[j]];
    const [c, d] = [y[i], y[j]];
    const whole = a * d - b * c;
    if (!whole) return;
    found.push({
      axis,
      name: NAMES[axis]!,
      left: left / dpr,
      top: top / dpr,
      width: wide / dpr,
      height: high / dpr,
      fraction: drawn.sliceFrac,
      slice: sliceOf(drawn.sliceFrac, image.dimsRAS![axis + 1]!),
      toFraction: ([across, down]) => {
        const [s, t] = [(across * dpr - left) / wide, (down * dpr - top) / high];
        return origin.map((f, n) => f + s * x[n]! + t * y[n]!) as Triple;
      },
      toScreen: (f) => {
        const [u, v] = [f[i] - origin[i], f[j] - origin[j]];
        return [(left + ((u * d - v * c) / whole) * wide) / dpr, (top + ((v * a - u * b) / whole) * high) / dpr];
      },
    });
  });
  return found;
}

/** The tile under a point. */
export function tileAt(tiles: Tile[], [x, y]: Point): Tile | null {
  return tiles.find((t) => x >= t.left && x <= t.left + t.width && y >= t.top && y <= t.top + t.height) ?? null;
}

/** The point of a tile that is nearest to one on the screen. */
export function within(tile: Tile, [x, y]: Point): Point {
  const between = (v: number, low: number, high: number) => Math.min(Math.max(v, low), high);
  return [between(x, tile.left, tile.left + tile.width), between(y, tile.top, tile.top + tile.height)];
}

const sliceOf = (fraction: number, count: number): number => Math.min(count - 1, Math.max(0, Math.floor(fraction * count)));
