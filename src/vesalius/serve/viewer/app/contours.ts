// Outlines of labels in a plane: the edges between voxels where a label ends, found in the plane that is seen.
import type { Labelled } from "./layers.ts";
import type { Triple } from "./tiles.ts";

/** Labels as they lie in their file. */
export interface Grid {
  values: ArrayLike<number>;
  dims: Triple;
}

/** A straight piece of an outline, in voxels of the plane: at `at` across one axis, from `from` to `to` along the other. */
export interface Run {
  label: number;
  /** The axis of the plane that it is cut across: 0 or 1. */
  across: 0 | 1;
  at: number;
  from: number;
  to: number;
  /** On which side the label lies: below `at` (-1) or above (1). */
  side: -1 | 1;
}

export interface Contour {
  size: [number, number];
  runs: Run[];
}

/** The labels of one plane of `size` voxels; `place` is the index in the grid of a plane's voxel (not rounded). */
export function cut(grid: Grid, size: [number, number], place: (u: number, v: number) => Triple, seen: ReadonlySet<number>): Int32Array {
  const [wide, high] = size;
  const [nx, ny, nz] = grid.dims;
  const found = new Int32Array(wide * high);
  // the map is linear: three points tell all of it
  const [o, a, b] = [place(0, 0), place(1, 0), place(0, 1)];
  const [ux, uy, uz] = [a[0] - o[0], a[1] - o[1], a[2] - o[2]];
  const [vx, vy, vz] = [b[0] - o[0], b[1] - o[1], b[2] - o[2]];
  for (let v = 0, n = 0; v < high; v++) {
    for (let u = 0; u < wide; u++, n++) {
      const x = Math.round(o[0] + u * ux + v * vx);
      const y = Math.round(o[1] + u * uy + v * vy);
      const z = Math.round(o[2] + u * uz + v * vz);
      if (x < 0 || y < 0 || z < 0 || x >= nx || y >= ny || z >= nz) continue;
      const value = Math.round(grid.values[(z * ny + y) * nx + x]!);
      if (seen.has(value)) found[n] = value;
    }
  }
  return found;
}

/** Where labels end in a plane; each label has an edge of its own where two of them touch. */
export function edges(labels: Int32Array, size: [number, number]): Run[] {
  const runs: Run[] = [];
  const extend = (run: Run | null, label: number, across: 0 | 1, at: number, k: number, side: -1 | 1): Run | null => {
    if (!label) return null;
    if (run?.label === label) {
      run.to = k + 1;
      return run;
    }
    const begun: Run = { label, across, at, from: k, to: k + 1, side };
    runs.push(begun);
    return begun;
  };
  for (const across of [0, 1] as const) {
    const [count, length] = [size[across], size[1 - across]!];
    const step = across ? size[0] : 1;
    const along = across ? 1 : size[0];
    for (let at = 0; at <= count; at++) {
      let below: Run | null = null;
      let above: Run | null = null;
      for (let k = 0; k < length; k++) {
        const place = at * step + k * along;
        const one = at > 0 ? labels[place - step]! : 0;
        const other = at < count ? labels[place]! : 0;
        below = extend(below, one !== other ? one : 0, across, at, k, -1);
        above = extend(above, one !== other ? other : 0, across, at, k, 1);
      }
    }
  }
  return runs;
}

/** The colours of the labels that are seen, by their value. */
export const coloursOf = (labels: Labelled[]): Map<number, string> => new Map(labels.filter((l) => l.shown && l.value).map((l) => [l.value, l.colour]));
