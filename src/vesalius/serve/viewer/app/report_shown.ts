// A report's sentences: each is lit over the image where the model looked as it wrote it; what is not borne out says why.
import { h } from "./dom.ts";
import type { Given } from "./kinds.ts";
import { extremes, strongest } from "./nifti.ts";
import { guarded } from "./say.ts";
import { sentences } from "./sentences.ts";
import type { Held } from "./types.ts";

export interface Finding {
  name: string;
  status?: "present" | "absent" | "uncertain" | "past";
  side?: string | null;
  place?: string;
  size_mm?: number | null;
  count?: number | null;
  change?: string | null;
  code?: string;
}

export interface Evidence {
  section: string;
  sentence: number;
  findings?: Finding[];
  supported?: boolean | null;
  why?: string;
  part?: string;
}

export type Sections = Record<string, string>;

/** What is known of the sentences of a text that a person has changed: those that stayed as the model wrote them keep it. */
export function known(written: Sections, shown: Sections, evidence: Evidence[]): Evidence[] {
  const held = evidence.map((e) => ({ e, said: sentences(written[e.section] ?? "")[e.sentence] }));
  return Object.entries(shown).flatMap(([section, text]) =>
    sentences(text).flatMap((said, sentence) => {
      const place = held.findIndex((one) => one.e.section === section && one.said === said);
      return place < 0 ? [] : held.splice(place, 1).map((one) => ({ ...one.e, sentence }));
    }),
  );
}

/** Lights the maps of sentences over the image: one that is looked at, or else the one that was chosen. */
export class Light {
  private readonly held = new Map<string, Promise<ArrayBuffer | null>>();
  private turn = 0;
  private lit = "";
  private pinned = "";

  constructor(
    private readonly answer: Held,
    private readonly given: Given,
    private readonly names: readonly string[],
  ) {}

  /** Lay a sentence's map over the image; "" takes it away, or lays that of the sentence that was chosen. */
  async show(part: string): Promise<void> {
    const wanted = part || this.pinned;
    const mine = ++this.turn;
    if (wanted === this.lit) return;
    const buffer = wanted ? await this.bytes(wanted) : null;
    if (mine !== this.turn || !this.given.current()) return; // one that comes late is not laid over the next
    this.lit = wanted;
    const [low, high] = buffer ? extremes(buffer) : [0, 1];
    await this.given.stage.setMap(buffer, low, high);
    this.given.stage.setOpacity("map", 0.5);
  }

  /** Choose a sentence, so that its map stays, and go to where it is strongest; again, and it is let go. */
  async choose(part: string): Promise<boolean> {
    this.pinned = this.pinned === part ? "" : part;
    await this.show(part);
    const buffer = this.pinned ? await this.bytes(part) : null;
    const at = buffer && this.given.current() ? strongest(buffer) : null;
    if (at) this.given.stage.goTo(at);
    return this.pinned === part;
  }

  has(part: string | undefined): part is string {
    return Boolean(part) && this.names.includes(part!);
  }

  private bytes(part: string): Promise<ArrayBuffer | null> {
    const found = this.held.get(part) ?? this.given.file(this.fileOf(part));
    this.held.set(part, found);
    return found;
  }

  private fileOf(part: string): string {
    const files = Object.keys(this.answer.files).filter((name) => name.endsWith(".map.nii.gz"));
    return (files.length === this.names.length ? files[this.names.indexOf(part)] : `${part}.map.nii.gz`) ?? "";
  }
}

/** The sections with their sentences, what they say, and what speaks against them. */
export function body(sections: Sections, evidence: Evidence[], light: Light): HTMLElement {
  const made = h("div", { class: "report" });
  const doubted = evidence.filter((e) => e.supported === false).length;
  if (doubted) made.append(h("p", { class: "wrong", id: "doubted" }, `${doubted === 1 ? "One sentence is" : `${doubted} sentences are`} not borne out by the rest of the model.`));
  for (const [name, text] of Object.entries(sections)) {
    const about = new Map(evidence.filter((e) => e.section === name).map((e) => [e.sentence, e]));
    if (name) made.append(h("h2", {}, name));
    if (text.trim()) made.append(h("p", {}, sentences(text).flatMap((said, k) => [sentence(said, about.get(k), light), " "])));
    const found = [...about.values()].flatMap((e) => e.findings ?? []);
    if (found.length) made.append(h("ul", { class: "chips", "aria-label": `Findings of ${name || "the text"}` }, found.map(chip)));
  }
  return made;
}

function sentence(text: string, about: Evidence | undefined, light: Light): HTMLElement {
  const doubted = about?.supported === false;
  const why = doubted && h("span", { class: "why" }, ` Not borne out: ${about.why || "no reason is given"}. `);
  const part = about?.part;
  if (!light.has(part)) return h("span", { class: doubted ? "said doubted" : "said" }, text, why);
  const show = guarded(() => light.show(part));
  const leave = guarded(() => light.show(""));
  const choose = guarded(async () => {
    const chosen = await light.choose(part);
    lit.parentElement?.parentElement?.querySelectorAll('.lights[aria-pressed="true"]').forEach((e) => e.setAttribute("aria-pressed", "false"));
    lit.setAttribute("aria-pressed", String(chosen));
  });
  const lit = h(
    "span",
    {
      class: doubted ? "said lights doubted" : "said lights",
      role: "button",
      tabindex: "0",
      "aria-pressed": "false",
      title: "Where the model looked; press to keep it and go there",
      onmouseenter: show,
      onmouseleave: leave,
      onfocus: show,
      onblur: leave,
      onclick: choose,
      onkeydown: (e: KeyboardEvent) => {
        if (e.key !== "Enter" && e.key !== " ") return;
        e.preventDefault();
        void choose();
      },
    },
    text,
  );
  return why ? h("span", {}, lit, why) : lit;
}

const LEAD = { present: "", absent: "no ", uncertain: "perhaps ", past: "earlier: " };

function chip(found: Finding): HTMLElement {
  const status = found.status ?? "present";
  const size = found.size_mm === null || found.size_mm === undefined ? "" : `${Number(found.size_mm.toPrecision(3))} mm`;
  const count = found.count === null || found.count === undefined ? "" : `× ${found.count}`;
  const rest = [found.side, found.place, size, count, found.change].filter(Boolean).join(", ");
  return h("li", { class: `chip ${status}`, title: found.code || null }, `${LEAD[status]}${found.name}${rest ? `: ${rest}` : ""}`);
}
