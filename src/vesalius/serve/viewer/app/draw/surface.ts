// Where one draws: the pointer's events over the planes go to the tool, two fingers zoom and move, and all else is the stage's.
import { tileAt, within, type Point } from "../tiles.ts";
import type { Plane } from "./plane.ts";
import type { Drawing, DrawTool, Spot } from "./table.ts";

export interface Under {
  planes(): Plane[];
  /** The tool that is taken up, and what it works on; null where the stage's own tools have the button. */
  tool(): { tool: DrawTool; drawing: Drawing } | null;
  zoom(by: number, plane: Plane, from: Point, to: Point): void;
  /** A plane was pointed at. */
  pointed(plane: Plane): void;
}

interface Finger {
  id: number;
  at: Point;
}

const SETTLE_MS = 60; // a second finger that comes within this is a pinch's, and nothing is drawn before
const AGAIN_MS = 350;

export class Surface {
  private plane: Plane | null = null;
  private down = false;
  private secondary = false;
  private pointer: number | null = null;
  private fingers: Finger[] = [];
  private pinching = false;
  private waiting: { spot: Spot; timer: number } | null = null;
  private last = { at: 0, point: [0, 0] as Point, clicks: 0 };

  constructor(
    private box: HTMLElement,
    private canvas: HTMLCanvasElement,
    private under: Under,
  ) {
    const taken = (type: keyof HTMLElementEventMap, act: (e: never) => void) => box.addEventListener(type, act as EventListener, { capture: true, passive: false });
    taken("pointerdown", (e: PointerEvent) => this.begin(e));
    taken("pointermove", (e: PointerEvent) => this.move(e));
    taken("pointerup", (e: PointerEvent) => this.end(e));
    taken("pointercancel", (e: PointerEvent) => this.lost(e));
    box.addEventListener("pointerleave", () => this.left());
    // the stage's own listeners hear none of what is drawn
    for (const type of ["mousedown", "mousemove", "mouseup", "dblclick"] as const) taken(type, (e: MouseEvent) => this.mine(e) && e.stopPropagation());
    for (const type of ["touchstart", "touchmove", "touchend"] as const) {
      taken(type, (e: TouchEvent) => {
        if (!this.under.tool()) return;
        e.preventDefault();
        e.stopPropagation();
      });
    }
    taken("contextmenu", (e: MouseEvent) => this.under.tool()?.tool.secondary && e.preventDefault());
    taken("wheel", (e: WheelEvent) => this.wheel(e));
  }

  /** Whether the button or a finger is down and draws. */
  get busy(): boolean {
    return this.down || this.waiting !== null;
  }

  /** Give up what is half drawn. True where there was something. */
  cancel(): boolean {
    const at = this.under.tool();
    this.down = false;
    this.unwait();
    return at?.tool.cancel?.(at.drawing) ?? false;
  }

  private mine(e: MouseEvent): boolean {
    if (!this.under.tool()) return false;
    return e.type === "mousemove" ? e.buttons === 0 || this.down : this.takes(e);
  }

  /** Whether a button is the tool's. */
  private takes(e: MouseEvent): boolean {
    return !e.ctrlKey && (e.button === 0 || (e.button === 2 && (this.under.tool()?.tool.secondary ?? false)));
  }

  private point(e: { clientX: number; clientY: number }): Point {
    const box = this.canvas.getBoundingClientRect();
    return [e.clientX - box.x, e.clientY - box.y];
  }

  private spot(e: PointerEvent, plane: Plane): Spot {
    const screen = this.point(e);
    return { plane, screen, at: plane.toGrid(screen), touch: e.pointerType === "touch", shift: e.shiftKey, secondary: this.secondary, clicks: this.last.clicks };
  }

  /** The plane under the pointer; while one draws, that in which one began. */
  private planeAt(e: PointerEvent): Plane | null {
    const planes = this.under.planes();
    if (this.down) return planes.find((p) => p.axis === this.plane?.axis) ?? null;
    const tile = tileAt(planes.map((p) => p.tile), this.point(e));
    return planes.find((p) => p.tile === tile) ?? null;
  }

  private begin(e: PointerEvent): void {
    const at = this.under.tool();
    if (!at) return;
    if (e.pointerType === "touch") {
      this.fingers = [...this.fingers.filter((f) => f.id !== e.pointerId), { id: e.pointerId, at: this.point(e) }];
      if (this.fingers.length > 1) {
        this.unwait();
        if (this.down) at.tool.cancel?.(at.drawing);
        this.down = false;
        this.pinching = true;
        e.stopPropagation();
        return;
      }
    }
    if (!this.takes(e)) return;
    const plane = this.planeAt(e);
    if (!plane) return;
    e.stopPropagation();
    if (e.pointerType !== "touch") e.preventDefault(); // no mouse events of the page's own: focus stays
    this.canvas.focus({ preventScroll: true });
    this.box.setPointerCapture(e.pointerId);
    const point = this.point(e);
    const again = e.timeStamp - this.last.at < AGAIN_MS && Math.hypot(point[0] - this.last.point[0], point[1] - this.last.point[1]) < 8;
    this.last = { at: e.timeStamp, point, clicks: again ? this.last.clicks + 1 : 1 };
    this.under.pointed(plane);
    [this.plane, this.pointer, this.secondary] = [plane, e.pointerId, e.button === 2];
    const spot = this.spot(e, plane);
    if (e.pointerType === "touch") this.waiting = { spot, timer: setTimeout(() => this.start(), SETTLE_MS) as unknown as number };
    else {
      this.down = true;
      at.tool.down(spot, at.drawing);
    }
  }

  /** A finger that was waited for is alone: it draws. */
  private start(): void {
    const { waiting } = this;
    const at = this.under.tool();
    this.unwait();
    if (!waiting || !at) return;
    this.down = true;
    at.tool.down(waiting.spot, at.drawing);
  }

  private unwait(): void {
    if (this.waiting) clearTimeout(this.waiting.timer);
    this.waiting = null;
  }

  private move(e: PointerEvent): void {
    const at = this.under.tool();
    if (!at) return;
    if (this.pinching) {
      this.pinch(e);
      e.stopPropagation();
      return;
    }
    if (this.waiting && e.pointerId === this.pointer) this.start();
    if (this.down && e.pointerId !== this.pointer) return;
    if (!this.down && e.buttons) return; // a window is dragged, or the image
    const plane = this.planeAt(e);
    e.stopPropagation();
    if (this.down) {
      if (!plane) return;
      const all = e.getCoalescedEvents?.() ?? [];
      at.tool.drag?.((all.length ? all : [e]).map((one) => this.spot(one, plane)), at.drawing);
      return;
    }
    const spot = plane && this.spot(e, plane);
    if (plane) this.under.pointed(plane);
    this.canvas.style.cursor = spot ? (at.tool.cursor?.(spot, at.drawing) ?? "crosshair") : "default";
    at.tool.hover?.(spot, at.drawing);
  }

  private end(e: PointerEvent): void {
    const at = this.under.tool();
    this.fingers = this.fingers.filter((f) => f.id !== e.pointerId);
    if (this.pinching) {
      this.pinching = this.fingers.length > 0;
      e.stopPropagation();
      return;
    }
    if (this.waiting) this.start();
    if (!at || !this.down || e.pointerId !== this.pointer) return;
    e.stopPropagation();
    const plane = this.planeAt(e) ?? this.plane!;
    this.down = false;
    at.tool.up?.(this.spot(e, plane), at.drawing);
    if (e.pointerType === "touch") at.tool.hover?.(null, at.drawing);
  }

  /** The browser took the pointer away. */
  private lost(e: PointerEvent): void {
    this.fingers = this.fingers.filter((f) => f.id !== e.pointerId);
    this.pinching = this.pinching && this.fingers.length > 0;
    if (e.pointerId === this.pointer) this.cancel();
  }

  private left(): void {
    const at = this.under.tool();
    if (at && !this.down) at.tool.hover?.(null, at.drawing);
    this.canvas.style.cursor = "";
  }

  /** Two fingers: the point between them stays under them, and what is seen grows as they part. */
  private pinch(e: PointerEvent): void {
    const [a, b] = this.fingers;
    const held = this.fingers.find((f) => f.id === e.pointerId);
    if (!a || !b || !held) return;
    const middle = (): Point => [(a.at[0] + b.at[0]) / 2, (a.at[1] + b.at[1]) / 2];
    const length = () => Math.max(1, Math.hypot(a.at[0] - b.at[0], a.at[1] - b.at[1]));
    const [from, before] = [middle(), length()];
    held.at = this.point(e);
    const planes = this.under.planes();
    const tile = tileAt(planes.map((p) => p.tile), from);
    const plane = planes.find((p) => p.tile === tile);
    if (plane) this.under.zoom(length() / before, plane, from, within(plane.tile, middle()));
  }

  /** The wheel goes through the slices, which is the stage's; with Ctrl it zooms about the pointer. */
  private wheel(e: WheelEvent): void {
    if (!this.under.tool() || !e.ctrlKey) return;
    e.preventDefault();
    e.stopPropagation();
    const point = this.point(e);
    const planes = this.under.planes();
    const tile = tileAt(planes.map((p) => p.tile), point);
    const plane = planes.find((p) => p.tile === tile);
    if (plane) this.under.zoom(Math.exp(-e.deltaY / 400), plane, point, point);
  }
}
