// Polygon: corners are clicked and can be moved until it is closed, then its inside is the chosen class.
import { fillPolygon } from "../paint.ts";
import { h } from "../../dom.ts";
import type { Plane } from "../plane.ts";
import type { Drawing, DrawTool } from "../table.ts";
import type { Point, Triple } from "../../tiles.ts";

const NEAR = 9; // pixels within which a corner is meant
const NEAR_TOUCH = 18;

let corners: Triple[] = [];
let on: Plane | null = null;
let held: number | null = null;
let pointer: Triple | null = null;

const same = (plane: Plane): boolean => on !== null && on.axis === plane.axis && on.slice === plane.slice;
const apart = (a: Point, b: Point): number => Math.hypot(a[0] - b[0], a[1] - b[1]);

function drop(): void {
  corners = [];
  on = held = pointer = null;
}

function close(drawing: Drawing, cut = false): void {
  const { label, work, settings } = drawing;
  if (!on || corners.length < 3) {
    if (corners.length) drawing.say("A polygon has three corners at least.");
    return;
  }
  if (!cut && !label) return;
  work.begin(cut ? "Polygon, cut out" : "Polygon");
  fillPolygon(work, on, corners, cut ? { value: 0, over: null, between: null } : { value: label!.value, over: settings.emptyOnly ? 0 : null, between: null });
  const made = work.end();
  drop();
  if (!made) drawing.say("The polygon covers the middle of no voxel that it may change.");
  drawing.redraw();
}

export const polygon: DrawTool = {
  name: "polygon",
  title: "Polygon",
  key: "p",
  makes: "mask",
  help: "Click the corners; drag one to move it. Enter, a double click or the first corner closes it; Backspace takes the last one back.",
  options: ["emptyOnly"],
  down(spot, drawing) {
    if (on && !same(spot.plane)) {
      drawing.say(corners.length ? "The polygon on the other slice is not closed: Enter closes it, Escape gives it up." : "");
      return;
    }
    const near = spot.touch ? NEAR_TOUCH : NEAR;
    const found = corners.findIndex((c) => apart(spot.plane.toScreen(c), spot.screen) <= near);
    if (spot.clicks > 1 && corners.length > 2) return close(drawing);
    if (found === 0 && corners.length > 2) {
      held = 0; // closes when it is let go where it was
      pointer = null;
      return;
    }
    if (found >= 0) held = found;
    else {
      on = spot.plane;
      corners.push(spot.at);
      held = corners.length - 1;
    }
    drawing.redraw();
  },
  drag(spots, drawing) {
    const spot = spots.at(-1);
    if (!spot || held === null || !same(spot.plane)) return;
    if (held === 0 && corners.length > 2 && pointer === null && apart(spot.plane.toScreen(corners[0]!), spot.screen) < 5) return;
    corners[held] = pointer = spot.at;
    drawing.redraw();
  },
  up(_, drawing) {
    const first = held === 0 && corners.length > 2 && pointer === null;
    held = null;
    if (first) close(drawing);
  },
  hover(spot, drawing) {
    const before = pointer;
    pointer = spot && same(spot.plane) ? spot.at : null;
    if (before || pointer) drawing.redraw();
  },
  cancel(drawing) {
    const some = corners.length > 0;
    drop();
    if (some) drawing.redraw();
    return some;
  },
  pending: () => corners.length > 0,
  leave(drawing) {
    if (corners.length) drawing.say("The polygon that was not closed is gone.");
    drop();
  },
  keys: (drawing) => [
    { keys: ["Enter"], does: "close the polygon", act: () => close(drawing) },
    {
      keys: ["Backspace"],
      does: "take the last corner of the polygon back",
      act: () => {
        corners.pop();
        if (!corners.length) drop();
        drawing.redraw();
      },
    },
  ],
  controls: (drawing) => [
    h("button", { id: "polygon-close", onclick: () => close(drawing) }, "Close"),
    h("button", { id: "polygon-cut", title: "Close it and take away what is drawn inside, of any class", onclick: () => close(drawing, true) }, "Cut out"),
  ],
  marks(pen, plane, drawing) {
    if (!same(plane) || !corners.length) return;
    const points = corners.map((c) => plane.toScreen(c));
    const line = [...points, ...(pointer && held === null ? [plane.toScreen(pointer)] : [])];
    const colour = drawing.label?.colour ?? "#ffffff";
    for (const [style, width] of [["rgb(0 0 0 / 0.75)", 4], [colour, 2]] as const) {
      pen.strokeStyle = style;
      pen.lineWidth = width;
      pen.beginPath();
      line.forEach(([x, y], k) => (k ? pen.lineTo(x, y) : pen.moveTo(x, y)));
      pen.stroke();
    }
    points.forEach(([x, y], k) => {
      pen.beginPath();
      pen.arc(x, y, k === 0 && points.length > 2 ? 6 : 4, 0, 2 * Math.PI);
      pen.fillStyle = k === 0 ? "#ffffff" : colour;
      pen.strokeStyle = "rgb(0 0 0 / 0.75)";
      pen.lineWidth = 1.5;
      pen.fill();
      pen.stroke();
    });
  },
};
