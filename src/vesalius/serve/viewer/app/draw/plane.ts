// A plane of the image as it is drawn: between points on the screen and the file's own grid, both ways.
import type { Axis, Point, Tile, Triple } from "../tiles.ts";

/** An image's own grid, in the order of its file: columns, rows, slices. */
export interface Grid {
  size: Triple;
  /** Millimetres from one voxel to the next; pixels where the file knows no spacing. */
  spacing: Triple;
  unit: "mm" | "px";
}

/** A plane that is seen. Grid coordinates count voxels from the file's first: voxel k reaches from k to k + 1. */
export interface Plane {
  /** The file's axis that it is cut across, and the slice along it. */
  axis: Axis;
  slice: number;
  /** The file's axes that run sideways and up or down on the screen. */
  across: Axis;
  along: Axis;
  tile: Tile;
  grid: Grid;
  /** A point of the screen in grid coordinates, in the middle of the slice. */
  toGrid(at: Point): Triple;
  toScreen(at: Triple): Point;
}

/** The plane of a tile; `turned` are NiiVue's signed axes of the file by those of the patient, `by` the voxels of one that is drawn. */
export function planeOf(tile: Tile, grid: Grid, turned: readonly number[], counts: readonly number[], by: readonly number[]): Plane {
  const fileAxis = (k: number) => (Math.abs(turned[k]!) - 1) as Axis;
  const [i, j] = [0, 1, 2].filter((k) => k !== tile.axis) as [Axis, Axis];
  const place = (k: number, fraction: number) => (turned[k]! > 0 ? fraction : 1 - fraction) * counts[k]! * by[fileAxis(k)]!;
  const fraction = (k: number, at: number) => {
    const part = at / (counts[k]! * by[fileAxis(k)]!);
    return turned[k]! > 0 ? part : 1 - part;
  };
  const axis = fileAxis(tile.axis);
  const middle = (tile.slice + 0.5) / counts[tile.axis]!;
  const slice = Math.min(grid.size[axis] - 1, Math.floor(place(tile.axis, middle)));
  return {
    axis,
    slice,
    across: fileAxis(i),
    along: fileAxis(j),
    tile,
    grid,
    toGrid: (at) => {
      const f = tile.toFraction(at);
      const found: Triple = [0, 0, 0];
      for (const k of [i, j]) found[fileAxis(k)] = place(k, f[k]!);
      found[axis] = slice + 0.5;
      return found;
    },
    toScreen: (at) => {
      const f: Triple = [0, 0, 0];
      for (const k of [0, 1, 2]) f[k] = fraction(k, at[fileAxis(k)]!);
      return tile.toScreen(f);
    },
  };
}

/** Pixels of the screen for a millimetre along the plane's two axes. */
export function pixelsPerMm(plane: Plane): [number, number] {
  const [o, a, b] = [[0, 0, 0], [0, 0, 0], [0, 0, 0]] as [Triple, Triple, Triple];
  a[plane.across] = b[plane.along] = 1;
  const [from, across, along] = [o, a, b].map((at) => plane.toScreen(at)) as [Point, Point, Point];
  return [Math.abs(across[0] - from[0]) / plane.grid.spacing[plane.across], Math.abs(along[1] - from[1]) / plane.grid.spacing[plane.along]];
}

/** The steps in memory from one voxel to the next along each axis of a file. */
export const strides = ([x, y]: Triple): Triple => [1, x, x * y];

/** A slice of a grid as rows of its two other axes, the lower first. */
export function sides(axis: Axis): [Axis, Axis] {
  return [0, 1, 2].filter((k) => k !== axis) as [Axis, Axis];
}
