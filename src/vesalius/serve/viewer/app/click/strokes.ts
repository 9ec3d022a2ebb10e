// Strokes as the service takes them, and where they are seen on a plane of the image.
import type { Plane } from "../draw/plane.ts";
import type { Spot } from "../draw/table.ts";
import type { Axis, Point, Triple } from "../tiles.ts";

/** One mark about the object; places are voxels `(z, y, x)` of the image's file. */
export interface Stroke {
  kind: "point" | "box" | "scribble";
  adds: boolean;
  places: Triple[];
}

const MOST_PLACES = 4000; // the service takes 4096
const [GREEN, RED, DARK] = ["#5ee27a", "#ff6b6b", "rgb(0 0 0 / 0.8)"];
const RADIUS = 6;

/** The voxel under a pointer; one beyond the image's edge is the nearest within. */
export function placeOf(spot: Spot): Triple {
  const { size } = spot.plane.grid;
  const [x, y, z] = spot.at.map((v, k) => Math.min(size[k]! - 1, Math.max(0, Math.floor(v)))) as Triple;
  return [z, y, x];
}

/** Whether a pointer is on the image, and not on the dark beside it. */
export const onImage = ({ at, plane: { across, along: down, grid } }: Spot): boolean => [across, down].every((k) => at[k] >= 0 && at[k] < grid.size[k]);

/** Where a place lies along an axis of the file. */
const along = (place: Triple, axis: Axis): number => place[2 - axis]!;

/** The line of a scribble, each voxel once in a row. */
export function lineOf(spots: Spot[]): Triple[] {
  const places = spots.map(placeOf);
  const apart = places.filter((p, k) => !k || p.some((v, axis) => v !== places[k - 1]![axis]));
  const every = Math.ceil(apart.length / MOST_PLACES);
  return apart.filter((_, k) => k % every === 0 || k === apart.length - 1);
}

/** The corners of a box that is dragged on a plane. In a volume it goes as deep as it is wide, in millimetres, until a drag on another plane says how deep. */
export function boxOf(from: Spot, to: Spot): [Triple, Triple] {
  const [a, b] = [placeOf(from), placeOf(to)];
  const low = a.map((v, k) => Math.min(v, b[k]!)) as Triple;
  const high = a.map((v, k) => Math.max(v, b[k]!)) as Triple;
  const { axis, across, along: down, grid } = from.plane;
  const wide = Math.min(...[across, down].map((k) => (high[2 - k]! - low[2 - k]! + 1) * grid.spacing[k]));
  const half = Math.floor((wide / grid.spacing[axis] - 1) / 2);
  if (grid.size[axis] > 1 && half > 0) {
    low[2 - axis] = Math.max(0, low[2 - axis]! - half);
    high[2 - axis] = Math.min(grid.size[axis] - 1, high[2 - axis]! + half);
  }
  return [low, high];
}

/** A box whose sides on another plane are those that were dragged there; its third side stays. */
export function boxThrough(box: Stroke, from: Spot, to: Spot): Stroke {
  const [low, high] = box.places.map((p) => [...p] as Triple) as [Triple, Triple];
  const [a, b] = [placeOf(from), placeOf(to)];
  for (const k of [from.plane.across, from.plane.along]) {
    low[2 - k] = Math.min(along(a, k), along(b, k));
    high[2 - k] = Math.max(along(a, k), along(b, k));
  }
  return { ...box, places: [low, high] };
}

/** Whether a box is seen on a plane. */
export const cuts = ({ places }: Stroke, plane: Plane): boolean => plane.slice >= along(places[0]!, plane.axis) && plane.slice <= along(places[1] ?? places[0]!, plane.axis);

/** Which of the points that are seen on a plane lies at a place of the screen. */
export function pointAt(strokes: readonly Stroke[], plane: Plane, [x, y]: Point, near: number): number | null {
  const found = strokes.findIndex((s) => {
    if (s.kind !== "point" || along(s.places[0]!, plane.axis) !== plane.slice) return false;
    const [u, v] = middle(plane, s.places[0]!);
    return Math.hypot(u - x, v - y) <= near;
  });
  return found < 0 ? null : found;
}

/** The middle of a voxel on the screen. */
const middle = (plane: Plane, [z, y, x]: Triple): Point => plane.toScreen([x + 0.5, y + 0.5, z + 0.5]);

/** Draw a stroke where it is seen on a plane. */
export function mark(pen: CanvasRenderingContext2D, plane: Plane, stroke: Stroke, chosen: boolean): void {
  const colour = stroke.adds ? GREEN : RED;
  if (stroke.kind === "box") {
    if (cuts(stroke, plane)) frame(pen, plane, stroke, colour, chosen);
    return;
  }
  const here = stroke.places.filter((p) => along(p, plane.axis) === plane.slice);
  if (!here.length) return;
  if (stroke.kind === "scribble" && here.length === stroke.places.length) line(pen, here.map((p) => middle(plane, p)), colour, chosen);
  else if (stroke.kind === "scribble") for (const p of here) dot(pen, middle(plane, p), colour, 2);
  else sign(pen, middle(plane, here[0]!), colour, stroke.adds, chosen);
}

function frame(pen: CanvasRenderingContext2D, plane: Plane, { places }: Stroke, colour: string, chosen: boolean): void {
  const [[z, y, x], [z1, y1, x1]] = places as [Triple, Triple];
  const [a, b] = [plane.toScreen([x, y, z]), plane.toScreen([x1 + 1, y1 + 1, z1 + 1])];
  const [left, top] = [Math.min(a[0], b[0]), Math.min(a[1], b[1])];
  twice(pen, colour, chosen ? 3 : 2, () => pen.rect(left, top, Math.abs(a[0] - b[0]), Math.abs(a[1] - b[1])));
}

function line(pen: CanvasRenderingContext2D, points: Point[], colour: string, chosen: boolean): void {
  if (points.length === 1) return dot(pen, points[0]!, colour, 3);
  pen.lineJoin = pen.lineCap = "round";
  twice(pen, colour, chosen ? 4 : 3, () => points.forEach((p, k) => (k ? pen.lineTo(...p) : pen.moveTo(...p))));
}

function sign(pen: CanvasRenderingContext2D, [x, y]: Point, colour: string, adds: boolean, chosen: boolean): void {
  dot(pen, [x, y], colour, chosen ? RADIUS + 2 : RADIUS);
  pen.strokeStyle = DARK;
  pen.lineWidth = 2;
  pen.beginPath();
  pen.moveTo(x - 3, y);
  pen.lineTo(x + 3, y);
  if (adds) {
    pen.moveTo(x, y - 3);
    pen.lineTo(x, y + 3);
  }
  pen.stroke();
}

function dot(pen: CanvasRenderingContext2D, [x, y]: Point, colour: string, radius: number): void {
  pen.fillStyle = DARK;
  pen.beginPath();
  pen.arc(x, y, radius + 1.5, 0, 2 * Math.PI);
  pen.fill();
  pen.fillStyle = colour;
  pen.beginPath();
  pen.arc(x, y, radius, 0, 2 * Math.PI);
  pen.fill();
}

function twice(pen: CanvasRenderingContext2D, colour: string, width: number, path: () => void): void {
  for (const [style, wide] of [[DARK, width + 2], [colour, width]] as const) {
    pen.strokeStyle = style;
    pen.lineWidth = wide;
    pen.beginPath();
    path();
    pen.stroke();
  }
}
