// Which place of a surface lies under a point of the canvas.
import type { Camera } from "./camera.ts";
import type { Piece } from "./glb.ts";
import type { Triple } from "../tiles.ts";

/** The nearest place (LPS mm) of what is seen under a point of a canvas of this size; null where there is none. */
export function picked(shown: Piece[], camera: Camera, at: [number, number], width: number, height: number): Triple | null {
  let best = Infinity;
  let place: Triple | null = null;
  for (const { points, faces } of shown) {
    const laid = new Float64Array(points.length);
    for (let v = 0; v < points.length; v += 3) laid.set(camera.laid(points.subarray(v, v + 3), width, height), v);
    for (let f = 0; f + 2 < faces.length; f += 3) {
      const [a, b, c] = [3 * faces[f]!, 3 * faces[f + 1]!, 3 * faces[f + 2]!];
      const area = (laid[b]! - laid[a]!) * (laid[c + 1]! - laid[a + 1]!) - (laid[b + 1]! - laid[a + 1]!) * (laid[c]! - laid[a]!);
      if (Math.abs(area) < 1e-9) continue;
      const part = (p: number, q: number) => ((laid[p]! - at[0]) * (laid[q + 1]! - at[1]) - (laid[p + 1]! - at[1]) * (laid[q]! - at[0])) / area;
      const [one, two, three] = [part(b, c), part(c, a), part(a, b)];
      if (one < 0 || two < 0 || three < 0) continue;
      const depth = one * laid[a + 2]! + two * laid[b + 2]! + three * laid[c + 2]!;
      if (depth >= best) continue;
      best = depth;
      place = [0, 1, 2].map((k) => one * points[a + k]! + two * points[b + k]! + three * points[c + k]!) as Triple;
    }
  }
  return place;
}
