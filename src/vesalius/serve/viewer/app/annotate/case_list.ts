// The left side while one annotates: who one is, the cases to do with their states, how far all are, and how they agree.
import { byId, fill, h } from "../dom.ts";
import { guarded } from "../say.ts";
import { agreementPanel } from "./agreement.ts";
import { clockText } from "./clock.ts";
import type { Item, Project, State } from "./service.ts";

/** What can be done from the list. */
export interface ListActs {
  who: string | null;
  be(name: string): Promise<void>;
  open(item: Item): Promise<void>;
  step(by: 1 | -1): Promise<void>;
  leave(): Promise<void>;
}

const WORDS: Record<State, string> = {
  open: "to do",
  draft: "begun",
  done: "done",
  held: "being read",
  full: "done by others",
  sealed: "closed",
  adjudicate: "to decide",
  adjudicated: "decided",
};
export const canOpen = (item: Item): boolean => !["held", "full"].includes(item.state) && (item.state !== "adjudicate" || item.may_adjudicate);

/** Fill the list. `open` is the key of the case that is open. */
export function fillList(project: Project, items: readonly Item[], open: string | null, acts: ListActs): void {
  const mine = project.progress.find((p) => p.annotator === acts.who);
  const todo = items.filter((i) => ["open", "draft", "adjudicate"].includes(i.state) && canOpen(i)).length;
  const agreeing = byId("annotate-panel").querySelector<HTMLDetailsElement>("#agreement")?.open ?? false;
  const place = byId("annotate-panel").querySelector("#annotate-cases")?.scrollTop ?? 0;
  fill(
    byId("annotate-panel"),
    h("div", { class: "head" }, h("h2", { id: "annotate-head" }, project.name), h("button", { class: "plain", id: "annotate-leave", onclick: guarded(() => acts.leave()) }, "Leave")),
    acts.who === null ? whoForm(project, acts) : h("p", { id: "annotate-who" }, "You are ", h("strong", {}, acts.who), project.names !== "keys" && h("button", { class: "plain", id: "annotate-other", onclick: () => fill(byId("annotate-who"), whoForm(project, acts)) }, "change")),
    acts.who !== null && [
      h("progress", { max: Math.max(1, items.length), value: items.length - todo, "aria-label": "Cases that you have done" }),
      h("p", { class: "faint", id: "annotate-count" }, `${todo ? `${todo} to do for you` : "Nothing left to do for you"} · ${project.complete} of ${project.cases} complete${project.disputed ? ` · ${project.disputed} disputed` : ""}${mine ? ` · ${clockText(mine.seconds)} in all` : ""}`),
      project.blind && h("p", { class: "faint" }, "Blind: what others say is hidden until all readings of a case are done."),
      h(
        "p",
        { class: "group", role: "group", "aria-label": "Cases" },
        h("button", { id: "case-before", title: "The case before (,)", onclick: guarded(() => acts.step(-1)) }, "◂ Before"),
        h("button", { id: "case-next", title: "The next case (.)", onclick: guarded(() => acts.step(1)) }, "Next ▸"),
      ),
      h("ul", { class: "list", id: "annotate-cases", "aria-label": "Cases of the project" }, items.map((item) => row(item, item.case === open, acts))),
      team(project),
      agreementPanel(project, acts.who, agreeing, (key) => {
        const item = items.find((i) => i.case === key);
        if (item && canOpen(item)) void guarded(() => acts.open(item))();
      }),
    ],
  );
  const list = byId("annotate-panel").querySelector("#annotate-cases");
  if (list) list.scrollTop = place;
}

function row(item: Item, open: boolean, acts: ListActs): HTMLElement {
  const words = [item.state === "adjudicate" && !item.may_adjudicate ? "disputed" : WORDS[item.state], item.held_by.length > 0 && ["open", "draft", "adjudicate"].includes(item.state) && "another is at it", item.needed > 1 && `${item.done} of ${item.needed}`].filter(Boolean).join(" · ");
  return h(
    "li",
    {},
    h(
      "button",
      { class: `row two state-${item.state}`, "data-case": item.case, "aria-pressed": String(open), disabled: !canOpen(item), title: item.held_by.length ? `Open with ${item.held_by.join(", ")}` : item.name, onclick: guarded(() => acts.open(item)) },
      h("span", { class: "name" }, item.name),
      h("span", { class: "faint" }, words),
    ),
  );
}

/** How far each annotator is. */
function team(project: Project): HTMLElement | null {
  if (project.progress.length < 2) return null;
  return h(
    "details",
    {},
    h("summary", {}, "Annotators"),
    h("table", { class: "numbers" }, h("tbody", {}, project.progress.map((p) => h("tr", {}, h("td", {}, p.annotator), h("td", { class: "number" }, `${p.done} done`), h("td", { class: "number" }, clockText(p.seconds)))))),
  );
}

function whoForm(project: Project, acts: ListActs): HTMLElement {
  const listed = project.names === "listed";
  const input = listed
    ? h("select", { id: "annotator", required: true }, h("option", { value: "" }, "Choose…"), [...new Set([...project.annotators, ...project.adjudicators])].map((n) => h("option", { value: n, selected: n === acts.who }, n)))
    : h("input", { type: "text", id: "annotator", required: true, maxlength: "64", autocomplete: "name", spellcheck: "false", value: acts.who ?? "" });
  return h(
    "form",
    {
      id: "who-form",
      onsubmit: (e: Event) => {
        e.preventDefault();
        void guarded(() => acts.be(input.value.trim()))();
      },
    },
    h("label", {}, h("span", {}, "Who are you?"), input),
    h("button", { class: "main" }, "Begin"),
    h("p", { class: "faint" }, "The name is kept in this browser and stands with all that you save."),
  );
}
