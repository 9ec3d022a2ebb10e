// What is drawn over the planes: letters of orientation, boxes with their labels, and measurements.
import type { Contour } from "./contours.ts";
import { scaleBar, sliceText, type Legend } from "./legend.ts";
import { lettersOf } from "./letters.ts";
import type { Measure } from "./ruler.ts";
import { within, type Axis, type Point, type Tile, type Triple } from "./tiles.ts";

/** A box of an answer, in fractions of the image's extent, `low` below `high` along each axis. */
export interface Framed {
  low: Triple;
  high: Triple;
  text: string;
  colour: string;
  dashed: boolean;
  /** The one that was gone to: it has its words however many there are. */
  chosen: boolean;
}

/** The outlines of labels in one plane, and their colours. */
export interface Outline extends Contour {
  colour: Map<number, string>;
}

export interface Drawn {
  /** Where the cross is; null without an image. */
  cross: Triple | null;
  tiles: Tile[];
  /** Of each tile; none where labels are filled. */
  outlines: Outline[][];
  /** Of each tile; none without an image. */
  legends: Legend[];
  oriented: boolean;
  boxes: Framed[];
  measures: Measure[];
  pending: { axis: Axis; slice: number; lines: [Triple, Triple][] } | null;
  toMm(fraction: Triple): number[];
}

const [LIGHT, AMBER, DARK] = ["#7ce4f2", "#f2993a", "rgb(0 0 0 / 0.75)"];
const CROSS = "rgb(242 204 77 / 0.6)";
const NARROW = 56; // pixels; a plane of less has its letters beside it
const DASHES = [5, 4];
const WORDED = 12; // boxes of a plane that each have their words; of more they would hide the image
const FINE = 1.5; // pixels of an outline
const OFF = 12; // from the middle, where the cross is at first
const LINE = 18; // pixels from one line of words to the next
const PALE = "#d8dadd";
const SMALL = "12px system-ui, sans-serif";
const FONT = "13px system-ui, sans-serif";

export class Over {
  constructor(private canvas: HTMLCanvasElement) {}

  draw(drawn: Drawn): void {
    const { canvas } = this;
    const ratio = devicePixelRatio || 1;
    const [wide, high] = [Math.round(canvas.clientWidth * ratio), Math.round(canvas.clientHeight * ratio)];
    if (canvas.width !== wide || canvas.height !== high) [canvas.width, canvas.height] = [wide, high];
    const pen = canvas.getContext("2d")!;
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, canvas.clientWidth, canvas.clientHeight);
    pen.font = FONT;
    const said: string[] = [];
    const scales: string[] = [];
    const words: string[] = [];
    for (const [k, tile] of drawn.tiles.entries()) {
      pen.save();
      pen.beginPath();
      pen.rect(tile.left, tile.top, tile.width, tile.height);
      pen.clip();
      for (const one of drawn.outlines[k] ?? []) outline(pen, tile, one);
      if (drawn.cross) crossed(pen, tile, drawn.cross);
      const cut = drawn.boxes.filter((box) => tile.fraction >= box.low[tile.axis] && tile.fraction < box.high[tile.axis]);
      for (const box of cut) frame(pen, tile, box, cut.length <= WORDED || box.chosen);
      const taken: Rect[] = [];
      for (const m of drawn.measures) if (m.axis === tile.axis && m.slice === tile.slice) measured(pen, tile, m, taken);
      words.push(...taken.map((r) => r.map(Math.round).join(",")));
      const { pending } = drawn;
      if (pending && pending.axis === tile.axis && pending.slice === tile.slice) for (const line of pending.lines) ruled(pen, tile, line);
      pen.restore();
      const legend = drawn.legends[k];
      if (legend) scales.push(foot(pen, tile, legend, drawn.toMm));
      if (drawn.oriented) said.push(letters(pen, tile, drawn.toMm));
    }
    canvas.dataset.letters = said.join("; "); // what is drawn cannot be read from a canvas
    canvas.dataset.words = words.join("; ");
    canvas.dataset.legends = scales.join("; ");
  }
}

/** Outlines, each on its label's own side of the edge, so that those of neighbours lie side by side. */
function outline(pen: CanvasRenderingContext2D, tile: Tile, { size, runs, colour }: Outline): void {
  const [i, j] = [0, 1, 2].filter((axis) => axis !== tile.axis) as [Axis, Axis];
  const screen = (u: number, v: number): Point => {
    const at: Triple = [0, 0, 0];
    [at[tile.axis], at[i], at[j]] = [tile.fraction, u / size[0], v / size[1]];
    return tile.toScreen(at);
  };
  const paths = new Map([...colour.keys()].map((label) => [label, new Path2D()]));
  const [o, u, v] = [screen(0, 0), screen(1, 0), screen(0, 1)];
  const across = [Math.sign(u[0] - o[0]), Math.sign(v[1] - o[1])]; // u runs sideways on the screen, v up or down
  for (const run of runs) {
    const [a, b] = run.across ? [screen(run.from, run.at), screen(run.to, run.at)] : [screen(run.at, run.from), screen(run.at, run.to)];
    const inwards = (run.side * across[run.across]! * FINE) / 2;
    const [dx, dy] = run.across ? [0, inwards] : [inwards, 0];
    const path = paths.get(run.label);
    path?.moveTo(a[0] + dx, a[1] + dy);
    path?.lineTo(b[0] + dx, b[1] + dy);
  }
  pen.lineWidth = FINE;
  for (const [label, path] of paths) {
    pen.strokeStyle = colour.get(label)!;
    pen.stroke(path);
  }
}

/** The cross, as far as the image reaches. */
function crossed(pen: CanvasRenderingContext2D, tile: Tile, at: Triple): void {
  const [[x, y], [ax, ay], [bx, by]] = [tile.toScreen(at), tile.toScreen([0, 0, 0]), tile.toScreen([1, 1, 1])];
  pen.strokeStyle = CROSS;
  pen.lineWidth = 1;
  pen.beginPath();
  pen.moveTo(ax, Math.floor(y) + 0.5);
  pen.lineTo(bx, Math.floor(y) + 0.5);
  pen.moveTo(Math.floor(x) + 0.5, ay);
  pen.lineTo(Math.floor(x) + 0.5, by);
  pen.stroke();
}

/** A box that the plane cuts, with its words where they are wanted. */
function frame(pen: CanvasRenderingContext2D, tile: Tile, box: Framed, worded: boolean): void {
  const [a, b] = [tile.toScreen(box.low), tile.toScreen(box.high)];
  const [x, y] = [Math.min(a[0], b[0]), Math.min(a[1], b[1])];
  const [wide, high] = [Math.abs(a[0] - b[0]), Math.abs(a[1] - b[1])];
  const thick = box.chosen ? 3 : 2;
  for (const [colour, width] of [[DARK, thick + 2], [box.colour, thick]] as const) {
    pen.strokeStyle = colour;
    pen.lineWidth = width;
    pen.setLineDash(box.dashed ? DASHES : []);
    pen.strokeRect(x, y, wide, high);
  }
  pen.setLineDash([]);
  if (worded) written(pen, tile, box.text, [x, y - 10 > tile.top + 8 ? y - 10 : y + high + 12], box.colour);
}

/** A measure with its words, which make way for those that stand there already. */
function measured(pen: CanvasRenderingContext2D, tile: Tile, measure: Measure, taken: Rect[]): void {
  for (const line of measure.lines) ruled(pen, tile, line);
  const [x, y] = tile.toScreen(measure.at);
  const wide = pen.measureText(measure.text).width;
  let found = inside(tile, [x + 8, y - 12], wide);
  for (let k = 1; k < 16 && taken.some((r) => meet(r, [...found, wide])); k++) {
    const away = LINE * Math.ceil(k / 2) * (k % 2 ? 1 : -1); // below, above, further below …
    found = inside(tile, [x + 8, y - 12 + away], wide);
  }
  taken.push([...found, wide]);
  inked(pen, measure.text, found, LIGHT, "left");
}

/** The left end and the middle of the height of a text, and its width. */
type Rect = [number, number, number];
const meet = (a: Rect, b: Rect): boolean => Math.abs(a[1] - b[1]) < LINE && a[0] < b[0] + b[2] + 4 && b[0] < a[0] + a[2] + 4;

/** Which slice a plane is, at its lower left; a bar of a known length at its lower right. Returns what is said. */
function foot(pen: CanvasRenderingContext2D, tile: Tile, legend: Legend, toMm: (f: Triple) => number[]): string {
  const { left, top, width, height } = tile;
  const said: string[] = [];
  const y = top + height - 12;
  pen.font = SMALL;
  const room = width / 2 - 24; // the letter of the lower edge stands in the middle
  const words = sliceText(tile, legend, toMm);
  const fits = [words, words.split(" · ")[0]!].find((text) => text && pen.measureText(text).width < room);
  if (fits) inked(pen, fits, [left + 8, y], PALE, "left");
  if (words) said.push(words);
  const bar = scaleBar(tile, legend, toMm);
  if (bar && height > NARROW) {
    const [from, to] = [left + width - 10 - bar.pixels, left + width - 10];
    for (const [colour, thick] of [[DARK, 4], [PALE, 2]] as const) {
      pen.strokeStyle = colour;
      pen.lineWidth = thick;
      pen.beginPath();
      pen.moveTo(from, y - 4);
      pen.lineTo(from, y + 2);
      pen.lineTo(to, y + 2);
      pen.lineTo(to, y - 4);
      pen.stroke();
    }
    inked(pen, bar.text, [to, y - 10], PALE, "right");
    said.push(`${bar.text} = ${bar.pixels.toFixed(1)} px`);
  }
  pen.font = FONT;
  return `${tile.name}: ${said.join(", ")}`;
}

function ruled(pen: CanvasRenderingContext2D, tile: Tile, line: [Triple, Triple]): void {
  const [a, b] = [tile.toScreen(line[0]), tile.toScreen(line[1])];
  for (const [colour, width] of [[DARK, 4], [LIGHT, 2]] as const) {
    pen.strokeStyle = pen.fillStyle = colour;
    pen.lineWidth = width;
    pen.beginPath();
    pen.moveTo(...a);
    pen.lineTo(...b);
    pen.stroke();
    for (const end of [a, b]) {
      pen.beginPath();
      pen.arc(...end, width + 1, 0, 2 * Math.PI);
      pen.fill();
    }
  }
}

/** At the edges of a plane; beside them where it is too narrow to hold them. Returns them: left, right, top, bottom. */
function letters(pen: CanvasRenderingContext2D, tile: Tile, toMm: (f: Triple) => number[]): string {
  const { left, top, width, height } = tile;
  const [x, y] = [left + width / 2, top + height / 2];
  const mm = (at: Point) => toMm(tile.toFraction(at));
  const towards = (dx: number, dy: number) => lettersOf(mm([x + dx, y + dy]).map((v, k) => v - mm([x, y])[k]!));
  const [right, bottom] = [left + width, top + height];
  const found = { left: towards(-1, 0), right: towards(1, 0), top: towards(0, -1), bottom: towards(0, 1) };
  const beside = width < NARROW;
  const inset = height < NARROW ? -11 : 11;
  inked(pen, found.left, [beside ? left - 6 : left + 6, y - OFF], AMBER, beside ? "right" : "left");
  inked(pen, found.right, [beside ? right + 6 : right - 6, y - OFF], AMBER, beside ? "left" : "right");
  inked(pen, found.top, [x + OFF, top + inset], AMBER, "center");
  inked(pen, found.bottom, [x + OFF, bottom - inset], AMBER, "center");
  return `${tile.name} ${found.left} ${found.right} ${found.top} ${found.bottom}`;
}

/** A text that is moved so that all of it lies on its plane. */
function written(pen: CanvasRenderingContext2D, tile: Tile, text: string, at: Point, colour: string): void {
  inked(pen, text, inside(tile, at, pen.measureText(text).width), colour, "left");
}

/** Where a text of a width begins, moved so that all of it lies on its plane. */
function inside(tile: Tile, at: Point, wide: number): Point {
  const [x, y] = within(tile, at);
  return [Math.max(tile.left + 3, Math.min(x, tile.left + tile.width - wide - 3)), Math.max(tile.top + 9, Math.min(y, tile.top + tile.height - 9))];
}

/** A text with a dark rim. */
function inked(pen: CanvasRenderingContext2D, text: string, [x, y]: Point, colour: string, align: CanvasTextAlign): void {
  pen.textAlign = align;
  pen.textBaseline = "middle";
  pen.lineJoin = "round";
  pen.strokeStyle = DARK;
  pen.lineWidth = 4;
  pen.strokeText(text, x, y);
  pen.fillStyle = colour;
  pen.fillText(text, x, y);
}
