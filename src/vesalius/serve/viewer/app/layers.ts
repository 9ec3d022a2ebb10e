// What lies on the stage, as NiiVue's images: the study's, a mask's with its table of colours, and a map's.
import { NVImage } from "@niivue/niivue";
import { rgb } from "./colours.ts";
import { valuesOf } from "./nifti.ts";

export interface Labelled {
  value: number;
  name: string;
  colour: string;
  shown: boolean;
}

/** Labels over an image; where they overlap, a part for each label. */
export interface Mask {
  parts: ArrayBuffer[];
  labels: Labelled[];
  overlapping: boolean;
}

export interface Field {
  buffer: ArrayBuffer;
  low: number;
  high: number;
}

const IMAGE = "image";

export async function imageLayer(buffer: ArrayBuffer, invert: boolean): Promise<NVImage> {
  const image = await load(buffer.slice(0), IMAGE, "gray");
  if (invert) image.colormapInvert = true;
  return image;
}

/** Put another volume of the same kind and size into a layer, in the type that NiiVue holds it in. */
export function refill(layer: NVImage, buffer: ArrayBuffer): void {
  const values = valuesOf(buffer);
  const Kind = layer.img?.constructor as Float64ArrayConstructor | undefined;
  if (values && Kind) layer.img = (values.constructor === Kind ? values : Kind.from(values)) as typeof layer.img;
}

export async function maskLayer(mask: Mask, part: number): Promise<NVImage> {
  const image = await load(mask.parts[part]!.slice(0), `mask-${part}`, "gray");
  image.setColormapLabel(colours(mask, part));
  return image;
}

export async function mapLayer(field: Field): Promise<NVImage> {
  const signed = field.low < 0;
  const image = await load(field.buffer.slice(0), "map", signed ? "warm" : "inferno");
  const [from, to] = signed ? [0, Math.max(-field.low, field.high)] : [field.low, field.high];
  if (signed) image.colormapNegative = "winter"; // NiiVue mirrors the limits for it
  image.cal_min = from + 0.1 * (to - from); // the least of it is clear
  image.cal_max = to;
  return image;
}

export const isImage = (layer: NVImage): boolean => layer.name === IMAGE;
export const isOf = (layer: NVImage, kind: "mask" | "map"): boolean => layer.name.startsWith(kind);

/** Which part of its mask a layer shows; null for one that is no mask's. */
export function partOf(layer: NVImage): number | null {
  return isOf(layer, "mask") ? Number(layer.name.slice("mask-".length)) : null;
}

/** The labels of one part, by the values that they have there. */
export function labelsIn(mask: Mask, part: number): Labelled[] {
  return mask.overlapping ? mask.labels.slice(part, part + 1).map((l) => ({ ...l, value: 1 })) : mask.labels;
}

/** The table of colours of one part: all labels, or the one of that part where they overlap; hidden ones are clear. */
export function colours(mask: Mask, part: number) {
  const rows = [{ value: 0, name: "", colour: "#000000", shown: false }, ...labelsIn(mask, part).filter((l) => l.value !== 0)];
  rows.sort((a, b) => a.value - b.value);
  return {
    I: rows.map((l) => l.value),
    R: rows.map((l) => rgb(l.colour)[0]),
    G: rows.map((l) => rgb(l.colour)[1]),
    B: rows.map((l) => rgb(l.colour)[2]),
    A: rows.map((l) => (l.shown ? 255 : 0)),
    labels: rows.map((l) => l.name),
  };
}

/** The label that a layer's value at a point stands for, if it is shown. */
export function labelAt(mask: Mask, part: number, value: number): string | null {
  const found = mask.overlapping ? mask.labels[part] : mask.labels.find((l) => l.value === Math.round(value));
  return value && found?.shown ? found.name : null;
}

async function load(buffer: ArrayBuffer, name: string, colormap: string): Promise<NVImage> {
  const image = await NVImage.loadFromUrl({ url: `${name}.nii`, name: `${name}.nii`, buffer, colormap });
  image.name = name;
  return image;
}
