// Hanging: how images of a kind were looked at last, kept in the browser. Of a patient or a study nothing is kept.
import type { Layout } from "./stage.ts";
import type { Case } from "./types.ts";

/** A choice that is absent was not made. */
export interface Hanging {
  layout?: Layout;
  /** A preset's name; never a level and a width, which are of one image. */
  preset?: string;
  crossed?: boolean;
}

const KEPT = "vesalius-hanging";
const MODALITIES = ["CT", "MR", "PT", "NM", "US", "DX", "CR", "MG", "XA", "RF", "OP", "OPT", "OCT", "SM", "XC", "ES"];

/** The kind of an image: a modality of the list, for a file may have anything in its place, and whether it is one plane. */
const kindOf = (shown: Case): string => `${MODALITIES.includes(shown.modality ?? "") ? shown.modality : "other"} ${shown.shape[0] === 1 ? "plane" : "volume"}`;

/** How images like this one were looked at last. */
export const hangingOf = (shown: Case): Hanging => all()[kindOf(shown)] ?? {};

/** Keep a choice for images like this one. */
export function remember(shown: Case, choice: Hanging): void {
  const kind = kindOf(shown);
  const kept = all();
  kept[kind] = { ...kept[kind], ...choice };
  try {
    localStorage.setItem(KEPT, JSON.stringify(kept));
  } catch {
    // a browser that keeps nothing
  }
}

/** Forget every choice. */
export function forgetHangings(): void {
  localStorage.removeItem(KEPT);
}

function all(): Record<string, Hanging> {
  try {
    const kept = JSON.parse(localStorage.getItem(KEPT) ?? "{}") as unknown;
    return kept && typeof kept === "object" && !Array.isArray(kept) ? (kept as Record<string, Hanging>) : {};
  } catch {
    return {};
  }
}
