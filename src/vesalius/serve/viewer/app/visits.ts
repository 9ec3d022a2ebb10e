// An earlier visit of the same patient, compared with the one that is seen: asking for it, and what changed since then.
import * as api from "./api.ts";
import { byId, fill, h } from "./dom.ts";
import { called } from "./called.ts";
import { caseName } from "./names.ts";
import { whatIsKnown } from "./known.ts";
import { announce } from "./say.ts";
import { chosenCase, now, set, withAll } from "./store.ts";
import type { Case, Growth, Held, Reach } from "./types.ts";

export const VISIT = "visit:";

/** A case that may be an earlier visit, and what it is chosen by. */
export interface Visit {
  study: string;
  shown: Case;
  key: string;
}

/** The cases that may be an earlier visit of the chosen one: of the same patient, or of its own study where nobody is named. */
export function visits(): Visit[] {
  const here = chosenCase();
  if (!here) return [];
  const every = now().studies.flatMap((s) => (s.gone ? [] : s.cases.map((c): Visit => ({ study: s.study, shown: c, key: `${VISIT}${s.study}/${c.case}` }))));
  const other = every.filter((v) => v.study !== now().study?.study || v.shown.case !== here.case);
  const whose = (v: Visit) => (here.patient ? v.shown.patient === here.patient : !v.shown.patient && v.study === now().study?.study);
  const before = (c: Case) => !c.study_date || !here.study_date || c.study_date <= here.study_date;
  const flat = (c: Case) => c.shape[0] === 1;
  return other.filter((v) => whose(v) && before(v.shown) && flat(v.shown) === flat(here) && (v.shown.frames ?? 1) === 1);
}

export const visitName = (v: Visit): string => [v.shown.study_date, caseName(v.shown)].filter(Boolean).join(" · ");

/** The comparison with a visit that there is already, the newest; null where it was not asked for. */
export function comparison(key: string): Held | null {
  const of = (a: Held) => a.by === "change" && a.case === now().caseId && a.model === now().model && `${VISIT}${a.earlier?.study}/${a.earlier?.case}` === key;
  return now().history.filter(of).at(-1) ?? null;
}

/** Ask for the comparison with a visit, say how far it is, and keep it. */
export async function compare(visit: Visit): Promise<void> {
  const { study, caseId, model } = now();
  if (!study || !caseId || !model) return;
  const panel = byId("beside-panel");
  const bar = h("progress", { max: 1, value: 0, "aria-label": "Comparing both visits" });
  fill(panel, h("p", { class: "faint" }, "Comparing both visits…"), bar);
  const covariates = whatIsKnown(study, false);
  const started = await api.start({ model, study: study.study, case: caseId, kind: "change", earlier: { study: visit.study, case: visit.shown.case }, ...(covariates ? { covariates } : {}) });
  const ended = await api.follow(started.job, (job) => (bar.value = job.progress));
  fill(panel);
  if (ended.status !== "done") throw new api.Failure(ended.error ?? { error: "the visits could not be compared" }, 500);
  if (now().study?.study === ended.study) set({ history: withAll(now().history, ended) });
  announce("Both visits are compared");
}

/** The earlier visit's answer of a comparison, as an answer of its own kind. */
export function earlierAnswer(held: Held): Held {
  const { kind = held.kind, answer = {}, summary = {} } = held.summary.change?.earlier ?? {};
  return { ...held, kind, answer, summary, notes: [], outside: null };
}

/** The name under which an earlier visit's file lies in a comparison. */
export const earlierFile = (name: string): string => `earlier.${name}`;

/** What changed: the sentence, each growth with its bounds, what must be read with it, and the page. */
export function growthPanel(held: Held): HTMLElement {
  const change = held.summary.change;
  if (!change) return h("div");
  const names = called(change.growth);
  const rows = change.growth.map((g, k) => ({ g, name: names[k]! })).filter(({ g }) => g.verdict !== "absent");
  const page = held.files["change.html"];
  const years = (g: Growth) => (g.rate.year === undefined ? "" : `; ${signed(g.rate.year)}${unit(g)} a year`);
  return h(
    "div",
    { class: "change" },
    h("p", { class: "verdict" }, change.verdict),
    h(
      "ul",
      { class: "list growth" },
      rows.map(({ g, name }) =>
        h(
          "li",
          { class: g.verdict.startsWith("no change") || g.verdict === "cannot be told" ? "untold" : "told" },
          h("span", { class: "name" }, name),
          h("span", { class: "number" }, `${number(g.earlier)} → ${number(g.later)}${unit(g)}`),
          h("span", { class: "faint" }, `${signed(g.change)}${unit(g)}${between(g.interval)}${years(g)}; ${g.verdict}${g.fault ? `: ${g.fault}` : ""}`),
        ),
      ),
    ),
    change.words.map((w) => h("p", {}, `${w.name}: ${w.earlier} → ${w.later}`)),
    change.notes.map((text) => h("p", { class: "warn" }, text)),
    h("p", { class: "faint" }, registered(change.registration)),
    page ? h("p", {}, h("button", { "data-file": "change.html", onclick: () => void api.save(page, "change.html") }, "↓ Page of both visits")) : null,
  );
}

function registered(found: { by: string; fits: boolean; why: string | null; similarity: { before: number | null; after: number | null } }): string {
  if (!found.fits) return `Not registered: ${found.why ?? "it does not fit"}.`;
  const { before, after } = found.similarity;
  const near = before === null || after === null ? "" : `, alike ${before.toFixed(3)} before and ${after.toFixed(3)} after`;
  return `Registered: ${found.by}${near}.`;
}

const unit = (g: Growth): string => (g.unit ? ` ${g.unit}` : "");
const number = (x: number): string => (Math.abs(x) >= 1000 ? x.toFixed(0) : String(Number(x.toPrecision(3))));
const signed = (x: number): string => (x === 0 ? "0" : x > 0 ? `+${number(x)}` : `−${number(-x)}`);

function between(reach: Reach | null): string {
  if (!reach || (reach.low === null && reach.high === null)) return "";
  const share = `${(100 * reach.share).toFixed(0)} %`;
  if (reach.low === null) return ` (${share} at most ${signed(reach.high!)})`;
  return reach.high === null ? ` (${share} at least ${signed(reach.low)})` : ` (${share} ${signed(reach.low)} to ${signed(reach.high)})`;
}
