// Distances and angles drawn with the mouse on one plane; lengths and angles are of millimetres, never of the screen.
import { tileAt, within, type Axis, type Point, type Tile, type Triple } from "./tiles.ts";

type Line = [Triple, Triple];

/** What was measured: lines on one slice, in fractions of the image's extent, and what is written beside them. */
export interface Measure {
  axis: Axis;
  slice: number;
  lines: Line[];
  text: string;
  at: Triple;
}

export interface Surface {
  tiles(): Tile[];
  /** A fraction of the image's extent in millimetres. */
  toMm(fraction: Triple): number[];
  redraw(): void;
  distance(mm: number, plane: string): string;
  angle(degrees: number, plane: string): string;
}

const CLICK_PX = 4; // less than this is no drag
const SNAP_PX = 10; // a second line that begins this near to an end of the first shares it

export class Ruler {
  tool: "distance" | "angle" | null = null;
  measures: Measure[] = [];
  private tile: Tile | null = null;
  private start: Point | null = null;
  private end: Point | null = null;
  private kind: "distance" | "angle" = "distance";
  private first: { axis: Axis; slice: number; points: Triple[] } | null = null;

  constructor(
    private canvas: HTMLCanvasElement,
    private surface: Surface,
  ) {
    canvas.addEventListener("pointerdown", (e) => this.down(e));
    canvas.addEventListener("pointermove", (e) => this.move(e));
    canvas.addEventListener("pointerup", (e) => this.up(e));
    canvas.addEventListener("pointercancel", () => this.giveUp());
  }

  clear(): void {
    this.measures = [];
    this.giveUp();
  }

  /** Forget what is half drawn. */
  giveUp(): void {
    this.first = this.tile = this.start = this.end = null;
    this.surface.redraw();
  }

  /** What is half drawn, as lines. */
  get pending(): { axis: Axis; slice: number; lines: Line[] } | null {
    const lines: Line[] = [];
    const place = this.first ?? this.tile;
    if (!place) return null;
    const [a, b] = this.first?.points ?? [];
    if (a && b) lines.push([a, b]);
    if (this.tile && this.end) {
      const from = this.start && this.dragged ? this.shared(this.start) ?? this.tile.toFraction(this.start) : (b ?? a);
      if (from) lines.push([from, this.tile.toFraction(this.end)]);
    }
    return { axis: place.axis, slice: place.slice, lines };
  }

  private get dragged(): boolean {
    return this.start !== null && this.end !== null && apart(this.start, this.end) >= CLICK_PX;
  }

  private point(e: PointerEvent): Point {
    const box = this.canvas.getBoundingClientRect();
    return [e.clientX - box.x, e.clientY - box.y];
  }

  private down(e: PointerEvent): void {
    const kind = e.shiftKey && this.tool !== "angle" ? "distance" : this.tool;
    if (e.button !== 0 || !kind) return;
    const at = this.point(e);
    const tile = tileAt(this.surface.tiles(), at);
    if (!tile) return;
    this.kind = kind;
    if (this.first && (kind !== "angle" || this.first.axis !== tile.axis || this.first.slice !== tile.slice)) this.first = null;
    [this.tile, this.start, this.end] = [tile, at, at];
    this.canvas.setPointerCapture(e.pointerId);
  }

  private move(e: PointerEvent): void {
    const at = this.point(e);
    if (this.start && this.tile) this.end = within(this.tile, at);
    else if (this.first) {
      const tile = tileAt(this.surface.tiles(), at);
      const same = tile && tile.axis === this.first.axis && tile.slice === this.first.slice;
      [this.tile, this.end] = same ? [tile, at] : [null, null];
    } else return;
    this.surface.redraw();
  }

  private up(e: PointerEvent): void {
    if (e.button !== 0 || !this.tile || !this.start) return;
    const { tile, start, dragged } = this;
    const end = within(tile, this.point(e));
    const line: Line = [tile.toFraction(start), tile.toFraction(end)];
    if (this.kind === "distance") {
      if (dragged) this.add(tile, [line], this.surface.distance(this.length(line), tile.name), line[1]);
    } else this.angle(tile, line, dragged);
    this.start = this.end = this.tile = null;
    this.surface.redraw();
  }

  /** A line is dragged, or its ends are clicked; the second may be a click, which begins where the first ended. */
  private angle(tile: Tile, line: Line, dragged: boolean): void {
    const points = this.first?.points ?? [];
    const hold = (held: Triple[]) => (this.first = { axis: tile.axis, slice: tile.slice, points: held });
    if (points.length < 2) {
      hold(dragged ? line : [...points, line[1]]);
      return;
    }
    const [a, b] = points as Line;
    const corner = dragged ? this.shared(this.start!) : b;
    const second: Line = [corner ?? line[0], line[1]];
    const other = corner === a ? b : a;
    const whole = corner ? this.between([corner, other], second) : this.between([a, b], second);
    // lines that share no end have no direction: the angle between them is the smaller one, as Cobb's
    const degrees = corner ? whole : Math.min(whole, 180 - whole);
    this.first = null;
    this.add(tile, [[a, b], second], this.surface.angle(degrees, tile.name), corner ?? second[1]);
  }

  /** The end of the first line that a point lies at, if it does. */
  private shared(at: Point): Triple | null {
    const { first, tile } = this;
    if (!first || !tile || first.points.length < 2) return null;
    const [near] = first.points.map((p) => ({ p, far: apart(tile.toScreen(p), at) })).sort((x, y) => x.far - y.far);
    return near && near.far <= SNAP_PX ? near.p : null;
  }

  private add(tile: Tile, lines: Line[], text: string, at: Triple): void {
    this.measures = [...this.measures, { axis: tile.axis, slice: tile.slice, lines, text, at }];
  }

  private vector([a, b]: Line): number[] {
    const [from, to] = [this.surface.toMm(a), this.surface.toMm(b)];
    return [0, 1, 2].map((k) => to[k]! - from[k]!);
  }

  private length(line: Line): number {
    return Math.hypot(...this.vector(line));
  }

  private between(one: Line, other: Line): number {
    const [u, v] = [this.vector(one), this.vector(other)] as [number[], number[]];
    const across = [u[1]! * v[2]! - u[2]! * v[1]!, u[2]! * v[0]! - u[0]! * v[2]!, u[0]! * v[1]! - u[1]! * v[0]!];
    return (Math.atan2(Math.hypot(...across), u[0]! * v[0]! + u[1]! * v[1]! + u[2]! * v[2]!) * 180) / Math.PI;
  }
}

const apart = (a: Point, b: Point): number => Math.hypot(a[0] - b[0], a[1] - b[1]);
