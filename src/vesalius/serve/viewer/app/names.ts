// What a case and a study are called: by patient and description, with date and series where the server says them.
import type { Case, Study } from "./types.ts";

const ESCAPED: Record<string, string> = { "%22": '"', "%0A": " ", "%0D": " " }; // by browsers, in the names of files that are sent

export const caseName = (c: Case): string => (c.description || c.name).replaceAll(/%22|%0A|%0D/g, (found) => ESCAPED[found]!);

const joined = (parts: (string | null | undefined | false)[], sign: string): string => parts.filter(Boolean).join(sign);
const series = (c: Case): string => (typeof c.series_number === "number" ? `series ${c.series_number}` : "");

/** One line that tells a case from every other. */
export const titleOf = (c: Case): string => joined([c.patient, c.study_date, series(c), caseName(c)], " · ");

/** A case within its study; `whose` where patients must be told apart. */
export const nameInStudy = (c: Case, whose: boolean): string => joined([whose && c.patient, caseName(c)], " · ");

/** What a case holds, in few words. */
export function holds(c: Case): string {
  const [z, y, x] = c.shape;
  const frames = (c.frames ?? 1) > 1 ? `, ${c.frames} frames` : "";
  return joined([c.modality, (z === 1 ? `${x}×${y}` : `${x}×${y}×${z}`) + frames], " ");
}

/** The same with its series, for a list of the cases of a study. */
export const aboutCase = (c: Case): string => joined([series(c), holds(c)], " · ");

export function patientsOf(study: Study): string[] {
  return [...new Set(study.cases.map((c) => c.patient).filter((p): p is string => Boolean(p)))];
}

export function studyName(study: Study): string {
  const first = study.cases[0];
  if (!first) return "nothing readable";
  const patients = patientsOf(study);
  return joined([patients.length > 2 ? `${patients.length} patients` : patients.join(", "), caseName(first)], " · ");
}

/** What a study holds, of when, and when it came: no more than the server says. */
export function aboutStudy(study: Study): string {
  const [first, ...others] = study.cases;
  const modalities = joined([...new Set(study.cases.map((c) => c.modality))], ", ");
  const held = !first ? "" : others.length ? `${modalities} ${study.cases.length} cases`.trim() : aboutCase(first);
  const dates = [...new Set(study.cases.map((c) => c.study_date).filter(Boolean))];
  const came = whenCame(study);
  return joined([dates.length === 1 && dates[0], held, came && `came ${came}`], " · ");
}

/** The time of day to the second, which tells drops of one study apart; with the day where it is not today. */
export function whenCame(study: Study): string {
  const at = new Date(study.created ?? NaN);
  if (Number.isNaN(at.getTime())) return "";
  const time = at.toLocaleTimeString("en-GB");
  return at.toDateString() === new Date().toDateString() ? time : `${at.toLocaleDateString("en-CA")} ${time}`;
}

/** The beginning of the names of files that are saved: letters and figures, and what is safe between them. */
export function fileStem(c: Case): string {
  const plain = joined([c.patient, caseName(c)], "-").normalize("NFC").replaceAll(/[^\p{L}\p{N}._-]+/gu, "-");
  return plain.replaceAll(/-{2,}/g, "-").replaceAll(/^[-.]+|[-.]+$/g, "").slice(0, 100) || "case";
}
