// What the service says of an annotation project and takes from its annotators, as the viewer reads it.
import * as api from "../api.ts";
import type { Fault, Label, Study } from "../types.ts";

export type Ask = "class" | "classes" | "boxes" | "mask";
export type State = "open" | "draft" | "done" | "held" | "full" | "sealed" | "adjudicate" | "adjudicated";

export interface Project {
  name: string;
  asks: { kind: Ask; labels: Label[] }[];
  readers: number;
  blind: boolean;
  /** Where names come from: the service's keys, the project's list, or whatever a person says. */
  names: "keys" | "listed" | "given";
  annotators: string[];
  adjudicators: string[];
  you: string | null;
  claim_s: number;
  cases: number;
  complete: number;
  disputed: number;
  progress: { annotator: string; done: number; drafts: number; seconds: number }[];
}

export interface Item {
  case: string;
  name: string;
  state: State;
  version: number;
  done: number;
  needed: number;
  held_by: string[];
  may_adjudicate: boolean;
}

export interface Start {
  kind: "nothing" | "model" | "click" | "reading";
  name?: string;
  bundle?: string;
  changed?: boolean;
}

export interface Content {
  class?: string | null;
  classes?: string[] | null;
  boxes?: { low: number[]; high: number[]; label: string }[] | null;
  mask?: { shape: number[]; runs: number[] } | null;
}

export type Role = "reading" | "adjudication";

export interface Reading {
  case: string;
  annotator: string;
  role: Role;
  version: number;
  done: boolean;
  at: string;
  seconds: number;
  start: Start;
  note: string;
  content?: Content;
  /** Where the mask is as a NIfTI; null where none is drawn. */
  mask: string | null;
}

export interface OpenedCase {
  case: string;
  name: string;
  study: string;
  image: string;
  body: Study;
  role: Role;
  reading: Reading | null;
  others: Reading[];
}

export interface Sent {
  version: number;
  done: boolean;
  seconds: number;
  role: Role;
  start: Start;
  note: string;
  content: Content;
}

export interface Measured {
  value: number | null;
  low?: number | null;
  high?: number | null;
  n?: number | null;
}

export interface Agreement {
  cases: number;
  readers: string[];
  asks: { kind: Ask; cases?: number; why?: string | null; all?: Record<string, Measured>; pairs?: { readers: string[]; figures: Record<string, Measured> }[] }[];
  disputed: { case: string; name: string; asks: Record<string, unknown>[]; adjudicated: boolean }[];
}

const ROOT = "/api/annotation";

/** The service's annotation project, as one annotator or as nobody; null where it serves none. */
export async function project(who: string | null): Promise<Project | null> {
  const answer = await api.request(ROOT + query({ annotator: who }), {}, true);
  return answer.status === 204 ? null : ((await answer.json()) as Project);
}

export const items = (who: string): Promise<Item[]> => json(`/cases${query({ annotator: who })}`);
export const open = (key: string, who: string): Promise<OpenedCase> => json(`/cases/${key}/open${query({ annotator: who })}`, { method: "POST" });
export const claim = (key: string, who: string): Promise<unknown> => json(`/cases/${key}/claim${query({ annotator: who })}`, { method: "POST" });
export const agreement = (who: string): Promise<Agreement> => json(`/agreement${query({ annotator: who })}`);

/** Let go of a case; also while the page is closed. */
export const letGo = (key: string, who: string): Promise<Response> => api.request(`${ROOT}/cases/${key}/claim${query({ annotator: who })}`, { method: "DELETE", keepalive: true }, true);

export const reading = (key: string, who: string, of: string, version?: number): Promise<Reading> =>
  json(`/cases/${key}/reading${query({ annotator: who, of, version, content: true })}`);

/** Save a reading; it is on the service's disk when this returns. */
export function save(key: string, who: string, sent: Sent): Promise<Reading> {
  const { mask, ...content } = sent.content;
  const form = new FormData();
  form.append("annotation", JSON.stringify({ ...sent, content }));
  if (mask) form.append("mask", new Blob([JSON.stringify(mask)], { type: "application/json" }), "mask.json");
  return json(`/cases/${key}/reading${query({ annotator: who })}`, { method: "PUT", body: form });
}

/** The newer reading that an error of a save tells of; null for any other error. */
export function newerThan(error: unknown): Reading | null {
  if (!(error instanceof api.Failure) || error.status !== 409) return null;
  return (error.fault as Fault & { latest?: Reading }).latest ?? null;
}

async function json<T>(path: string, init: RequestInit = {}): Promise<T> {
  return (await (await api.request(ROOT + path, init)).json()) as T;
}

function query(given: Record<string, string | number | boolean | null | undefined>): string {
  const said = Object.entries(given).filter(([, v]) => v !== null && v !== undefined);
  return said.length ? `?${new URLSearchParams(said.map(([k, v]) => [k, String(v)]))}` : "";
}
