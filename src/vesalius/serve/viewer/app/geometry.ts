// Between an image's index, in the order of its file, and millimetres in NIfTI's RAS.
import type { Triple } from "./tiles.ts";

/** Millimetres of an index, by the file's affine (rows). */
export function toMm(affine: number[][], index: Triple): Triple {
  return [0, 1, 2].map((r) => affine[r]![0]! * index[0] + affine[r]![1]! * index[1] + affine[r]![2]! * index[2] + affine[r]![3]!) as Triple;
}

/** The index (not rounded) of a point in millimetres. */
export function toIndex(affine: number[][], mm: number[]): Triple {
  const [a, b, c] = [0, 1, 2].map((k) => [affine[0]![k]!, affine[1]![k]!, affine[2]![k]!] as Triple) as [Triple, Triple, Triple];
  const p = [0, 1, 2].map((r) => mm[r]! - affine[r]![3]!) as Triple;
  const whole = dot(a, cross(b, c));
  return [dot(p, cross(b, c)) / whole, dot(a, cross(p, c)) / whole, dot(a, cross(b, p)) / whole]; // Cramer's rule
}

const cross = (u: Triple, v: Triple): Triple => [u[1] * v[2] - u[2] * v[1], u[2] * v[0] - u[0] * v[2], u[0] * v[1] - u[1] * v[0]];
const dot = (u: Triple, v: Triple): number => u[0] * v[0] + u[1] * v[1] + u[2] * v[2];
