// Planes that fill their boxes: side by side they are all at one scale, as many pixels a millimetre in each.
import type { Niivue, SLICE_TYPE } from "@niivue/niivue";

/** A plane and its box, `left, top, width, height` in parts of the canvas. */
export interface Boxed {
  sliceType: SLICE_TYPE;
  position: [number, number, number, number];
}

/** Let the planes of a layout fill their boxes. NiiVue would fit each into its box by itself, at a scale of its own. */
export function fillBoxes(view: Niivue, layout: () => readonly Boxed[] | null): void {
  view.calculateWidthHeight = (_plane, _scale, wide, high) => [wide, high];
  for (const name of ["screenFieldOfViewExtendedVox", "screenFieldOfViewExtendedMM"] as const) {
    const reach = view[name].bind(view);
    view[name] = (plane = 0) => {
      const own = reach(plane);
      const boxes = layout();
      const box = boxes?.find((b) => b.sliceType === plane);
      if (!boxes || !box) return own;
      const { width, height } = view.gl.canvas;
      const size = ({ position }: Boxed) => [position[2] * width, position[3] * height] as const;
      const fits = boxes.map((b) => {
        const { fovMM } = reach(b.sliceType);
        return Math.min(size(b)[0] / fovMM[0]!, size(b)[1] / fovMM[1]!);
      });
      const scale = Math.min(...fits.filter((s) => s > 0)); // of the plane that has the least room
      if (!Number.isFinite(scale)) return own;
      size(box).forEach((pixels, k) => {
        const [middle, half] = [(own.mnMM[k]! + own.mxMM[k]!) / 2, pixels / scale / 2];
        [own.mnMM[k], own.mxMM[k], own.fovMM[k]] = [middle - half, middle + half, 2 * half];
      });
      return own;
    };
  }
}
