// Speaking with the service: the key, errors in words, uploads with progress, and events as they come.
import type { Fault, Job, Model, Report, Study, Truth, Verdict } from "./types.ts";

const KEY = "vesalius-key";
let askForKey: (wrong: boolean) => Promise<string> = async () => "";
let asking: Promise<string> | null = null;
let lost: () => void = () => {};

/** What to do when the service wants a key. */
export function whenKeyIsAsked(ask: (wrong: boolean) => Promise<string>): void {
  askForKey = ask;
}

/** What to do when the service does not answer at all. */
export function whenLost(told: () => void): void {
  lost = told;
}

export class Failure extends Error {
  constructor(
    readonly fault: Fault,
    readonly status: number,
  ) {
    super(fault.error);
  }
}

/** The key that is sent, if there is one. */
export const keyInUse = (): string | null => key();

function key(): string | null {
  return sessionStorage.getItem(KEY); // gone when the tab is closed
}

function headers(): Record<string, string> {
  const held = key();
  return held ? { Authorization: `Bearer ${held}` } : {};
}

async function newKey(used: string | null): Promise<void> {
  if (key() !== used) return; // another request was given one meanwhile
  asking ??= askForKey(used !== null).finally(() => (asking = null));
  const given = await asking;
  if (given) sessionStorage.setItem(KEY, given);
  else throw new Failure({ error: "this service wants a key", hint: "reload the page to enter one; who runs the service has it" }, 401);
}

/** Put a key in use, or none. */
export function useKey(given: string | null): void {
  if (given) sessionStorage.setItem(KEY, given);
  else sessionStorage.removeItem(KEY);
}

const LOST: Fault = { error: "the service does not answer", hint: "is it running still? It is asked again until it answers" };

/** A request that asks for a key when one is missing (unless `silent`), and throws a Failure in the service's own words. */
export async function request(path: string, init: RequestInit = {}, silent = false): Promise<Response> {
  for (;;) {
    const used = key();
    let answer: Response;
    try {
      answer = await fetch(path, { ...init, headers: { ...headers(), ...(init.headers ?? {}) } });
    } catch (error) {
      if (init.signal?.aborted) throw error;
      lost();
      throw new Failure(LOST, 0);
    }
    if (answer.status === 401 && !silent) {
      await newKey(used);
      continue;
    }
    if (!answer.ok) throw new Failure(await faultOf(answer), answer.status);
    return answer;
  }
}

async function faultOf(answer: Response): Promise<Fault> {
  return asFault(await answer.text().catch(() => ""), answer.status);
}

function asFault(text: string, status: number): Fault {
  try {
    const body = JSON.parse(text);
    if (typeof body.error === "string") return body as Fault;
    if (typeof body.detail === "string") return { error: body.detail };
  } catch {
    // not JSON: the status must do
  }
  const words: Record<number, string> = {
    403: "this key may not do that",
    404: "that is not there any more",
    413: "too large for this service",
    429: "too many requests; wait a little",
    503: "the service is not ready yet",
  };
  return { error: words[status] ?? `the service failed (status ${status})` };
}

async function json<T>(path: string, init: RequestInit = {}, silent = false): Promise<T> {
  return (await (await request(path, init, silent)).json()) as T;
}

export const models = () => json<Model[]>("/api/models");
/** The newest first. */
export const studies = async (silent = false) => (await json<Study[]>("/api/studies", {}, silent)).reverse();
export const jobs = () => json<Job[]>("/api/jobs");
export const job = (id: string) => json<Job>(`/api/jobs/${id}`);
export const cancel = (id: string) => request(`/api/jobs/${id}`, { method: "DELETE" });
export const forget = (study: string) => request(`/api/studies/${study}`, { method: "DELETE" });

export const verdict = (study: string, shown: string, model: string) =>
  json<Verdict>(`/api/studies/${study}/cases/${shown}/verdict?model=${encodeURIComponent(model)}`, {}, true);

/** Whether the service finds cases like an uploaded one. */
export const offered = <T>() => json<T>("/api/similar", {}, true);
export const similar = <T>(study: string, shown: string, query: URLSearchParams) => json<T>(`/api/studies/${study}/cases/${shown}/similar?${query}`);

interface Asked {
  model: string;
  study: string;
  case: string | null;
  kind: string;
  explainer?: string;
  ask?: string;
  accept_mismatch?: boolean;
  /** Cases by a model's names for its images. */
  images?: Record<string, string>;
  earlier?: { study: string; case: string };
  /** What is known of the patient, by the model's names for it. */
  covariates?: Record<string, number | string>;
}

export function start(body: Asked): Promise<Job> {
  return json<Job>("/api/jobs", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  });
}

/** The bytes at `path`, unpacked where they are gzipped. */
export async function bytes(path: string, signal?: AbortSignal): Promise<ArrayBuffer> {
  const buffer = await (await request(path, { signal })).arrayBuffer();
  const head = new Uint8Array(buffer, 0, Math.min(2, buffer.byteLength));
  if (head[0] !== 0x1f || head[1] !== 0x8b) return buffer;
  return new Response(new Blob([buffer]).stream().pipeThrough(new DecompressionStream("gzip"))).arrayBuffer();
}

/** A synthetic study, of a shape that the model takes. */
export const sample = (model: string | null) =>
  json<Study>(`/api/studies/sample${model ? `?model=${encodeURIComponent(model)}` : ""}`, { method: "POST" });

const truthPath = (study: string, shown: string, model: string | null) =>
  `/api/studies/${study}/cases/${shown}/truth${model ? `?model=${encodeURIComponent(model)}` : ""}`;

/** A case's truth; null where nobody gave one. */
export async function truth(study: string, shown: string, model: string | null): Promise<Truth | null> {
  const answer = await request(truthPath(study, shown, model), {}, true);
  return answer.status === 204 ? null : ((await answer.json()) as Truth);
}

export function giveTruth(study: string, shown: string, model: string | null, file: File): Promise<Truth> {
  const form = new FormData();
  form.append("truth", file, file.name);
  return json<Truth>(truthPath(study, shown, model), { method: "PUT", body: form });
}

/** Send files as one study; `told` hears the part that is sent, 0 to 1. Also whether it was there already. */
export async function upload(files: File[], told: (part: number) => void): Promise<[Study, boolean]> {
  for (;;) {
    const used = key();
    const { status, text } = await send(files, told);
    if (status === 401) {
      await newKey(used);
      continue;
    }
    if (status < 200 || status >= 300) throw new Failure(asFault(text, status), status);
    return [JSON.parse(text) as Study, status === 200];
  }
}

function send(files: File[], told: (part: number) => void): Promise<{ status: number; text: string }> {
  const form = new FormData();
  for (const file of files) form.append("files", file, file.name);
  return new Promise((resolve, reject) => {
    const sending = new XMLHttpRequest(); // fetch does not tell how much is sent
    sending.open("POST", "/api/studies?once=true");
    for (const [name, value] of Object.entries(headers())) sending.setRequestHeader(name, value);
    sending.upload.onprogress = (e) => e.lengthComputable && told(e.loaded / e.total);
    sending.onload = () => resolve({ status: sending.status, text: sending.responseText });
    sending.onerror = () => {
      lost();
      reject(new Failure({ error: "the upload broke off", hint: "is the service running still, and is the study not too large for it?" }, 0));
    };
    sending.send(form);
  });
}

/** Follow a job until it ends: by server-sent events, or by asking again where they break off. */
export async function follow(id: string, told: (job: Job) => void): Promise<Job> {
  const over = (j: Job) => j.status === "done" || j.status === "failed" || j.status === "cancelled";
  let last = await job(id);
  told(last);
  while (!over(last)) {
    try {
      // not EventSource, which cannot send a key
      const answer = await request(`/api/jobs/${id}/events`, { headers: { Accept: "text/event-stream" } });
      for await (const data of events(answer)) {
        last = JSON.parse(data) as Job;
        told(last);
        if (over(last)) return last;
      }
    } catch (error) {
      if (error instanceof Failure && error.status >= 400) throw error;
    }
    await new Promise((r) => setTimeout(r, 500));
    try {
      last = await job(id);
    } catch (error) {
      if (!(error instanceof Failure && error.status === 0)) throw error;
      continue; // the service does not answer; it may again, and the job go on
    }
    told(last);
  }
  return last;
}

async function* events(answer: Response): AsyncGenerator<string> {
  const reader = answer.body!.pipeThrough(new TextDecoderStream()).getReader();
  let held = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    held += value.replaceAll("\r", "");
    for (let end = held.indexOf("\n\n"); end >= 0; end = held.indexOf("\n\n")) {
      const lines = held.slice(0, end).split("\n");
      held = held.slice(end + 2);
      const data = lines.filter((l) => l.startsWith("data:")).map((l) => l.slice(5).trimStart());
      if (data.length) yield data.join("\n");
    }
  }
}

export interface Changed {
  version: number;
  sections: Record<string, string>;
  author: string;
  verified: boolean;
  organisation: string;
}

/** A report with the text of a version, by default the newest. */
export const report = (path: string, version?: number) => json<Report>(version === undefined ? path : `${path}?version=${version}`);
export const saveReport = (path: string, changed: Changed) =>
  json<Report>(path, { method: "PUT", headers: { "Content-Type": "application/json" }, body: JSON.stringify(changed) });

/** Save what lies at `path` under a name. */
export async function save(path: string, name: string): Promise<void> {
  saveBlob(await (await request(path)).blob(), name);
}

export function saveBlob(blob: Blob, name: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
