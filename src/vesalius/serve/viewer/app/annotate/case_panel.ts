// The right side while one annotates: what is asked of the open case, what was drawn of it, and saving it.
import { byId, digits, fill, h } from "../dom.ts";
import { fillDrawn } from "../draw/panel.ts";
import type { Session } from "../draw/session.ts";
import { guarded, note, report } from "../say.ts";
import { colourOf } from "../colours.ts";
import { fromModel, fromReading, modelsFor } from "./begin_from.ts";
import { clockText, type Clock } from "./clock.ts";
import type { Desk } from "./desk.ts";
import { asksFor, dice, labelsOf } from "./reading.ts";
import type { Reading } from "./service.ts";

export interface CaseActs {
  /** Save as done and go to the next case that is to do. */
  finish(): Promise<void>;
  saved(): Promise<void>;
}

/** Fill the panel of the open case. */
export function fillCase(desk: Desk, session: Session, clock: Clock, acts: CaseActs): void {
  const { opened, project } = desk;
  const panel = byId("draw-panel");
  panel.hidden = false;
  if (!opened || !project) return fill(panel, h("h2", { id: "draw-head" }, "Annotate"), h("p", { class: "faint" }, "Choose a case on the left, or press Next."));
  const drawn = h("div");
  fillDrawn(drawn, session);
  fill(
    panel,
    h("div", { class: "head" }, h("h2", { id: "draw-head" }, opened.name), h("span", { id: "annotate-clock", class: "number", title: "Time that you worked on this case; it stands still while the page is hidden or nothing is done" })),
    opened.role === "adjudication" && h("p", { class: "warn" }, "The readings differ. What you save here decides."),
    h("p", { id: "annotate-state", role: "status" }),
    desk.conflict ? conflict(desk) : null,
    desk.looking ? h("p", { class: "warn", id: "looking" }, `This is the reading of ${desk.looking.annotator}. `, h("button", { id: "look-own", onclick: guarded(() => desk.look(null)) }, "Back to mine")) : null,
    !desk.conflict && !desk.looking && [one(desk), several(desk)],
    drawn,
    !desk.locked && start(desk),
    !desk.locked && remark(desk),
    others(desk),
    !desk.looking && !desk.conflict && !desk.sealed && h("div", { class: "saving" }, saving(desk, acts)),
  );
  sayState(desk, clock);
}

/** Renew what hangs on saving alone. */
export function renewSaving(desk: Desk, clock: Clock, acts: CaseActs): void {
  const found = byId("draw-panel").querySelector<HTMLElement>(".saving");
  if (found) fill(found, saving(desk, acts));
  sayState(desk, clock);
}

/** Say how it stands with saving, and how long it took; alone, while one draws. */
export function sayState(desk: Desk, clock: Clock): void {
  const line = document.getElementById("annotate-state");
  const time = document.getElementById("annotate-clock");
  if (!line || !time || !desk.opened) return;
  const total = desk.saidSeconds + clock.seconds;
  const paused = clock.paused ? " paused" : "";
  if (time.textContent !== `${clockText(total)}${paused}`) time.textContent = `${clockText(total)}${paused}`;
  const words = stateOf(desk);
  if (line.textContent !== words) line.textContent = words;
  line.className = desk.failed || desk.unkept ? "warn" : "faint";
}

function stateOf(desk: Desk): string {
  const kept = desk.unkept ? "This browser keeps no drafts: save often." : "";
  if (desk.sealed) return "Closed: all readings are done, and nothing of them changes any more.";
  if (desk.conflict) return "Not saved.";
  if (desk.failed) return `Not saved on the service: ${desk.failed}. ${desk.unkept ? kept : "Your work is kept in this browser."}`;
  if (desk.saving) return "Saving…";
  if (desk.done) return [desk.unsaved ? "This reading is done, and you have changed it since: Save changes puts them in." : `Done, saved as version ${desk.version}.`, kept].filter(Boolean).join(" ");
  if (desk.unsaved) return ["Kept in this browser; saved on the service as soon as you rest.", kept].filter(Boolean).join(" ");
  return desk.version ? `Draft, saved as version ${desk.version}.` : "Nothing is saved yet.";
}

function conflict(desk: Desk): HTMLElement {
  const { theirs, seen } = desk.conflict!;
  const compared = h("div");
  void comparison(desk).then((table) => table && fill(compared, table), report);
  return h(
    "div",
    { class: "conflict", id: "conflict", role: "alertdialog", "aria-label": "Two versions of this reading" },
    h("p", { class: "warn" }, `Version ${theirs.version}${theirs.done ? ", done," : ""} of your reading was saved elsewhere on ${new Date(theirs.at).toLocaleString()}, while this page had changes of its own. Both are here; choose which one goes on.`),
    h(
      "p",
      { class: "group", role: "group", "aria-label": "Which version is seen" },
      h("button", { id: "see-mine", "aria-pressed": String(seen === "mine"), onclick: guarded(() => desk.see("mine")) }, "See this page's"),
      h("button", { id: "see-theirs", "aria-pressed": String(seen === "theirs"), onclick: guarded(() => desk.see("theirs")) }, "See the saved one"),
    ),
    compared,
    h("p", { class: "downloads" }, h("button", { id: "keep-mine", onclick: guarded(() => desk.settle("mine")) }, "Go on with this page's"), h("button", { id: "keep-theirs", onclick: guarded(() => desk.settle("theirs")) }, "Go on with the saved one")),
    h("p", { class: "faint" }, "The saved one stays on the service as a version. This page's is gone if you do not go on with it."),
  );
}

/** How much of each class both versions have, and how far they overlap. */
async function comparison(desk: Desk): Promise<HTMLElement | null> {
  const { conflict: both, project, own } = desk;
  if (!both || !project || !own) return null;
  const theirs = await desk.drawnIn(both.theirs);
  if (!theirs) return null;
  const rows: HTMLElement[] = [];
  const line = (...cells: string[]) => rows.push(h("tr", {}, cells.map((c, k) => h("td", { class: k ? "number" : "" }, c))));
  if (asksFor(project, "class")) line("Class", desk.facts.class ?? "none", both.theirs.content?.class ?? "none", "");
  if (asksFor(project, "classes")) line("Classes", desk.facts.classes?.join(", ") || "none", both.theirs.content?.classes?.join(", ") || "none", "");
  if (asksFor(project, "boxes")) line("Boxes", String(own.boxes.length), String(theirs.boxes.length), "");
  if (asksFor(project, "mask")) {
    const labels = labelsOf(project, "mask");
    const found = dice(own.labels, theirs.labels, labels);
    labels.forEach((l, k) => line(l.name, `${own.counts[l.value]!.toLocaleString("en")}`, `${theirs.counts[l.value]!.toLocaleString("en")}`, found[k] === null ? "" : digits(found[k]!)));
  }
  return h("table", { class: "numbers", id: "conflict-table" }, h("thead", {}, h("tr", {}, ["", "This page", "Saved", asksFor(project, "mask") ? "Dice" : ""].map((t) => h("th", {}, t)))), h("tbody", {}, rows));
}

function one(desk: Desk): HTMLElement | null {
  const labels = desk.project!.asks.find((a) => a.kind === "class")?.labels;
  if (!labels) return null;
  return h(
    "fieldset",
    { id: "one-class", disabled: desk.locked },
    h("legend", {}, "Class of the image"),
    labels.map((l, k) => h("label", { class: "line" }, h("input", { type: "radio", name: "one-class", value: l.name, checked: desk.facts.class === l.name, onchange: () => desk.say({ class: l.name }) }), h("span", { class: "swatch", style: { "background-color": colourOf(l, k) } }), l.name, desk.onlyNames && k < 9 ? h("kbd", { "aria-hidden": "true" }, k + 1) : null)),
  );
}

function several(desk: Desk): HTMLElement | null {
  const labels = desk.project!.asks.find((a) => a.kind === "classes")?.labels;
  if (!labels) return null;
  const held = new Set(desk.facts.classes ?? []);
  const change = (name: string, on: boolean) => {
    if (on) held.add(name);
    else held.delete(name);
    desk.say({ classes: labels.map((l) => l.name).filter((n) => held.has(n)) });
  };
  const none = desk.facts.classes !== null && !held.size;
  return h(
    "fieldset",
    { id: "several-classes", disabled: desk.locked },
    h("legend", {}, "What the image shows"),
    labels.map((l) => h("label", { class: "line" }, h("input", { type: "checkbox", value: l.name, checked: held.has(l.name), onchange: (e: Event) => change(l.name, (e.target as HTMLInputElement).checked) }), l.name)),
    h("label", { class: "line" }, h("input", { type: "checkbox", id: "none-of-these", checked: none, onchange: (e: Event) => desk.say({ classes: (e.target as HTMLInputElement).checked ? [] : null }) }), "None of these"),
  );
}

function start(desk: Desk): HTMLElement | null {
  const { facts, project } = desk;
  const models = modelsFor(project!);
  const readings = desk.opened!.role === "adjudication" ? desk.opened!.others : [];
  const from = facts.start.kind === "nothing" ? null : h("p", { class: "faint", id: "start-said" }, `Started from ${facts.start.kind === "reading" ? "the reading of" : facts.start.kind === "click" ? "clicks with" : "the model"} ${facts.start.name ?? ""}${facts.start.changed ? ", changed" : ", not changed yet"}. This is said in what is saved.`);
  if (!models.length && !readings.length) return from;
  const select = h("select", { id: "start-from", "aria-label": "Start from" }, readings.map((r) => h("option", { value: `r ${r.annotator}` }, `Reading of ${r.annotator}`)), models.map((m) => h("option", { value: `m ${m.name}` }, `Model ${m.name}`)));
  const bar = h("progress", { max: 1, value: 0, hidden: true, "aria-label": "Progress of the model" });
  const put = h("button", { id: "start-put" }, "Put it in");
  put.addEventListener("click", guarded(async () => {
    const [kind, name] = [select.value.slice(0, 1), select.value.slice(2)];
    if (desk.own && (desk.own.boxes.length || desk.own.counts[0]! < desk.own.labels.length) && !confirm("What is drawn is replaced; Undo brings it back.")) return;
    put.disabled = true;
    bar.hidden = kind !== "m";
    try {
      if (kind === "r") await fromReading(desk, readings.find((r) => r.annotator === name)!);
      else {
        const left = await fromModel(desk, models.find((m) => m.name === name)!, (part) => (bar.value = part));
        if (left) note(left);
      }
    } finally {
      put.disabled = false;
      bar.hidden = true;
    }
  }));
  return h("div", { id: "start" }, h("h3", {}, "Start from"), h("div", { class: "versions" }, select, put), bar, from);
}

function remark(desk: Desk): HTMLElement {
  const input = h("textarea", { id: "annotate-note", rows: "2", maxlength: "2000" });
  input.value = desk.facts.note;
  input.addEventListener("input", () => desk.say({ note: input.value }));
  return h("label", { class: "remark" }, h("span", {}, "Remark"), input);
}

function others(desk: Desk): HTMLElement | null {
  const found = desk.opened!.others;
  if (!found.length) return null;
  const say = (r: Reading) => [r.content?.class, r.content?.classes?.join(", "), r.content?.boxes && `${r.content.boxes.length} boxes`].filter(Boolean).join(" · ");
  return h(
    "div",
    { id: "others" },
    h("h3", {}, "Other readings"),
    h("ul", { class: "list" }, found.map((r) => h("li", {}, h("button", { class: "row two", "data-reader": r.annotator, "aria-pressed": String(desk.looking === r), onclick: guarded(() => desk.look(desk.looking === r ? null : r)) }, h("span", { class: "name" }, `${r.annotator}${r.role === "adjudication" ? ", decision" : ""}`), h("span", { class: "faint" }, say(r) || (r.done ? "done" : "begun")))))),
  );
}

function saving(desk: Desk, acts: CaseActs): HTMLElement[] {
  const draft = h("button", { id: "save-draft", title: "Save on the service now (Ctrl+S)", disabled: desk.saving || !desk.unsaved || desk.done, onclick: guarded(() => desk.save(false).then(() => acts.saved())) }, "Save draft");
  const done = h("button", { class: "main", id: "save-done", title: "This case is done; on to the next (Ctrl+Enter)", onclick: guarded(() => acts.finish()) }, desk.done ? (desk.unsaved ? "Save changes" : "Next case") : "Done, next case");
  return desk.done ? [done] : [done, draft];
}

/** Why a reading cannot be called done yet; empty where it can. */
export function missing(desk: Desk): string {
  const { project, facts } = desk;
  if (!project) return "";
  if (asksFor(project, "class") && facts.class === null) return "Choose the class of the image.";
  if (asksFor(project, "classes") && facts.classes === null) return "Choose what the image shows, or None of these.";
  return "";
}

/** Whether nothing is drawn where something is asked for: possible, and worth a second thought. */
export function nothingDrawn(desk: Desk): boolean {
  const { project, own } = desk;
  if (!project || !own) return false;
  return (asksFor(project, "mask") || asksFor(project, "boxes")) && !own.boxes.length && own.counts[0] === own.labels.length;
}
