// Window presets: by centre and width in Hounsfield units, so offered only where the image is in them.
import type { Case } from "./types.ts";

export interface Preset {
  id: string;
  name: string;
  centre: number;
  width: number;
}

export const PRESETS: Preset[] = [
  { id: "mediastinum", name: "Mediastinum", centre: 50, width: 350 },
  { id: "abdomen", name: "Abdomen", centre: 40, width: 400 },
  { id: "liver", name: "Liver", centre: 60, width: 160 },
  { id: "lung", name: "Lung", centre: -600, width: 1500 },
  { id: "bone", name: "Bone", centre: 400, width: 1800 },
  { id: "brain", name: "Brain", centre: 40, width: 80 },
];

export const inHounsfield = (shown: Case | null): boolean => shown?.unit === "HU";

/** The window to begin with: the image's own, or the abdomen's for Hounsfield units; otherwise none (percentiles). */
export function firstWindow(shown: Case): { centre: number; width: number } | null {
  const own = shown.display?.windows?.[0];
  if (own && own[1] > 0) return { centre: own[0], width: own[1] };
  return inHounsfield(shown) ? { centre: 40, width: 400 } : null;
}
