// Box: drawn by dragging, moved by its inside and resized by its corners and edges, in whichever plane it is seen.
import { h } from "../../dom.ts";
import type { Plane } from "../plane.ts";
import type { Drawing, DrawTool, Spot } from "../table.ts";
import type { Axis, Point, Triple } from "../../tiles.ts";
import type { DrawnBox } from "../work.ts";

const NEAR = 8;
const NEAR_TOUCH = 18;
const LEAST = 4; // pixels; less is a click

/** What of a box is held: for each of the plane's axes its low side, its high side, both (to move it) or neither. */
interface Hold {
  box: number;
  across: "low" | "high" | "both" | null;
  along: "low" | "high" | "both" | null;
  from: Triple;
  was: DrawnBox;
}

let hold: Hold | null = null;
let chosen: number | null = null;
let fresh: { from: Spot; to: Spot } | null = null;
let moving: DrawnBox | null = null;

const cuts = (box: DrawnBox, plane: Plane): boolean => plane.slice + 0.5 > box.low[plane.axis] && plane.slice + 0.5 < box.high[plane.axis];

function ends(box: DrawnBox, plane: Plane): [Point, Point] {
  const [low, high] = [box.low, box.high].map((c) => plane.toScreen(c)) as [Point, Point];
  return [low, high];
}

/** What of a box a point of the screen takes hold of; null where it is beside it. */
function gripOf(box: DrawnBox, plane: Plane, [x, y]: Point, near: number): Pick<Hold, "across" | "along"> | null {
  const [a, b] = ends(box, plane);
  const side = (v: number, low: number, high: number): Hold["across"] | undefined => {
    const within = v > Math.min(low, high) && v < Math.max(low, high);
    const reach = within ? Math.min(near, Math.abs(high - low) / 3) : near; // of a thin box the middle third moves it
    const [toLow, toHigh] = [Math.abs(v - low), Math.abs(v - high)];
    if (Math.min(toLow, toHigh) <= reach) return toLow < toHigh ? "low" : "high";
    return within ? null : undefined;
  };
  const [across, along] = [side(x, a[0], b[0]), side(y, a[1], b[1])];
  if (across === undefined || along === undefined) return null;
  return across || along ? { across, along } : { across: "both", along: "both" };
}

function found(spot: Spot, drawing: Drawing): { box: number; grip: Pick<Hold, "across" | "along"> } | null {
  const { boxes } = drawing.work;
  const order = [...boxes.keys()].reverse();
  if (chosen !== null && boxes[chosen]) order.unshift(chosen);
  const held = order.map((box) => ({ box, grip: cuts(boxes[box]!, spot.plane) ? gripOf(boxes[box]!, spot.plane, spot.screen, spot.touch ? NEAR_TOUCH : NEAR) : null })).filter((f) => f.grip);
  const edge = held.find((f) => f.grip!.across !== "both"); // an edge is meant before an inside that it lies in
  return (edge ?? held[0] ?? null) as ReturnType<typeof found>;
}

const clamped = (v: number, most: number): number => Math.min(most, Math.max(0, v));

/** A box between two places of a plane, in whole voxels that it touches, one slice thick. */
function spanned(from: Spot, to: Spot, value: number): DrawnBox {
  const { plane } = from;
  const [low, high]: [Triple, Triple] = [[0, 0, 0], [0, 0, 0]];
  [low[plane.axis], high[plane.axis]] = [plane.slice, plane.slice + 1];
  for (const k of [plane.across, plane.along]) {
    const [a, b] = [from.at[k], to.at[k]].map((v) => clamped(v, plane.grid.size[k])) as [number, number];
    low[k] = Math.min(plane.grid.size[k] - 1, Math.floor(Math.min(a, b)));
    high[k] = Math.max(low[k] + 1, Math.ceil(Math.max(a, b)));
  }
  return { low, high, value };
}

/** The box as it is when what is held has come to a place. */
function pulled(by: Hold, spot: Spot): DrawnBox {
  const [low, high]: [Triple, Triple] = [[...by.was.low], [...by.was.high]];
  const pull = (k: Axis, side: Hold["across"]) => {
    const most = spot.plane.grid.size[k];
    if (side === "low") low[k] = Math.min(high[k] - 1, Math.round(clamped(spot.at[k], most)));
    if (side === "high") high[k] = Math.max(low[k] + 1, Math.round(clamped(spot.at[k], most)));
    if (side !== "both") return;
    const by_ = Math.min(most - high[k], Math.max(-low[k], Math.round(spot.at[k] - by.from[k])));
    [low[k], high[k]] = [low[k] + by_, high[k] + by_];
  };
  pull(spot.plane.across, by.across);
  pull(spot.plane.along, by.along);
  return { ...by.was, low, high };
}

const alike = (a: DrawnBox, b: DrawnBox): boolean => JSON.stringify(a) === JSON.stringify(b);

/** Take a box away, or give it another class. */
export function changeBox(drawing: Drawing, which: number, to: DrawnBox | null): void {
  const boxes = drawing.work.boxes.flatMap((b, k) => (k !== which ? [b] : to ? [to] : []));
  if (!to) chosen = null;
  drawing.work.setBoxes(to ? "Box changed" : "Box removed", boxes);
}

/** Which box is chosen, and choosing one. */
export const chosenBox = (): number | null => chosen;
export function chooseBox(which: number | null): void {
  chosen = which;
}

export const box: DrawTool = {
  name: "box",
  title: "Box",
  key: "o",
  makes: "boxes",
  help: "Drag a new box; drag its edges or corners to resize it, its inside to move it. In a volume it is one slice thick until it is pulled in another plane. Delete removes the chosen one.",
  cursor(spot, drawing) {
    const grip = hold ?? found(spot, drawing)?.grip;
    if (!grip) return "crosshair";
    if (grip.across === "both") return "move";
    return !grip.along ? "ew-resize" : !grip.across ? "ns-resize" : "crosshair";
  },
  down(spot, drawing) {
    const at = found(spot, drawing);
    if (at) {
      chosen = at.box;
      hold = { box: at.box, ...at.grip, from: spot.at, was: drawing.work.boxes[at.box]! };
    } else if (drawing.label) {
      chosen = null;
      fresh = { from: spot, to: spot };
    }
    drawing.redraw();
  },
  drag(spots, drawing) {
    const spot = spots.at(-1);
    if (!spot) return;
    if (hold) moving = pulled(hold, spot);
    else if (fresh) fresh.to = spot;
    drawing.redraw();
  },
  up(_, drawing) {
    const { work, label } = drawing;
    const [was, now, begun] = [hold, moving, fresh];
    hold = moving = fresh = null;
    if (was && now && !alike(was.was, now)) work.setBoxes("Box changed", work.boxes.map((b, k) => (k === was.box ? now : b)));
    else if (begun && label && Math.hypot(begun.to.screen[0] - begun.from.screen[0], begun.to.screen[1] - begun.from.screen[1]) >= LEAST) {
      chosen = work.boxes.length;
      work.setBoxes("Box", [...work.boxes, spanned(begun.from, begun.to, label.value)]);
    } else drawing.redraw();
  },
  cancel(drawing) {
    const some = hold !== null || fresh !== null;
    hold = moving = fresh = null;
    if (some) drawing.redraw();
    return some;
  },
  leave() {
    hold = moving = fresh = chosen = null;
  },
  keys: (drawing) => [
    { keys: ["Delete", "Backspace"], does: "remove the chosen box", act: () => chosen !== null && changeBox(drawing, chosen, null) },
  ],
  controls: (drawing) => [h("button", { id: "box-remove", title: "Remove the chosen box (Delete)", onclick: () => chosen !== null && changeBox(drawing, chosen, null) }, "Remove box")],
};

/** Draw all boxes that a plane cuts; the chosen one has handles. */
export function boxMarks(pen: CanvasRenderingContext2D, plane: Plane, drawing: Drawing, hidden: ReadonlySet<number>): void {
  const { work, labels, label } = drawing;
  const all = work.boxes.map((b, k) => (hold?.box === k && moving ? moving : b));
  if (fresh && label && fresh.from.plane.axis === plane.axis) all.push(spanned(fresh.from, fresh.to, label.value));
  all.forEach((b, k) => {
    if (!cuts(b, plane) || hidden.has(b.value)) return;
    const known = labels.find((l) => l.value === b.value);
    const [one, other] = ends(b, plane);
    const [x, y, wide, high] = [Math.min(one[0], other[0]), Math.min(one[1], other[1]), Math.abs(one[0] - other[0]), Math.abs(one[1] - other[1])];
    for (const [style, width] of [["rgb(0 0 0 / 0.75)", 4], [known?.colour ?? "#ffffff", 2]] as const) {
      pen.strokeStyle = style;
      pen.lineWidth = width;
      pen.strokeRect(x, y, wide, high);
    }
    pen.font = "13px system-ui, sans-serif";
    pen.textAlign = "left";
    pen.textBaseline = "bottom";
    pen.lineWidth = 4;
    pen.strokeStyle = "rgb(0 0 0 / 0.75)";
    pen.fillStyle = known?.colour ?? "#ffffff";
    const top = y - 4 > plane.tile.top + 14 ? y - 4 : y + high + 17;
    pen.strokeText(known?.name ?? "?", x, top);
    pen.fillText(known?.name ?? "?", x, top);
    if (k !== chosen) return;
    for (const [hx, hy] of [[0, 0], [0.5, 0], [1, 0], [0, 0.5], [1, 0.5], [0, 1], [0.5, 1], [1, 1]] as const) {
      pen.fillStyle = "#ffffff";
      pen.strokeStyle = "#000000";
      pen.lineWidth = 1;
      pen.fillRect(x + hx * wide - 4, y + hy * high - 4, 8, 8);
      pen.strokeRect(x + hx * wide - 4, y + hy * high - 4, 8, 8);
    }
  });
}
