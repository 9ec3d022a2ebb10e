// What stands at the foot of each plane: which slice it is, where along its normal, and a bar of a known length.
import { lettersOf } from "./letters.ts";
import type { Point, Tile, Triple } from "./tiles.ts";

/** How a plane is counted and measured. */
export interface Legend {
  /** The slice, from 1, in the order of the image, and how many there are along the plane's axis. */
  slice: [number, number];
  /** Millimetres, or pixels where the spacing is not known. */
  unit: "mm" | "px";
  oriented: boolean;
}

export interface Bar {
  pixels: number;
  text: string;
}

type ToMm = (fraction: Triple) => number[];

/** `slice 17 of 32 · S 12.5 mm`: the place is that of the plane along its normal, from the origin of the file's millimetres. */
export function sliceText(tile: Tile, legend: Legend, toMm: ToMm): string {
  const [n, count] = legend.slice;
  if (count < 2) return "";
  const words = `slice ${n} of ${count}`;
  if (!legend.oriented || legend.unit !== "mm") return words;
  const { left, top, width, height } = tile;
  const at = (x: number, y: number) => toMm(tile.toFraction([left + x * width, top + y * height]));
  const [o, a, b] = [at(0.5, 0.5), at(1, 0.5), at(0.5, 1)];
  const [u, v] = [a, b].map((p) => p.map((x, k) => x - o[k]!)) as [Triple, Triple];
  const across = [u[1] * v[2] - u[2] * v[1], u[2] * v[0] - u[0] * v[2], u[0] * v[1] - u[1] * v[0]];
  const length = Math.hypot(...across);
  const along = across.reduce((sum, x, k) => sum + (x / length) * o[k]!, 0);
  const towards = lettersOf(along < 0 ? across.map((x) => -x) : across);
  return `${words} · ${towards} ${Math.abs(along).toFixed(1)} mm`;
}

/** The longest bar of 1, 2 or 5 times a power of ten that is no longer than a quarter of the plane, or 120 pixels. */
export function scaleBar(tile: Tile, legend: Legend, toMm: ToMm): Bar | null {
  const [x, y]: Point = [tile.left + tile.width / 2, tile.top + tile.height / 2];
  const [a, b] = [toMm(tile.toFraction([x, y])), toMm(tile.toFraction([x + 100, y]))];
  const perPixel = Math.hypot(...a.map((p, k) => b[k]! - p)) / 100;
  const found = scaleOf(perPixel, Math.min(120, tile.width / 4));
  return found && { pixels: found.pixels, text: `${found.length} ${legend.unit}` };
}

/** The longest length of 1, 2 or 5 times a power of ten within so many pixels, and how many it takes. */
export function scaleOf(perPixel: number, pixels: number): { pixels: number; length: number } | null {
  const most = pixels * perPixel;
  if (!(most > 0) || !Number.isFinite(most)) return null;
  const ten = 10 ** Math.floor(Math.log10(most));
  const length = [5, 2, 1].map((n) => n * ten).find((l) => l <= most) ?? ten;
  return { pixels: length / perPixel, length: Number(length.toPrecision(1)) };
}
