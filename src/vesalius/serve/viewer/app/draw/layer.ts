// The layer of what is drawn, between the planes and the marks over them: only voxels that changed are painted anew.
import { rgb } from "../colours.ts";
import { edges } from "../contours.ts";
import { strides, type Plane } from "./plane.ts";
import type { DrawnLabel } from "./table.ts";
import type { Extent, Work } from "./work.ts";

/** How labels are shown. */
export interface Manner {
  opacity: number;
  outline: boolean;
  hidden: ReadonlySet<number>;
}

/** A slice as a picture, a pixel a voxel, kept as long as it is seen. */
interface Sheet {
  canvas: OffscreenCanvas;
  work: Work;
  slice: number;
  manner: string;
}

const LINE = 1.5; // pixels of an outline

export class Layer {
  private sheets = new Map<string, Sheet>();
  private asked = false;
  private parts: Extent[] = [];

  constructor(
    private canvas: HTMLCanvasElement,
    private scene: () => { work: Work; labels: readonly DrawnLabel[]; manner: Manner; planes: Plane[]; marks: (pen: CanvasRenderingContext2D, plane: Plane) => void } | null,
  ) {}

  /** Draw before the next frame is seen. */
  request(): void {
    if (this.asked) return;
    this.asked = true;
    requestAnimationFrame(() => {
      if (this.asked) this.draw();
    });
  }

  /** Another image, other labels or another manner: nothing that is kept holds. */
  forget(): void {
    this.sheets.clear();
  }

  draw(): void {
    this.asked = false;
    const { canvas } = this;
    const scene = this.scene();
    const ratio = devicePixelRatio || 1;
    const [wide, high] = [Math.round(canvas.clientWidth * ratio), Math.round(canvas.clientHeight * ratio)];
    if (canvas.width !== wide || canvas.height !== high) [canvas.width, canvas.height] = [wide, high];
    const pen = canvas.getContext("2d")!;
    pen.setTransform(1, 0, 0, 1, 0, 0);
    pen.clearRect(0, 0, wide, high);
    if (!scene) return;
    const { work, labels, manner, planes, marks } = scene;
    const stale = work.takeStale();
    if (stale) this.parts = [stale];
    const key = JSON.stringify([manner.outline, [...manner.hidden], labels.map((l) => [l.value, l.colour])]);
    const seen = new Set<string>();
    for (const plane of planes) {
      seen.add(plane.tile.name);
      pen.setTransform(ratio, 0, 0, ratio, 0, 0);
      pen.save();
      pen.beginPath();
      pen.rect(plane.tile.left, plane.tile.top, plane.tile.width, plane.tile.height);
      pen.clip();
      if (manner.outline) outlined(pen, plane, work, labels, manner);
      else {
        const sheet = this.sheet(plane, work, labels, manner, key);
        const [o, u, v] = corners(plane);
        const [n, m] = [work.grid.size[plane.across], work.grid.size[plane.along]];
        pen.save();
        pen.transform((u[0] - o[0]) / n, (u[1] - o[1]) / n, (v[0] - o[0]) / m, (v[1] - o[1]) / m, o[0], o[1]);
        pen.imageSmoothingEnabled = false;
        pen.globalAlpha = manner.opacity;
        pen.drawImage(sheet, 0, 0);
        pen.restore();
      }
      marks(pen, plane);
      pen.restore();
    }
    this.parts = [];
    for (const name of [...this.sheets.keys()]) if (!seen.has(name)) this.sheets.delete(name);
  }

  /** The picture of a plane, renewed where voxels changed. */
  private sheet(plane: Plane, work: Work, labels: readonly DrawnLabel[], manner: Manner, key: string): OffscreenCanvas {
    const { axis, across, along, slice } = plane;
    const [wide, high] = [work.grid.size[across], work.grid.size[along]];
    let held = this.sheets.get(plane.tile.name);
    const whole = !held || held.work !== work || held.slice !== slice || held.manner !== key || held.canvas.width !== wide || held.canvas.height !== high;
    if (whole) {
      const canvas = held?.canvas.width === wide && held.canvas.height === high ? held.canvas : new OffscreenCanvas(wide, high);
      held = { canvas, work, slice, manner: key };
      this.sheets.set(plane.tile.name, held);
    }
    const all: Extent = { low: [0, 0, 0], high: [...work.grid.size] };
    for (const { low, high: top } of whole ? [all] : this.parts) {
      if (slice < low[axis] || slice >= top[axis] || top[across] <= low[across] || top[along] <= low[along]) continue;
      const [n, m] = [top[across] - low[across], top[along] - low[along]];
      const picture = new ImageData(n, m);
      const pixels = new Uint32Array(picture.data.buffer);
      const table = tableOf(labels, manner.hidden);
      const step = strides(work.grid.size);
      for (let v = 0, k = 0; v < m; v++) {
        let at = slice * step[axis] + (low[along] + v) * step[along] + low[across] * step[across];
        for (let u = 0; u < n; u++, k++, at += step[across]) pixels[k] = table[work.labels[at]!]!;
      }
      held!.canvas.getContext("2d")!.putImageData(picture, low[across], low[along]);
    }
    return held!.canvas;
  }
}

/** The screen's places of a plane's first voxel, and of its ends sideways and up or down. */
function corners(plane: Plane): [readonly [number, number], readonly [number, number], readonly [number, number]] {
  const { size } = plane.grid;
  const at = (u: number, v: number) => {
    const place: [number, number, number] = [0, 0, 0];
    [place[plane.axis], place[plane.across], place[plane.along]] = [plane.slice + 0.5, u, v];
    return plane.toScreen(place);
  };
  return [at(0, 0), at(size[plane.across], 0), at(0, size[plane.along])];
}

/** The colours of all values as four bytes each; values that are hidden, or no class's, are clear. */
function tableOf(labels: readonly DrawnLabel[], hidden: ReadonlySet<number>): Uint32Array {
  const bytes = new Uint8Array(4 * 256);
  for (const label of labels) if (!hidden.has(label.value)) bytes.set([...rgb(label.colour), 255], 4 * label.value);
  return new Uint32Array(bytes.buffer);
}

function outlined(pen: CanvasRenderingContext2D, plane: Plane, work: Work, labels: readonly DrawnLabel[], manner: Manner): void {
  const { axis, across, along, slice } = plane;
  const size: [number, number] = [work.grid.size[across], work.grid.size[along]];
  const step = strides(work.grid.size);
  const values = new Int32Array(size[0] * size[1]);
  for (let v = 0, k = 0; v < size[1]; v++) {
    let at = slice * step[axis] + v * step[along];
    for (let u = 0; u < size[0]; u++, k++, at += step[across]) values[k] = manner.hidden.has(work.labels[at]!) ? 0 : work.labels[at]!;
  }
  const [o, a, b] = corners(plane);
  const [dx, dy] = [(a[0] - o[0]) / size[0], (b[1] - o[1]) / size[1]];
  const paths = new Map(labels.map((l) => [l.value, new Path2D()]));
  for (const run of edges(values, size)) {
    const path = paths.get(run.label);
    const inwards = ((run.side * LINE) / 2) * Math.sign(run.across ? dy : dx);
    if (run.across) {
      path?.moveTo(o[0] + run.from * dx, o[1] + run.at * dy + inwards);
      path?.lineTo(o[0] + run.to * dx, o[1] + run.at * dy + inwards);
    } else {
      path?.moveTo(o[0] + run.at * dx + inwards, o[1] + run.from * dy);
      path?.lineTo(o[0] + run.at * dx + inwards, o[1] + run.to * dy);
    }
  }
  pen.lineWidth = LINE;
  for (const label of labels) {
    pen.strokeStyle = label.colour;
    pen.stroke(paths.get(label.value)!);
  }
}
