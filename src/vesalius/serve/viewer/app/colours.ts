// Colours of labels: those that the service gives them, or those of its palette by place; it makes none up.
import { now } from "./store.ts";
import type { Label } from "./types.ts";

const plain = "#808080";

export function colourOf(label: Label, place: number): string {
  const palette = now().models[0]?.palette ?? [plain];
  const own = [label.colour, label.shown].find((c) => /^#[0-9a-f]{6}$/i.test(c ?? ""));
  return own ?? palette[place % palette.length] ?? plain;
}

/** `#rrggbb` as three numbers, 0 to 255. */
export function rgb(colour: string): [number, number, number] {
  const x = parseInt(colour.slice(1), 16);
  return [x >> 16, (x >> 8) & 255, x & 255];
}
