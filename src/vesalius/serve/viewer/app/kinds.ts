// Kinds of answer: a file each in answers/, which the build takes in; what is drawn on an image, and its taking away.
import { fill, h } from "./dom.ts";
import { promise, withheld, withheldBecause } from "./promise.ts";
import type { Followed } from "./running.ts";
import type { Stage } from "./stage.ts";
import type { Held } from "./types.ts";

export interface Given {
  stage: Stage;
  /** Bytes of one of the answer's files; null where it has none of that name. */
  file(name: string): Promise<ArrayBuffer | null>;
  /** Whether this answer is still the one to be shown. */
  current(): boolean;
  /** Whether it is shown beside another answer, which has the controls. */
  beside?: boolean;
  /** Makes an element in one expression, for the script of another package, which cannot import it. */
  h?: typeof h;
}

/** What a kind's file exports. */
export interface Kind {
  panel(answer: Held, given: Given): HTMLElement | Promise<HTMLElement>;
  /** Where there is one: another answer in the place of the last, without a new panel. */
  renew?(answer: Held, given: Given): Promise<void>;
  /** Where there is one: the number that is followed over the frames of a cine, as a line. */
  followed?(answer: Held): Followed | null;
  /** Of a kind that is drawn on the image: take that away. `again` says that another answer of the kind comes next. */
  clear?(stage: Stage, again: boolean): void | Promise<void>;
  /** Whether its pixels lie in a file of their own, so that it has no panel as a part of another answer. */
  ownFile?: boolean;
  /** Names of parts that its own panel shows, so that they have no panel of theirs; or what tells those of an answer. */
  holds?: readonly string[] | ((answer: Held) => readonly string[]);
  /** Where there is one: what is shown of answers of the kind that are parts, by `names`, of one that is no image. */
  parts?(names: readonly string[], answer: Held, given: Given): HTMLElement | Promise<HTMLElement>;
  /** Whether its panel shows its parts, so that these have none of their own. */
  showsParts?: boolean;
  /** How far two answers of the kind to one image agree; `bytes` are a file's of one of them. */
  agree?(one: Held, other: Held, bytes: (answer: Held, name: string) => Promise<ArrayBuffer | null>): Promise<HTMLElement | null>;
}

/** Which kinds of answer were drawn on the image, to be taken away when others come. */
export class Drawn {
  private readonly names = new Set<string>();

  constructor(private readonly stage: Stage) {}

  add(kind: string): void {
    this.names.add(kind);
  }

  /** Take away what was drawn, but for what answers of the kinds in `next` will replace. */
  async clear(next: readonly string[] = []): Promise<void> {
    for (const name of [...this.names]) {
      const again = next.includes(name);
      if (!again) this.names.delete(name);
      await (await kindOf(name)).clear?.(this.stage, again);
    }
  }
}

/** The panel of an answer's kind, and below it those of its parts. */
export async function section(answer: Held, given: Given, drawn: Drawn): Promise<HTMLElement[]> {
  const why = withheldBecause(answer);
  if (why !== null) return [withheld(why)];
  drawn.add(answer.kind);
  const own = await kindOf(answer.kind);
  const made = [await own.panel(answer, given)];
  const promised = promise(answer);
  if (promised) made.push(promised);
  const held = typeof own.holds === "function" ? own.holds(answer) : own.holds;
  const inFiles = new Map<string, string[]>();
  for (const [name, part] of Object.entries((answer.answer.parts ?? {}) as Record<string, Record<string, unknown>>)) {
    if (held?.includes(name)) continue;
    const kind = await kindOf(String(part.kind));
    if (kind.ownFile && kind.parts && !own.ownFile) inFiles.set(String(part.kind), [...(inFiles.get(String(part.kind)) ?? []), name]);
    if (kind.ownFile || own.showsParts) continue;
    const inner: Held = { ...answer, kind: String(part.kind), answer: part, summary: {}, files: {} };
    made.push(h("h3", {}, name.replaceAll("_", " ")), ...(await section(inner, given, drawn)));
  }
  for (const [kind, names] of inFiles) {
    drawn.add(kind);
    const shown = await (await kindOf(kind)).parts?.(names, answer, given);
    if (shown) made.push(shown);
  }
  return made;
}

/** An answer in an element that is there already: the panel of its kind, made once where that can be renewed. */
export async function fillAnswer(into: HTMLElement, answer: Held, given: Given, drawn: Drawn): Promise<void> {
  const { renew } = await kindOf(answer.kind);
  if (withheldBecause(answer) !== null) {
    delete into.dataset.kind;
    await drawn.clear();
    fill(into, await section(answer, given, drawn));
    return;
  }
  if (renew && into.dataset.kind === answer.kind) {
    await renew(answer, given);
    return;
  }
  into.dataset.kind = answer.kind;
  fill(into, await section(answer, given, drawn));
}

/** How far two answers to one image agree; null where they are not of one kind, or it cannot be said. */
export async function agreement(one: Held, other: Held, bytes: (answer: Held, name: string) => Promise<ArrayBuffer | null>): Promise<HTMLElement | null> {
  return one.kind === other.kind ? ((await (await kindOf(one.kind)).agree?.(one, other, bytes)) ?? null) : null;
}

/** The number of an answer that is followed over the frames of a cine; null where it has none, or is withheld. */
export async function followed(answer: Held): Promise<Followed | null> {
  return withheldBecause(answer) === null ? ((await kindOf(answer.kind)).followed?.(answer) ?? null) : null;
}

/** Whether answers of a kind are drawn on the image. */
export const isDrawn = async (kind: string): Promise<boolean> => (await kindOf(kind)).clear !== undefined;

async function kindOf(kind: string): Promise<Kind> {
  const name = kind.toLowerCase();
  try {
    // to add a kind, add a file: the build takes in all of the folder
    return (await import(`./answers/${name}.ts`)) as Kind;
  } catch {
    return (await ofPackage(name)) ?? { panel: plain };
  }
}

/** What another package's script says of a kind, where the service has one: see serve/viewer/packages.py. */
async function ofPackage(name: string): Promise<Kind | null> {
  if (!(document.documentElement.dataset.kinds ?? "").split(" ").includes(name)) return null;
  const found = (await import(new URL(`kinds/${name}.js`, document.baseURI).href)) as Kind;
  return { ...found, panel: (answer, given) => found.panel(answer, { ...given, h }) };
}

/** For a kind without a panel of its own: its figures, and the files below. */
function plain(answer: Held): HTMLElement {
  const fields = Object.entries(answer.summary.fields ?? {});
  return h("div", {}, h("h2", {}, answer.kind), h("dl", {}, fields.flatMap(([name, x]) => [h("dt", {}, name.replaceAll("_", " ")), h("dd", {}, String(x))])));
}
