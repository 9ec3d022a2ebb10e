// Window presets: by centre and width in Hounsfield units, so offered only where the image is in them.
import { hangingOf } from "./hanging.ts";
import type { Case } from "./types.ts";

export interface Preset {
  id: string;
  name: string;
  centre: number;
  width: number;
}

export const SOFT: Preset = { id: "soft", name: "Soft tissue", centre: 40, width: 400 };
export const PRESETS: Preset[] = [
  SOFT,
  { id: "mediastinum", name: "Mediastinum", centre: 50, width: 350 },
  { id: "liver", name: "Liver", centre: 60, width: 160 },
  { id: "lung", name: "Lung", centre: -600, width: 1500 },
  { id: "bone", name: "Bone", centre: 400, width: 1800 },
  { id: "brain", name: "Brain", centre: 40, width: 80 },
];

export const inHounsfield = (shown: Case | null): boolean => shown?.unit === "HU";

/** The window to begin with: the image's own, or that of soft tissue for Hounsfield units; otherwise none (percentiles). */
export function firstWindow(shown: Case): { centre: number; width: number } | null {
  const own = shown.display?.windows?.[0];
  if (own && own[1] > 0) return { centre: own[0], width: own[1] };
  return inHounsfield(shown) ? SOFT : null;
}

/**
 * Whether values reach as a CT's do, from air to bone. It only chooses with which window an image begins whose file says
 * no unit: nothing is said to be in Hounsfield units because of it.
 */
export const looksLikeCT = ([low, high]: readonly [number, number]): boolean => low <= -900 && low >= -8192 && high >= 200 && high <= 32767;

/** The preset with which images like this one were looked at last, where it has a meaning for this one. */
export function keptWindow(shown: Case): Preset | null {
  return (inHounsfield(shown) && PRESETS.find((p) => p.id === hangingOf(shown).preset)) || null;
}
