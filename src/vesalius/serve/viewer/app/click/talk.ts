// Speaking with the service about one object: all strokes go, the newest list alone where one clicks faster than it answers.
import * as api from "../api.ts";
import type { Stroke } from "./strokes.ts";

/** What the service says of a session's mask. */
export interface Told {
  session: string;
  version: number;
  against: number;
  flips: number[];
  strokes: number;
  voxels: number;
  summary: { labels: { volume_ml?: number; area_mm2?: number; pixels?: number }[] };
  outside: string[] | null;
  ms: number;
}

export interface About {
  model: string;
  study: string;
  case: string;
  accept_mismatch: boolean;
  /** A mask to start from, as runs of gap and length. */
  start: number[];
}

const LATER = [0, 429, 503]; // the strokes stay, to be sent again

export class Talk {
  ontold: (told: Told, ms: number) => void = () => {};
  onbusy: (busy: boolean) => void = () => {};
  /** What cannot be; `kept` are the strokes that stand. */
  onfailed: (error: unknown, kept: readonly Stroke[]) => void = () => {};
  /** The session had gone, and was begun again with all strokes. */
  onagain: () => void = () => {};

  private session: string | null = null;
  private version = 0;
  private wanted: readonly Stroke[] = [];
  private sent: readonly Stroke[] = [];
  private busy = false;

  constructor(readonly about: About) {}

  /** These strokes stand now. */
  set(strokes: readonly Stroke[]): void {
    this.wanted = strokes;
    void this.go();
  }

  /** Where the newest mask is as a file; null before there is one. */
  file(name: string, label: string): string | null {
    return this.session && `/api/clicks/${this.session}/${name}?label=${encodeURIComponent(label)}`;
  }

  /** The whole mask is to come with the next answer: what is held is not the service's. */
  async whole(): Promise<void> {
    this.version = 0;
    this.sent = [];
    await this.go(true);
  }

  end(): void {
    const { session } = this;
    this.session = null;
    this.ontold = this.onfailed = this.onbusy = this.onagain = () => {};
    if (session) void api.request(`/api/clicks/${session}`, { method: "DELETE" }, true).catch(() => {}); // it ends by itself otherwise
  }

  private async go(anyway = false): Promise<void> {
    if (this.busy) return;
    this.busy = true;
    this.onbusy(true);
    try {
      while (anyway || this.wanted !== this.sent) {
        anyway = false;
        const strokes = this.wanted;
        const began = performance.now();
        const told = await this.ask(strokes);
        if (!told) continue;
        this.sent = strokes;
        this.session = told.session;
        this.version = told.version;
        this.ontold(told, performance.now() - began);
      }
    } catch (error) {
      const later = error instanceof api.Failure && LATER.includes(error.status);
      if (!later) this.wanted = this.sent;
      this.onfailed(error, this.wanted);
    } finally {
      this.busy = false;
      this.onbusy(false);
    }
  }

  /** One request; null where the session has gone, and is to be begun again. */
  private async ask(strokes: readonly Stroke[]): Promise<Told | null> {
    if (!this.session) {
      return await send("/api/clicks", "POST", { ...this.about, strokes });
    }
    try {
      return await send(`/api/clicks/${this.session}/strokes`, "PUT", { strokes, version: this.version });
    } catch (error) {
      if (!(error instanceof api.Failure && error.status === 404)) throw error;
      this.session = null;
      this.version = 0;
      this.sent = [];
      this.onagain();
      return null;
    }
  }
}

async function send(path: string, method: string, body: object): Promise<Told> {
  const answer = await api.request(path, { method, headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
  return (await answer.json()) as Told;
}
