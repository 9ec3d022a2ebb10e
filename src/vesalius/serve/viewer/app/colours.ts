// Colours of labels: their own, or the palette's at their place, as the DICOM results have it.
import type { Label } from "./types.ts";

const PALETTE = [
  "#e6550d", "#3182bd", "#31a354", "#c51b8a", "#fdae6b",
  "#9ecae1", "#a1d99b", "#fa9fb5", "#756bb1", "#636363",
  "#17becf", "#bcbd22", "#e377c2", "#8c564b", "#ffd92f", "#1b9e77", "#d62728",
  "#7fc97f", "#386cb0", "#f0027f", "#66c2a5", "#b15928", "#cab2d6", "#ffff99",
];

export function colourOf(label: Label, place: number): string {
  return /^#[0-9a-f]{6}$/i.test(label.colour ?? "") ? label.colour! : PALETTE[place % PALETTE.length]!;
}

/** `#rrggbb` as three numbers, 0 to 255. */
export function rgb(colour: string): [number, number, number] {
  const x = parseInt(colour.slice(1), 16);
  return [x >> 16, (x >> 8) & 255, x & 255];
}
