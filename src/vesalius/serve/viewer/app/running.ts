// Running: what answers to a cine's frames have come to, as a small line over the frames, with a dot for the newest.
import { h, svg } from "./dom.ts";

/** The one number of an answer that is followed over frames; `low` and `high` where its scale has ends. */
export interface Followed {
  name: string;
  value: number;
  text: string;
  low?: number;
  high?: number;
  /** Where a call begins. */
  mark?: number;
}

const [WIDTH, HEIGHT, EDGE] = [250, 48, 4];

export class Running {
  readonly element = h("div", { class: "running", hidden: true });
  private points = new Map<number, number>();
  private newest: { frame: number; now: Followed } | null = null;

  clear(): void {
    this.points.clear();
    this.newest = null;
    this.element.hidden = true;
  }

  /** Take an answer to a frame; of a frame that comes again it takes the place of the one before. */
  add(frame: number, now: Followed | null): void {
    if (now === null || !Number.isFinite(now.value)) return;
    this.points.set(frame, now.value);
    this.newest = { frame, now };
  }

  /** Draw what has come, of `frames` in all. */
  draw(frames: number): void {
    if (!this.newest) return;
    const { frame, now } = this.newest;
    const values = [...this.points.values()];
    const [low, high] = [now.low ?? Math.min(...values), now.high ?? Math.max(...values)];
    const x = (at: number) => EDGE + ((WIDTH - 2 * EDGE) * at) / Math.max(1, frames - 1);
    const y = (value: number) => HEIGHT - EDGE - ((HEIGHT - 2 * EDGE) * (value - low)) / (high - low || 1);
    const path = [...this.points].sort(([a], [b]) => a - b).map(([at, value], k) => `${k ? "L" : "M"}${x(at).toFixed(1)},${y(value).toFixed(1)}`);
    const words = `${now.name}: ${now.text} at frame ${frame + 1}, ${values.length} of ${frames} frames answered`;
    const chart = svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": words });
    if (now.mark !== undefined) chart.append(svg("line", { x1: EDGE, x2: WIDTH - EDGE, y1: y(now.mark), y2: y(now.mark), class: "grid" }));
    chart.append(svg("path", { d: path.join(""), fill: "none", class: "line" }), svg("circle", { cx: x(frame), cy: y(now.value), r: 3.5 }));
    this.element.replaceChildren(h("span", { class: "name" }, now.name), h("span", { class: "number" }, now.text), chart as unknown as HTMLElement);
    this.element.hidden = false;
  }
}
