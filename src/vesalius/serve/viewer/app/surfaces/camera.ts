// Where one looks at surfaces from: turned about the patient's axis, without perspective, so that lengths stay true.
import type { Triple } from "../tiles.ts";

const dot = (a: Triple, b: Triple): number => a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
const NAMES: [string, string][] = [["R", "L"], ["A", "P"], ["I", "S"]];
const PLAIN = Math.cos((15 * Math.PI) / 180); // nearer than this to an axis of the body, a direction has its letter

export class Camera {
  azimuth = 0; // degrees; 0 from the front, 90 from the patient's left
  elevation = 0;
  zoom = 1;

  constructor(
    readonly middle: Triple,
    readonly radius: number,
  ) {}

  reset(): void {
    [this.azimuth, this.elevation, this.zoom] = [20, 10, 1];
  }

  turn(azimuth: number, elevation: number): void {
    this.azimuth = (this.azimuth + azimuth) % 360;
    this.elevation = Math.max(-90, Math.min(90, this.elevation + elevation));
  }

  closer(by: number): void {
    this.zoom = Math.max(0.5, Math.min(20, this.zoom * by));
  }

  /** The screen's right, up, and away from the viewer, in LPS. */
  get axes(): [Triple, Triple, Triple] {
    const [a, e] = [this.azimuth, this.elevation].map((d) => (d * Math.PI) / 180) as [number, number];
    const right: Triple = [Math.cos(a), Math.sin(a), 0];
    const level: Triple = [Math.sin(a), -Math.cos(a), 0]; // from the patient to the viewer
    const up: Triple = [-Math.sin(e) * level[0], -Math.sin(e) * level[1], Math.cos(e)];
    const away: Triple = [up[1] * right[2] - up[2] * right[1], up[2] * right[0] - up[0] * right[2], up[0] * right[1] - up[1] * right[0]];
    return [right, up, away];
  }

  /** Pixels of a millimetre, on a canvas of this size. */
  perMm(width: number, height: number): number {
    return (this.zoom * Math.min(width, height) * 0.44) / this.radius;
  }

  /** Where a point in LPS is on the canvas, and how far away in millimetres. */
  laid(point: ArrayLike<number>, width: number, height: number): Triple {
    const from: Triple = [point[0]! - this.middle[0], point[1]! - this.middle[1], point[2]! - this.middle[2]];
    const [right, up, away] = this.axes;
    const scale = this.perMm(width, height);
    return [width / 2 + scale * dot(from, right), height / 2 - scale * dot(from, up), dot(from, away)];
  }

  /** The patient's letters at the right and at the top; empty where the view is oblique. */
  letters(): { left: string; right: string; top: string; bottom: string } {
    const [right, up] = this.axes;
    const of = (d: Triple): [string, string] => {
      const k = [0, 1, 2].reduce((best, n) => (Math.abs(d[n]!) > Math.abs(d[best]!) ? n : best), 0);
      if (Math.abs(d[k]!) < PLAIN) return ["", ""];
      return d[k]! > 0 ? [NAMES[k]![0], NAMES[k]![1]] : [NAMES[k]![1], NAMES[k]![0]];
    };
    const [[left, rightmost], [bottom, top]] = [of(right), of(up)];
    return { left, right: rightmost, top, bottom };
  }
}

/** The camera that shows all points. */
export function cameraOf(clouds: Float32Array[]): Camera {
  const [low, high]: [Triple, Triple] = [[Infinity, Infinity, Infinity], [-Infinity, -Infinity, -Infinity]];
  for (const points of clouds)
    for (let i = 0; i < points.length; i++) {
      const k = i % 3;
      low[k] = Math.min(low[k]!, points[i]!);
      high[k] = Math.max(high[k]!, points[i]!);
    }
  const middle = low.map((x, k) => (x + high[k]!) / 2) as Triple;
  const camera = new Camera(middle, Math.max(1e-3, Math.hypot(...low.map((x, k) => (high[k]! - x) / 2))));
  camera.reset();
  return camera;
}
