// The draft in this browser: each step is written down as it is made, so that a reload, a crash or a lost network takes none.
import type { DrawnBox, Patch } from "../draw/work.ts";
import type { Start } from "./service.ts";

const NAME = "vesalius-drafts";
const SENT = "vesalius-sent ";
const OLD_MS = 60 * 24 * 3600 * 1000;

/** What of a reading lies in no voxel and no box. */
export interface Facts {
  class: string | null;
  classes: string[] | null;
  note: string;
  start: Start;
}

/** One step: what it made of voxels, of all boxes, or of the facts. */
export interface Entry {
  at?: Uint32Array;
  after?: Uint8Array;
  boxes?: readonly DrawnBox[];
  facts?: Facts;
  seconds: number;
}

/** What was made since a version was saved; the steps in their order. */
export interface Draft {
  version: number;
  /** Milliseconds since 1970 of the last step. */
  when: number;
  entries: Entry[];
  /** The number of each entry. */
  numbers: number[];
}

/** A step as an entry has it: forwards, or backwards where it was taken back. */
export function entryOf(patch: Patch | null, back: boolean): Pick<Entry, "at" | "after"> {
  if (!patch) return {};
  return back ? { at: patch.at.slice().reverse(), after: patch.before.slice().reverse() } : { at: patch.at, after: patch.after };
}

export class Journal {
  private last = 0;

  private constructor(
    private db: IDBDatabase,
    private key: string,
    private version: number,
  ) {}

  /** The journal of a case and an annotator, and the draft that it holds; null where the browser keeps none. */
  static async open(key: string, version: number): Promise<{ journal: Journal; draft: Draft | null } | null> {
    try {
      const db = await opened();
      const rows = await asked<Row[]>(db.transaction("steps").objectStore("steps").getAll(rangeOf(key)));
      const journal = new Journal(db, key, rows[0]?.version ?? version);
      journal.last = rows.at(-1)?.n ?? 0;
      const draft = rows.length ? { version: rows[0]!.version, when: rows.at(-1)!.when, entries: rows.map((r) => r.entry), numbers: rows.map((r) => r.n) } : null;
      return { journal, draft };
    } catch {
      return null;
    }
  }

  /** Number of the last step that was written down. */
  get at(): number {
    return this.last;
  }

  /** Write a step down. The browser has it when this returns the number, also if the page goes at once. */
  add(entry: Entry, failed: () => void): number {
    const n = ++this.last;
    try {
      const write = this.db.transaction("steps", "readwrite", { durability: "relaxed" });
      write.objectStore("steps").put({ key: this.key, n, version: this.version, when: Date.now(), entry } satisfies Row);
      write.onabort = failed;
      write.commit();
    } catch {
      failed();
    }
    return n;
  }

  /** All steps up to one are in a version that was saved: they go, and those after it belong to that version. */
  async saved(upTo: number, version: number): Promise<void> {
    this.version = version;
    await this.change((row) => (row.n <= upTo ? null : { ...row, version }));
    localStorage.removeItem(SENT + this.key);
  }

  /** One step in the place of all, over another version than they began with. */
  async replace(version: number, entry: Entry): Promise<void> {
    this.version = version;
    const first = { key: this.key, n: ++this.last, version, when: Date.now(), entry } satisfies Row;
    await this.change((row) => (row.n < first.n ? null : row), first);
  }

  /** What is being sent holds all steps up to one. */
  sending(upTo: number): void {
    try {
      localStorage.setItem(SENT + this.key, String(upTo));
    } catch {
      // a browser that keeps nothing
    }
  }

  /** Up to which step the last save that was sent holds them. */
  get sent(): number {
    return Number(localStorage.getItem(SENT + this.key) ?? 0);
  }

  /** Forget all steps. */
  async clear(version: number): Promise<void> {
    await this.saved(this.last, version);
  }

  private change(to: (row: Row) => Row | null, more: Row | null = null): Promise<void> {
    return new Promise((done) => {
      try {
        const write = this.db.transaction("steps", "readwrite");
        if (more) write.objectStore("steps").put(more);
        const walk = write.objectStore("steps").openCursor(rangeOf(this.key));
        walk.onsuccess = () => {
          const cursor = walk.result;
          if (!cursor) return;
          const next = to(cursor.value as Row);
          if (next) cursor.update(next);
          else cursor.delete();
          cursor.continue();
        };
        write.oncomplete = write.onabort = write.onerror = () => done();
      } catch {
        done();
      }
    });
  }
}

interface Row {
  key: string;
  n: number;
  version: number;
  when: number;
  entry: Entry;
}

const rangeOf = (key: string): IDBKeyRange => IDBKeyRange.bound([key, 0], [key, Infinity]);
let base: Promise<IDBDatabase> | null = null;

function opened(): Promise<IDBDatabase> {
  base ??= new Promise<IDBDatabase>((done, failed) => {
    const asking = indexedDB.open(NAME, 1);
    asking.onupgradeneeded = () => asking.result.createObjectStore("steps", { keyPath: ["key", "n"] });
    asking.onsuccess = () => {
      done(asking.result);
      forgetOld(asking.result);
    };
    asking.onerror = () => failed(asking.error);
  });
  base.catch(() => (base = null));
  return base;
}

/** Drafts that nobody has touched for two months go: they may be of a service that is no more. */
function forgetOld(db: IDBDatabase): void {
  const store = db.transaction("steps", "readwrite").objectStore("steps");
  const newest = new Map<string, number>();
  const all = store.openCursor();
  all.onsuccess = () => {
    const cursor = all.result;
    if (cursor) {
      const { key, when } = cursor.value as Row;
      newest.set(key, Math.max(when, newest.get(key) ?? 0));
      cursor.continue();
      return;
    }
    for (const [key, when] of newest) if (Date.now() - when > OLD_MS) store.delete(rangeOf(key));
  };
}

const asked = <T>(request: IDBRequest): Promise<T> =>
  new Promise((done, failed) => {
    request.onsuccess = () => done(request.result as T);
    request.onerror = () => failed(request.error);
  });
