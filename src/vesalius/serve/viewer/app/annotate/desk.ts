// The open case of a project: what is drawn and said of it, kept in the browser at every step and saved on the service.
import * as api from "../api.ts";
import type { Session } from "../draw/session.ts";
import type { DrawTool } from "../draw/table.ts";
import { Work, type Step } from "../draw/work.ts";
import { now, set } from "../store.ts";
import { hold } from "./alone.ts";
import type { Clock } from "./clock.ts";
import { entryOf, Journal, type Draft, type Facts } from "./journal.ts";
import { asksFor, contentOf, factsOf, labelsOf, replay, sameContent, workOf } from "./reading.ts";
import { Rhythm } from "./rhythm.ts";
import * as service from "./service.ts";
import type { Item, OpenedCase, Project, Reading, Start } from "./service.ts";

/** What was saved elsewhere while this page had changes of its own. */
export interface Conflict {
  /** The newest version on the service. */
  theirs: Reading;
  /** Which of both is seen. */
  seen: "mine" | "theirs";
}

export class Desk {
  /** Something of the case is other than it was, and is to be shown. */
  onchange: () => void = () => {};
  /** How it stands with saving is other than it was. */
  onstate: () => void = () => {};
  opened: OpenedCase | null = null;
  facts: Facts = factsOf(null);
  /** The newest version that this page has seen, and whether it is done. */
  version = 0;
  done = false;
  conflict: Conflict | null = null;
  /** Whether there are steps that the service does not have. */
  unsaved = false;
  saving = false;
  /** Why the last save failed, until one succeeds. */
  failed: string | null = null;
  /** Whether this browser keeps no drafts. */
  unkept = false;
  /** Another annotator's reading that is looked at; null where one's own is seen. */
  looking: Reading | null = null;

  private key = "";
  private mine: Work | null = null;
  private journal: Journal | null = null;
  private rhythm = new Rhythm();
  private again = 1;
  private flight: Promise<void> = Promise.resolve();

  constructor(
    private session: Session,
    private clock: Clock,
    private ready: () => Promise<void>,
  ) {}

  /** The project and the annotator that cases are opened of. */
  project: Project | null = null;
  who = "";

  get locked(): boolean {
    return this.looking !== null || this.conflict !== null || this.sealed;
  }

  /** Seconds of this reading that the service knows of. */
  saidSeconds = 0;

  /** Whether only the image's class is asked for: then the keys with numbers choose it. */
  get onlyNames(): boolean {
    return this.project !== null && asksFor(this.project, "class") && !asksFor(this.project, "mask") && !asksFor(this.project, "boxes");
  }

  /** Whether nothing of it can be changed any more. */
  sealed = false;

  /** Take up a case; what was drawn of it before is there again. */
  async open(item: Item): Promise<void> {
    const { project, who } = this;
    if (!project) return;
    await this.close();
    const key = `${project.name}/${item.case}/${who}`;
    if (!(await hold(key))) throw new api.Failure({ error: "this case is open in another tab of this browser", hint: "go on there, or close it there first" }, 409);
    try {
      await this.take(item, key);
    } catch (error) {
      this.opened = null;
      await hold(null);
      throw error;
    }
  }

  private async take(item: Item, key: string): Promise<void> {
    const { who } = this;
    const project = this.project!;
    const opened = await service.open(item.case, who);
    this.sealed = item.state === "sealed" || item.state === "adjudicated";
    const study = opened.body;
    set({ studies: [study, ...now().studies.filter((s) => s.study !== study.study)], study, caseId: opened.image, job: null, answers: [], history: [] });
    await this.ready();
    const file = this.session.stage.file;
    if (!file || now().study?.study !== opened.study) throw new api.Failure({ error: "the image of this case could not be shown" }, 500);
    const kept = await Journal.open(key, opened.reading?.version ?? 0);
    this.journal = kept?.journal ?? null;
    this.unkept = kept === null;
    this.opened = opened;
    this.looking = this.conflict = this.failed = null;
    this.version = opened.reading?.version ?? 0;
    this.done = opened.reading?.done ?? false;
    this.saidSeconds = opened.reading?.seconds ?? 0;
    this.unsaved = false;
    this.mine = await workOf(opened.reading, file.grid, project);
    this.facts = factsOf(opened.reading);
    let seconds = 0;
    if (kept?.draft) seconds = await this.recall(kept.draft, file.grid);
    this.key = key;
    this.clock.start(this.sealed ? null : Math.max(seconds, Number(sessionStorage.getItem(SECONDS + key) ?? 0)));
    sessionStorage.removeItem(SECONDS + key);
    this.show();
    this.beat();
    if (this.unsaved && !this.conflict) this.later();
  }

  /** What a reload, or a save that failed, has left in the browser; returns the seconds that were worked for it. */
  private async recall(draft: Draft, grid: Work["grid"]): Promise<number> {
    const { project, opened, journal } = this;
    const newest = opened!.reading;
    let base = newest;
    if (draft.version !== this.version) {
      base = draft.version ? await service.reading(opened!.case, this.who, this.who, draft.version) : null;
      this.mine = await workOf(base, grid, project!);
    }
    const sent = draft.numbers.filter((n) => n <= (journal?.sent ?? 0)).length;
    let { facts, seconds } = replay(draft.entries.slice(0, sent), this.mine!, factsOf(base));
    if (draft.version !== this.version && newest) {
      // the newest version may be this page's own, saved just before it was closed
      const own = sent > 0 && sameContent(contentOf(project!, this.mine!, facts), newest.content ?? {});
      if (own) await journal?.saved(draft.numbers[sent - 1]!, this.version);
      else this.conflict = { theirs: newest, seen: "mine" };
      if (own && sent === draft.entries.length) {
        this.facts = facts;
        return 0;
      }
    }
    ({ facts, seconds } = replay(draft.entries.slice(sent), this.mine!, facts));
    this.facts = facts;
    this.unsaved = true;
    return seconds;
  }

  /** The page goes: the time that no step holds yet is kept for when it comes again. */
  keepTime(): void {
    if (this.opened && !this.sealed) sessionStorage.setItem(SECONDS + this.key, String(this.clock.seconds));
  }

  /** Save what is not saved, and let go of the case. */
  async close(): Promise<void> {
    const { opened } = this;
    if (!opened) return;
    this.session.leave();
    await this.flight; // its version and its time are of this case
    this.rhythm.now();
    if (this.unsaved && !this.done && !this.conflict && !this.sealed) await this.save(false).catch(() => {}); // the browser keeps it
    this.rhythm.end();
    if (!this.version && !this.unsaved) void service.letGo(opened.case, this.who).catch(() => {});
    this.opened = this.mine = this.journal = null;
    this.clock.start(null);
    this.session.begin(null);
    await hold(null);
  }

  /** A step was made on the image. */
  stepped(step: Step, back: boolean): void {
    if (!this.opened || this.locked) return;
    if (this.facts.start.kind !== "nothing" && !this.facts.start.changed && step.name !== START) this.facts = { ...this.facts, start: { ...this.facts.start, changed: true } };
    this.write({ ...entryOf(step.patch, back), ...(step.boxes ? { boxes: back ? step.boxes.before : step.boxes.after } : {}), facts: this.facts });
  }

  /** Something else of the reading was said: a class, a remark. */
  say(change: Partial<Facts>): void {
    if (!this.opened || this.locked) return;
    const started = this.facts.start.kind !== "nothing" && !change.start ? { start: { ...this.facts.start, changed: true } } : {};
    this.facts = { ...this.facts, ...started, ...change };
    this.write({ facts: this.facts });
    if (change.note === undefined) this.onchange(); // who types goes on typing
  }

  /** Begin from what a model or another reading says: it is put in as a step, and is said as such in what is saved. */
  begin(start: Start, labels: Uint8Array | null, boxes: Work["boxes"] | null, said: Partial<Facts> = {}): void {
    if (!this.mine || this.locked) return;
    this.facts = { ...this.facts, ...said, start: { ...start, changed: false } };
    if (labels) this.mine.replace(START, labels);
    if (boxes) this.mine.setBoxes(START, boxes);
    this.write({ facts: this.facts });
    this.onchange();
  }

  /** What was drawn came from a tool's proposal. */
  proposed(start: Start): void {
    if (this.facts.start.kind === "nothing" || (this.facts.start.kind === start.kind && this.facts.start.name !== start.name)) this.say({ start: { ...start, changed: true } });
  }

  /** Save on the service; a draft, or done. */
  save(done: boolean): Promise<void> {
    if (this.saving) return done ? this.flight.then(() => this.save(true)) : Promise.resolve();
    if (!this.opened || !this.mine || this.conflict || this.sealed) return Promise.resolve();
    this.saving = true;
    const flight = this.fly(done, this.opened, this.mine).finally(() => {
      this.saving = false;
      this.onstate();
      if (this.unsaved && !this.conflict && !this.failed) this.later();
    });
    this.flight = flight.catch(() => {});
    return flight;
  }

  /** One save, which `close` waits for: what comes back is of the case that was sent. */
  private async fly(done: boolean, opened: OpenedCase, mine: Work): Promise<void> {
    const { project, journal } = this;
    this.rhythm.now();
    const upTo = journal?.at ?? 0;
    const seconds = this.clock.seconds;
    const sent = { version: this.version, done, seconds: Math.round(seconds * 10) / 10, role: opened.role, start: this.facts.start, note: this.facts.note, content: contentOf(project!, mine, this.facts) };
    journal?.sending(upTo);
    this.unsaved = false; // a step that comes meanwhile says it again
    this.onstate();
    try {
      const saved = await this.sent(opened, sent);
      this.version = saved.version;
      this.done = saved.done;
      this.saidSeconds = saved.seconds;
      this.failed = null;
      this.again = 1;
      this.clock.take(seconds);
      await journal?.saved(upTo, saved.version);
    } catch (error) {
      this.unsaved = true;
      const newer = service.newerThan(error);
      if (newer) return this.behind(newer);
      this.failed = error instanceof api.Failure ? [error.fault.error, error.fault.found].filter(Boolean).join(": ") : String(error);
      if (!(error instanceof api.Failure && [403, 409, 422].includes(error.status))) this.later((this.again = Math.min(8, this.again * 2)));
      throw error;
    }
  }

  /** Send a reading. Where an answer was lost on its way and the service has it already, that is as good. */
  private async sent(opened: OpenedCase, sent: service.Sent): Promise<Reading> {
    try {
      return await service.save(opened.case, this.who, sent);
    } catch (error) {
      const newer = service.newerThan(error);
      if (newer && newer.done === sent.done && newer.content && sameContent(newer.content, sent.content)) return newer;
      throw error;
    }
  }

  /** A newer version was saved elsewhere: nothing is saved until a person has chosen. */
  private behind(theirs: Reading): void {
    this.conflict = { theirs, seen: "mine" };
    this.show();
  }

  /** Look at the one or the other of two versions. */
  async see(which: Conflict["seen"]): Promise<void> {
    if (!this.conflict) return;
    this.conflict.seen = which;
    await this.showAll();
  }

  /** Go on with one of two versions; the other stays among the versions on the service, or in nothing. */
  async settle(which: Conflict["seen"]): Promise<void> {
    const { conflict, project, mine } = this;
    if (!conflict || !project || !mine) return;
    this.version = conflict.theirs.version;
    if (which === "theirs") {
      this.mine = await workOf(conflict.theirs, mine.grid, project);
      this.facts = factsOf(conflict.theirs);
      this.done = conflict.theirs.done;
      this.unsaved = false;
      await this.journal?.clear(this.version);
    } else {
      const theirs = await workOf(conflict.theirs, mine.grid, project);
      const step = theirs.replace("Mine", mine.labels);
      await this.journal?.replace(this.version, { ...entryOf(step?.patch ?? null, false), boxes: mine.boxes, facts: this.facts, seconds: this.clock.seconds });
      this.unsaved = true;
    }
    this.conflict = null;
    this.show();
    if (which === "mine" && !this.done) await this.save(false);
  }

  /** Look at another annotator's reading; null for one's own. */
  async look(reading: Reading | null): Promise<void> {
    this.session.leave();
    this.looking = reading;
    await this.showAll();
  }

  /** What another reading has drawn, for a comparison. */
  async drawnIn(reading: Reading): Promise<Work | null> {
    return this.mine && this.project ? workOf(reading, this.mine.grid, this.project) : null;
  }

  get own(): Work | null {
    return this.mine;
  }

  private async showAll(): Promise<void> {
    const other = this.looking ?? (this.conflict?.seen === "theirs" ? this.conflict.theirs : null);
    const { opened } = this;
    const work = other ? await this.drawnIn(other) : this.mine;
    if (this.opened === opened && work) this.put(work);
  }

  private show(): void {
    if (this.mine) this.put(this.mine);
  }

  private put(work: Work): void {
    const { project } = this;
    if (!project) return;
    const makes = (["mask", "boxes"] as const).filter((m): m is DrawTool["makes"] => asksFor(project, m));
    this.session.begin({ work, labels: { mask: labelsOf(project, "mask"), boxes: labelsOf(project, "boxes") }, makes, locked: this.locked });
    this.onchange();
  }

  private write(entry: Omit<Parameters<Journal["add"]>[0], "seconds">): void {
    this.journal?.add({ ...entry, seconds: this.clock.seconds }, () => {
      this.unkept = true;
      this.onstate();
    });
    const first = !this.unsaved;
    this.unsaved = true;
    if (!this.done) this.later();
    if (first) this.onstate();
  }

  /** Save as a draft once one rests; what is done stays as it is until somebody says so. */
  private later(slower = 1): void {
    if (this.done) return this.rhythm.now();
    this.rhythm.later(() => {
      if (this.session.busy || this.saving) this.later();
      else if (this.unsaved) void this.save(false).catch(() => {});
    }, slower);
  }

  /** Say from time to time that one is at it still. */
  private beat(): void {
    const { opened, project, who } = this;
    if (!opened || !project || this.sealed) return;
    this.rhythm.beat(() => void (!this.clock.paused && service.claim(opened.case, who).catch(() => {})), project.claim_s / 3);
  }
}

const SECONDS = "vesalius-seconds ";
const START = "Started from";
