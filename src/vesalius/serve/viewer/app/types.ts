// What the service sends and takes, as the viewer reads it.

export interface Label {
  value?: number;
  name: string;
  colour?: string | null;
  /** The colour that was chosen to show it, where the data have none. */
  shown?: string | null;
}

export interface Scored extends Label {
  p?: number;
  volume_ml?: number | null;
  area_mm2?: number | null;
  pixels?: number | null;
}

export interface OperatingPoint {
  label: string;
  threshold: number;
}

export interface Model {
  name: string;
  hash: string;
  task: string;
  answer: string;
  labels: Label[];
  /** The colours of what has none of its own, by place. */
  palette?: string[];
  /** Whether it answers a person's strokes, and nothing without them. */
  clicks?: boolean;
  dims: number;
  /** The names of its images, and of all that comes together in a model of several sources. */
  inputs?: string[];
  sources?: string[];
  /** What else may be known of a patient; and whether the model reads that alone, and no image. */
  columns?: Column[];
  imageless?: boolean;
  modality: string | null;
  unit: string | null;
  /** Whether the service answers images of another modality or unit without being told to. */
  accepts_mismatch?: boolean;
  operating_point: OperatingPoint | null;
  calibrated: boolean;
  /** How frames that come one by one are answered: each by itself, after those before it, or not at all. */
  frames?: "each" | "stream" | "whole";
  explainers: string[];
  /** The words for what can be asked of its answers, the usual first. */
  asks?: string[];
  scorecard: Record<string, Figure> | null;
  /** The metrics that come first. */
  headlines?: string[];
  measured_on?: MeasuredOn | null;
  /** Which trivial answer the scorecard's baseline is. */
  baseline_is?: string | null;
  banners?: { kind: string; text: string }[];
}

/** What a model knows of a patient beside images, and which values it learned from. */
export interface Column {
  name: string;
  needed: boolean;
  values: string[] | null;
  low: number | null;
  high: number | null;
}

/** What a scorecard's figures are of; never of the image that is seen. */
export interface MeasuredOn {
  split: string;
  cases: number;
  patients: number | null;
  data: string;
  learned_from_it: boolean;
  same_data: boolean;
}

export interface Figure {
  /** How it is written, without its unit and its label. */
  called?: string;
  value: number | null;
  low?: number | null;
  high?: number | null;
  n?: number | null;
  baseline?: number | null;
  /** How it stands beside the baseline, as the service judges it; null where that cannot be said. */
  standing?: "beaten" | "better" | "level" | "worse" | null;
}

export interface Case {
  case: string;
  name: string;
  shape: [number, number, number];
  spacing_mm: [number, number, number] | null;
  spacing_at?: "patient" | "detector" | null;
  modality?: string | null;
  description?: string | null;
  patient?: string | null;
  /** YYYY-MM-DD. */
  study_date?: string | null;
  series_number?: number | null;
  unit?: string | null;
  orientation_known?: boolean;
  frames?: number;
  /** Seconds from one frame to the next, on the mean. */
  frame_s?: number | null;
  /** The times of its frames, from 0, where these are uneven. */
  times_s?: number[] | null;
  channels?: number;
  colour?: boolean;
  /** Sentences to read before the image is believed. */
  notes?: string[];
  source?: string;
  display?: { invert?: boolean; windows?: [number, number, (string | null)?][] };
}

export interface SetAside {
  name?: string;
  case?: string;
  reason: string;
}

export interface Study {
  study: string;
  cases: Case[];
  set_aside?: SetAside[];
  created?: string;
  /** Made by the service itself, of nobody. */
  synthetic?: boolean;
  /** The page's own word: it is not on the server any more. */
  gone?: boolean;
}

export interface Summary {
  labels?: Scored[];
  operating_point?: OperatingPoint | null;
  positive?: boolean | null;
  quantity?: string;
  low?: number;
  high?: number;
  figures?: Record<string, number>;
  beside?: Record<string, number>;
  fields?: Record<string, unknown>;
  /** Of grades: which is called, by which rule, and how likely it is to be at least each but the lowest. */
  called?: string;
  decision?: string;
  at_least?: { name: string; p: number }[];
  promise?: Promised;
  weighed?: Weighed;
  /** Why the answer is withheld; then nothing else of it is shown. */
  withheld?: string;
  /** Of a job about two visits: what changed since the earlier one. */
  change?: Change;
}

/** Within which bounds a change lies, with the share of changes that do. */
export interface Reach {
  low: number | null;
  high: number | null;
  share: number;
}

/** What was measured at both visits, and what can be told of its change. */
export interface Growth {
  name: string;
  unit: string | null;
  earlier: number;
  later: number;
  change: number;
  verdict: string;
  fault: string | null;
  interval: Reach | null;
  rate: Record<string, number>;
}

/** What changed between two visits, and the earlier one's answer as it lies on the later image. */
export interface Change {
  verdict: string;
  growth: Growth[];
  words: { name: string; earlier: string; later: string }[];
  notes: string[];
  registration: { by: string; fits: boolean; why: string | null; similarity: { before: number | null; after: number | null } };
  earlier: { kind: string; answer: Record<string, unknown>; summary: Summary };
}

/** How much each source of a case counted, where a model joins several, and which were not given. */
export interface Weighed {
  sources: string[];
  shares: Record<string, number>;
  not_given: string[];
}

/** What a calibration promises of an answer: a set of labels, an interval, or a part of it. */
export interface Promised {
  coverage: number;
  says: string;
  text: string;
  labels: string[] | null;
  interval: [number | null, number | null] | null;
  unit: string | null;
  part: string | null;
  group: string | null;
  n: number;
  remarks: string[];
}

export interface Answer {
  case: string;
  kind: string;
  answer: Record<string, unknown>;
  summary: Summary;
  /** In what the image differs from those that the model learned from; null where that is not known. */
  outside?: string[] | null;
  /** Those of its image. */
  notes?: string[];
  files: Record<string, string>;
}

/** A case's true labels, in the form of an answer. */
export interface Truth extends Answer {
  /** What its file was called. */
  source: string;
  /** Who calls its labels what they are called. */
  names_from: "file" | "model" | null;
}

/** How an image compares with what a model learned from, by its headers alone. */
export interface Verdict {
  known: boolean;
  mismatch: string[];
  outside: string[];
}

/** An answer as the page keeps it: with the model and the kind of job that gave it. */
export interface Held extends Answer {
  model: string;
  by: "predict" | "explain" | "change" | "advise";
  /** Of a comparison: the earlier visit. */
  earlier?: { study: string; case: string } | null;
  /** What the job was told of the patient. */
  told?: Record<string, number | string>;
  /** Of an explanation: its method, what was asked, and why its map is not shown, where it does not hold. */
  explainer?: string | null;
  ask?: string | null;
  withheld?: string;
  /** The job that gave it, and when that was asked. */
  job?: string;
  at?: string;
}

/** A version of a report that a person has saved, without its text. */
export interface Edit {
  version: number;
  author: string;
  at: string;
  caller: string;
  verified: boolean;
  organisation: string;
}

/** A report as the model wrote it and as people have changed it since; its sections are those of the version shown. */
export interface Report {
  kept: boolean;
  version: number;
  shown: number;
  written: Record<string, string>;
  sections: Record<string, string>;
  edits: Edit[];
  sr: string | null;
}

export type Status = "queued" | "running" | "done" | "failed" | "cancelled";

export interface Job {
  job: string;
  model: string;
  study: string;
  kind: "predict" | "explain" | "change" | "advise";
  earlier?: { study: string; case: string } | null;
  /** What the job was told of the patient. */
  covariates?: Record<string, number | string>;
  explainer?: string | null;
  ask?: string | null;
  failures?: (Fault & { case: string })[];
  status: Status;
  progress: number;
  stage: string | null;
  error: Fault | null;
  created?: string;
  finished?: string | null;
  answers: Answer[];
}

export interface Fault {
  error: string;
  found?: string | null;
  hint?: string | null;
}
