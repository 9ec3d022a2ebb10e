// The one state of the page, and who wants to know when a part of it changes.
import type { Case, Fault, Held, Job, Model, Study, Verdict } from "./types.ts";

export interface State {
  /** Whether the service has said what it serves, or wants a key (another key) first. */
  access: "waiting" | "refused" | "given";
  models: Model[];
  studies: Study[];
  study: Study | null;
  caseId: string | null;
  model: string | null;
  job: Job | null;
  /** The newest answer of each case, model and kind of job. */
  answers: Held[];
  /** Every answer to the open study that is kept, the oldest first. */
  history: Held[];
  uploading: number | null;
  /** What the chosen model's bundle says of the chosen case; null until the service has said it. */
  verdict: Verdict | null;
  /** Whether the person goes on although the image is of another kind. */
  accepted: boolean;
}

type Key = keyof State;

const state: State = {
  access: "waiting",
  models: [],
  studies: [],
  study: null,
  caseId: null,
  model: null,
  job: null,
  answers: [],
  history: [],
  uploading: null,
  verdict: null,
  accepted: false,
};
const listeners: [Set<Key>, () => void][] = [];

/** What holds now; not to be changed in place. */
export function now(): Readonly<State> {
  return state;
}

/** Change some parts, then tell whoever listens to one of them. */
export function set(changes: Partial<State>): void {
  const changed = (Object.keys(changes) as Key[]).filter((key) => state[key] !== changes[key]);
  Object.assign(state, changes);
  for (const [keys, told] of listeners) if (changed.some((key) => keys.has(key))) told();
}

/** Call `told` now and whenever one of the keys changes. */
export function on(keys: Key[], told: () => void): void {
  listeners.push([new Set(keys), told]);
  told();
}

export function chosenCase(): Case | null {
  return state.study?.cases.find((c) => c.case === state.caseId) ?? null;
}

export function chosenModel(): Model | null {
  return state.models.find((m) => m.name === state.model) ?? null;
}

/** Whether the model's bundle refuses the chosen case, as far as its headers tell: it is asked only with `accepted`. */
export function isRefused(): boolean {
  return Boolean(state.verdict?.mismatch.length) && !chosenModel()?.accepts_mismatch;
}

/** The chosen model's answers for the chosen case, explanations last. */
export function caseAnswers(): Held[] {
  const own = state.answers.filter((a) => a.case === state.caseId && a.model === state.model);
  return [...own.filter((a) => a.by === "predict"), ...own.filter((a) => a.by === "explain")]; // comparisons stand beside
}

/** A job's answers, each with what it needs to be told from others. */
const answersOf = (job: Job): Held[] => {
  const about = { model: job.model, by: job.kind, explainer: job.explainer, ask: job.ask, earlier: job.earlier ?? null, told: job.covariates ?? {}, job: job.job, at: job.created };
  const given = job.answers.map((a): Held => ({ ...a, ...about }));
  return job.kind === "explain" ? [...given, ...(job.failures ?? []).map((f) => ({ ...unseen(f), ...about }))] : given;
};

/** An explanation without a map, with the reason in its place. */
const unseen = (f: Fault & { case: string }): Held =>
  ({ case: f.case, kind: "Map", answer: {}, summary: {}, files: {}, notes: [], outside: null, withheld: [f.error, f.found].filter(Boolean).join(": "), model: "", by: "explain" });

/** All answers, with a finished job's at the end. */
export const withAll = (history: Held[], job: Job): Held[] => [...history.filter((a) => a.job !== job.job), ...answersOf(job)];

/** The answers, with a finished job's in the place of older ones of its kind. */
export function withJob(answers: Held[], job: Job): Held[] {
  const fresh = answersOf(job);
  const same = (a: Held, b: Held) => a.case === b.case && a.model === b.model && a.by === b.by && a.explainer === b.explainer && a.ask === b.ask;
  return [...answers.filter((a) => !fresh.some((b) => same(a, b))), ...fresh];
}
