// What is drawn as files: runs of values as the service takes them, and a NIfTI in the image's own grid.
import { withLabels } from "../nifti.ts";

/** Labels as value, length, value, length …, in the order in which they lie. */
export function runsOf(labels: Uint8Array): number[] {
  const runs: number[] = [];
  // four at once: most of an image is one value for long
  const words = labels.byteOffset % 4 ? null : new Uint32Array(labels.buffer, labels.byteOffset, labels.length >> 2);
  for (let from = 0, k = 0; from < labels.length; from = k) {
    const value = labels[from]!;
    const word = (value * 0x01010101) >>> 0;
    for (k = from + 1; k < labels.length && labels[k] === value; k++) {
      if (!words || k % 4) continue;
      let n = k >> 2;
      while (n < words.length && words[n] === word) n++;
      if (4 * n > k) k = 4 * n - 1;
    }
    runs.push(value, k - from);
  }
  return runs;
}

/** The labels that runs tell of, `count` in all; an error where they tell of another number, or of what is no label. */
export function fromRuns(runs: readonly number[], count: number): Uint8Array {
  const labels = new Uint8Array(count);
  let at = 0;
  for (let k = 0; k + 1 < runs.length; k += 2) {
    const [value, length] = [runs[k]!, runs[k + 1]!];
    if (!Number.isInteger(value) || value < 0 || value > 255 || !Number.isInteger(length) || length < 0 || at + length > count) throw new Error("the mask's runs are not of this image");
    if (value) labels.fill(value, at, at + length);
    at += length;
  }
  if (at !== count || runs.length % 2) throw new Error(`the mask's runs tell of ${at} voxels; the image has ${count}`);
  return labels;
}

/** A gzipped NIfTI with the image's header. */
export async function niftiOf(image: ArrayBuffer, labels: Uint8Array): Promise<Blob> {
  const bytes = withLabels(image, labels);
  const view = new DataView(bytes);
  const little = view.getInt32(0, true) === 348;
  view.setFloat32(112, 1, little); // values are labels: the image's slope and intercept are not theirs
  view.setFloat32(116, 0, little);
  view.setFloat32(124, 0, little);
  view.setFloat32(128, 0, little);
  return new Response(new Blob([bytes]).stream().pipeThrough(new CompressionStream("gzip"))).blob();
}
