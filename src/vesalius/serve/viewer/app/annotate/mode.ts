// Annotating: a project's cases one after the other, each drawn and said by one annotator, from the first stroke to the last case.
import { Failure } from "../api.ts";
import { byId } from "../dom.ts";
import { renewExtents } from "../draw/panel.ts";
import type { Session } from "../draw/session.ts";
import { addMode, type Shortcut } from "../keys.ts";
import { announce, guarded, note, quiet, report } from "../say.ts";
import { canOpen, fillList } from "./case_list.ts";
import { fillCase, missing, nothingDrawn, renewSaving, sayState } from "./case_panel.ts";
import { Clock } from "./clock.ts";
import { Desk } from "./desk.ts";
import { now, on, set } from "../store.ts";
import * as service from "./service.ts";
import type { Item, Project } from "./service.ts";

const WHO = "vesalius-annotator"; // kept in the browser
const HERE = "vesalius-annotating"; // in this tab: the case that is open
const LOOK_MS = 20_000;

/** Whether this tab annotates, also before a reload has come so far. */
export const annotates = (): boolean => sessionStorage.getItem(HERE) !== null;

/** What the rest of the page asks of it. */
export interface Annotating {
  /** Whether cases of a project are being annotated: then the panel of drawing is its. */
  on(): boolean;
  fillPanel(): void;
  stepped(...of: Parameters<Session["onstep"]>): void;
  /** Go on where a reload has left off. */
  resume(): Promise<void>;
  /** A tool's proposal was drawn. */
  proposed: Desk["proposed"];
}

export function annotating(session: Session, ready: () => Promise<void>, entering: () => void): Annotating {
  const clock = new Clock();
  const desk = new Desk(session, clock, ready);
  const button = byId<HTMLButtonElement>("annotate-button");
  let project: Project | null = null;
  let items: Item[] = [];
  let active = false;
  let sure: string | null = null; // the case of which nothing drawn was seen and confirmed

  let moving = false;
  /** One case after the other: what is pressed while one comes or goes is not heard. */
  const alone = <A extends unknown[]>(act: (...given: A) => Promise<void>) => async (...given: A): Promise<void> => {
    if (moving) return;
    moving = true;
    try {
      await act(...given);
    } finally {
      moving = false;
    }
  };
  const list = () => {
    if (active && project) fillList(project, items, desk.opened?.case ?? null, { who: desk.who || null, be: alone(be), open: alone(open), step: alone(step), leave: alone(leave) });
  };
  const acts = { finish: alone(finish), saved: () => look() };
  const panel = () => fillCase(desk, session, clock, acts);
  let told = ""; // the last version of which the list knows
  desk.onstate = () => {
    renewSaving(desk, clock, acts);
    const saved = `${desk.opened?.case} ${desk.version > 0} ${desk.done}`;
    if (!desk.saving && desk.opened && saved !== told) {
      told = saved;
      void look().catch(() => {}); // it is looked at again soon
    }
  };
  desk.onchange = () => {
    session.onpanel();
  };
  clock.ontick = () => sayState(desk, clock);

  async function look(): Promise<void> {
    if (!active) return;
    const found = await service.project(desk.who || null);
    if (!found) throw new Failure({ error: "this service has no annotation project any more" }, 404);
    project = desk.project = found;
    if (!desk.who && found.you) desk.who = found.you;
    if (desk.who) items = await service.items(desk.who);
    list();
  }

  async function enter(): Promise<void> {
    quiet();
    entering();
    set({ job: null, answers: [], history: [] }); // what a model says is seen only as a start
    active = true;
    button.setAttribute("aria-pressed", "true");
    document.body.classList.add("annotates");
    byId("annotate-panel").hidden = false;
    sessionStorage.setItem(HERE, sessionStorage.getItem(HERE) ?? "");
    desk.who = project?.names === "keys" ? "" : (localStorage.getItem(WHO) ?? "");
    try {
      await look();
    } catch (error) {
      if (!(error instanceof Failure) || error.status !== 403) throw error;
      desk.who = ""; // the name that was kept is none of this project's
      localStorage.removeItem(WHO);
      await look();
    }
    session.onpanel();
    session.stage.resized();
  }

  async function leave(): Promise<void> {
    await desk.close();
    active = false;
    sessionStorage.removeItem(HERE);
    button.setAttribute("aria-pressed", "false");
    document.body.classList.remove("annotates");
    byId("annotate-panel").hidden = true;
    session.onpanel();
    session.stage.resized();
  }

  async function be(name: string): Promise<void> {
    if (!name) return;
    await desk.close();
    const before = desk.who;
    desk.who = name;
    try {
      await look();
    } catch (error) {
      desk.who = before;
      throw error;
    }
    localStorage.setItem(WHO, name);
    session.onpanel();
  }

  async function open(item: Item): Promise<void> {
    quiet();
    try {
      await desk.open(item);
      sessionStorage.setItem(HERE, item.case);
    } finally {
      await look().catch(report);
      session.onpanel();
    }
    announce(`${item.name} is open`);
  }

  /** The next case, or the one before; of the next ones those that are done are passed over. */
  async function step(by: 1 | -1): Promise<void> {
    const at = items.findIndex((i) => i.case === desk.opened?.case);
    const rest = by > 0 ? [...items.slice(at + 1), ...items.slice(0, Math.max(0, at))] : items.slice(0, Math.max(0, at)).reverse();
    const next = rest.find((i) => canOpen(i) && (by < 0 || ["open", "draft", "adjudicate"].includes(i.state)));
    if (next) return open(next);
    if (by < 0) return note("This is the first case.");
    await desk.close();
    sessionStorage.setItem(HERE, "");
    await look();
    session.onpanel();
    note("Nothing is left to do for you.");
  }

  async function finish(): Promise<void> {
    if (!desk.opened || desk.locked) return;
    if (desk.done && !desk.unsaved) return step(1);
    if (session.pending || desk.own?.unsettled) return note("What is half drawn is not closed yet: Enter closes it, Escape gives it up.");
    const lacks = missing(desk);
    if (lacks) return note(lacks);
    if (nothingDrawn(desk) && sure !== desk.opened.case) {
      sure = desk.opened.case;
      return note("Nothing is drawn. If that is right, press Done once more.");
    }
    const { name } = desk.opened;
    await desk.save(true);
    if (desk.conflict || desk.unsaved || !desk.done) return;
    await look();
    await step(1);
    announce(`${name} is done`);
  }

  const shortcuts = (): Shortcut[] => [
    { keys: ["Ctrl+s"], does: "save the draft", act: guarded(() => (desk.done ? undefined : desk.save(false).then(look))) },
    { keys: ["Ctrl+Enter"], does: "done, on to the next case", act: guarded(acts.finish) },
    { keys: ["."], does: "the next case", act: guarded(() => alone(step)(1)) },
    { keys: [","], does: "the case before", act: guarded(() => alone(step)(-1)) },
    { keys: ["Enter"], does: "", act: () => {} }, // no model is asked by mistake
    ...(desk.onlyNames ? (project?.asks.find((a) => a.kind === "class")?.labels ?? []).slice(0, 9).map((l, k) => ({ keys: [String(k + 1)], does: `class ${l.name}`, act: () => desk.say({ class: l.name }) })) : []),
  ];
  addMode({ title: "While annotating", on: () => active, shortcuts });
  button.addEventListener("click", guarded(() => alone(active ? leave : enter)()));
  setInterval(() => {
    if (active && document.visibilityState === "visible" && !desk.saving) void look().catch(() => {});
  }, LOOK_MS);
  on(["study", "caseId"], () => {
    const { opened } = desk;
    if (opened && (now().study?.study !== opened.study || now().caseId !== opened.image)) void guarded(() => desk.close())(); // another image came
  });
  addEventListener("pagehide", () => {
    desk.keepTime();
    if (desk.opened && !desk.version && !desk.unsaved) void service.letGo(desk.opened.case, desk.who).catch(() => {});
  });

  return {
    on: () => active,
    fillPanel: panel,
    proposed: (start) => desk.proposed(start),
    stepped: (made, back) => {
      sure = null;
      desk.stepped(made, back);
      renewExtents(byId("draw-panel"), session);
      if (made.boxes) panel();
      sayState(desk, clock);
    },
    resume: async () => {
      project = await service.project(null).catch(() => null);
      button.hidden = project === null;
      const before = sessionStorage.getItem(HERE);
      if (!project || before === null) return;
      await enter();
      const item = items.find((i) => i.case === before);
      if (item && canOpen(item)) await open(item);
    },
  };
}
