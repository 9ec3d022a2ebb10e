// A report with its versions: the model's own and those that people have saved; what was changed, by whom and when.
import * as api from "./api.ts";
import { differences } from "./differences.ts";
import { fill, h } from "./dom.ts";
import type { Given } from "./kinds.ts";
import { draftOf, editor } from "./report_edit.ts";
import { body, known, type Evidence, type Light, type Sections } from "./report_shown.ts";
import { guarded } from "./say.ts";
import type { Edit, Report } from "./types.ts";

interface Shown {
  path: string;
  evidence: Evidence[];
  light: Light;
  given: Given;
}

/** What was last asked for in a place: a text that comes later than the next one is not shown. */
const asked = new WeakMap<HTMLElement, symbol>();

/** The report as it stands, with what a person can do with it. */
export function versions(into: HTMLElement, report: Report, shown: Shown): void {
  asked.delete(into);
  if (report.kept && draftOf(shown.path) !== null) return edit(into, report, shown);
  look(into, report, shown, { at: report.version, sections: report.sections, before: null, marked: false });
}

/** A version's text, and that of the version before it where what changed is marked and there is one. */
interface Looked {
  at: number;
  sections: Sections;
  before: Sections | null;
  marked: boolean;
}

function look(into: HTMLElement, report: Report, shown: Shown, { at, sections, before, marked }: Looked): void {
  const { path, evidence, light, given } = shown;
  const again = guarded(async (version: number, changes: boolean) => {
    const mine = Symbol();
    asked.set(into, mine);
    const current = () => asked.get(into) === mine && given.current();
    try {
      const text = version === at ? sections : await textOf(report, path, version);
      const former = changes && version > 0 ? await textOf(report, path, version - 1) : null;
      if (current()) look(into, report, shown, { at: version, sections: text, before: former, marked: changes });
    } catch (error) {
      if (current()) look(into, report, shown, { at, sections, before, marked }); // what is chosen is what is shown
      throw error;
    }
  });
  const choose = h(
    "select",
    { id: "report-version", onchange: () => again(Number(choose.value), marked) },
    h("option", { value: "0", selected: at === 0 }, "As the model wrote it"),
    report.edits.map((e) => h("option", { value: String(e.version), selected: e.version === at }, named(e))),
  );
  const changes = h("label", { class: "line" }, h("input", { type: "checkbox", id: "report-changes", checked: marked, onchange: () => again(at, !marked) }), " Show what changed");
  const change = h("button", { id: "report-edit", onclick: () => edit(into, report, shown) }, "Change the report");
  fill(
    into,
    report.edits.length > 0 && h("div", { class: "versions" }, h("label", {}, "Version", choose), at > 0 && changes),
    at > 0 && !report.edits[at - 1]!.verified && h("p", { class: "faint" }, "Nobody answers for this version yet."),
    before ? changed(before, sections) : body(sections, known(report.written, sections, evidence), light),
    report.kept && h("p", { class: "controls" }, change, report.sr && h("button", { id: "report-sr", title: "Save the newest version as a DICOM SR", onclick: guarded(() => api.save(report.sr!, `report-${report.version}.sr.dcm`)) }, "↓ DICOM SR, changed")),
  );
}

/** The text of a version, which is fetched unless it has come with the report. */
async function textOf(report: Report, path: string, version: number): Promise<Sections> {
  if (version === 0) return report.written;
  return version === report.shown ? report.sections : (await api.report(path, version)).sections;
}

function edit(into: HTMLElement, report: Report, shown: Shown): void {
  asked.delete(into);
  const resized = () => shown.given.stage.resized();
  fill(into, editor({ path: shown.path, report, resized, done: (next) => versions(into, next, shown) }));
  into.querySelector("textarea")?.focus();
}

/** Both texts in one, with what came and what went. */
function changed(before: Sections, after: Sections): HTMLElement {
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])];
  return h(
    "div",
    { class: "report", id: "report-changed" },
    names.flatMap((name) => [
      name && h("h2", {}, name),
      h("p", {}, differences(before[name] ?? "", after[name] ?? "").map((p) => (p.kind === "same" ? p.text : h(p.kind === "came" ? "ins" : "del", {}, p.text)))),
    ]),
  );
}

const named = (e: Edit): string => `${e.version}: ${e.author}, ${new Date(e.at).toLocaleString()}${e.verified ? `, verified for ${e.organisation}` : ""}`;
