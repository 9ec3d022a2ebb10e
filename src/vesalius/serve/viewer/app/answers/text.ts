// Text: its sections, each sentence with what it stands on, lit over the image; and changed by people, version by version.
import * as api from "../api.ts";
import { h } from "../dom.ts";
import type { Given } from "../kinds.ts";
import { widen } from "../report_edit.ts";
import { body, Light, type Evidence, type Sections } from "../report_shown.ts";
import { versions } from "../report_versions.ts";
import type { Stage } from "../stage.ts";
import type { Held } from "../types.ts";

/** The maps that sentences refer to, which lie over the image when these are looked at. */
export const holds = (answer: Held): readonly string[] => {
  const said = (answer.answer.evidence ?? []) as Evidence[];
  return mapsOf(answer).filter((name) => said.some((e) => e.part === name));
};

export async function clear(stage: Stage): Promise<void> {
  await stage.setMap(null);
  widen(false, () => stage.resized());
}

export async function panel(answer: Held, given: Given): Promise<HTMLElement> {
  const sections = (answer.answer.sections ?? {}) as Sections;
  const evidence = (answer.answer.evidence ?? []) as Evidence[];
  const light = new Light(answer, given, mapsOf(answer));
  const made = h("div", { class: "text" }, body(sections, evidence, light));
  const whole = answer.by === "predict" && answer.job && Object.keys(answer.files).length > 0; // and no part of another
  if (!whole || given.beside) return made;
  const path = `/api/jobs/${answer.job}/reports/${answer.case}`;
  const report = await api.report(path).catch(() => null); // a cine's, or of a job that has gone
  if (report && given.current()) versions(made, report, { path, evidence, light, given });
  return made;
}

/** The names of the parts that are fields over the image, in their order. */
function mapsOf(answer: Held): string[] {
  const parts = (answer.answer.parts ?? {}) as Record<string, { kind?: string; image?: unknown; quantity?: unknown }>;
  return Object.keys(parts).filter((name) => parts[name]!.image !== undefined && parts[name]!.quantity !== undefined);
}
