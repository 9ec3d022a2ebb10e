// Changing a report: its sections as a person writes them, held against what was there; a draft outlives a reload.
import * as api from "./api.ts";
import { differences } from "./differences.ts";
import { fill, h } from "./dom.ts";
import type { Sections } from "./report_shown.ts";
import { announce, guarded, note } from "./say.ts";
import type { Report } from "./types.ts";

const AUTHOR = "vesalius-author";
const WIDE = "writes";

interface Draft {
  version: number;
  sections: Sections;
}

export interface Editing {
  path: string;
  report: Report;
  resized: () => void;
  /** What comes once it is saved or left, with the report as it stands then. */
  done: (report: Report) => void;
}

const key = (path: string): string => `vesalius-draft ${path}`;

/** The draft of a report that nobody has saved yet; null where there is none. Gone when the tab is closed. */
export function draftOf(path: string): Draft | null {
  try {
    return JSON.parse(sessionStorage.getItem(key(path)) ?? "null") as Draft | null;
  } catch {
    return null;
  }
}

/** Make the page's right side wide enough to write in, or as it was. */
export function widen(wide: boolean, resized: () => void): void {
  document.body.classList.toggle(WIDE, wide);
  resized();
}

/** What a person writes in. */
export function editor({ path, report, resized, done }: Editing): HTMLElement {
  const draft = draftOf(path);
  let base = report;
  const written: Sections = { ...report.sections, ...(draft?.sections ?? {}) };
  const form = h("form", { class: "editor", id: "report-editor" });
  const told = h("p", { class: "warn", id: "report-told", role: "status" });
  const author = h("input", { type: "text", id: "report-author", required: true, maxlength: "64", autocomplete: "name", value: sessionStorage.getItem(AUTHOR) ?? "" });
  const organisation = h("input", { type: "text", id: "report-organisation", maxlength: "64" });
  const verified = h("input", { type: "checkbox", id: "report-verified" });
  const save = h("button", { class: "main", type: "submit", id: "report-save" }, "Save");
  const held = Object.entries(written).map(([name, text]) => area(name, text));
  const changed = () => Object.keys(written).some((name) => written[name] !== (base.sections[name] ?? ""));
  const keep = () => {
    const made: Draft = { version: base.version, sections: written };
    if (changed()) sessionStorage.setItem(key(path), JSON.stringify(made));
    else sessionStorage.removeItem(key(path));
  };
  const against = () => {
    for (const one of held) one.compare(base.sections[one.name] ?? "");
    save.disabled = !changed() && !verified.checked;
  };
  const behind = (later: Report) => {
    const last = later.edits.at(-1);
    told.textContent = `${last?.author ?? "Somebody"} has saved version ${later.version} since. Your text is kept here, held against that version. Nothing of either is lost.`;
    base = later;
    save.textContent = `Save as version ${later.version + 1}`;
    keep();
    against();
  };

  function area(name: string, text: string) {
    const input = h("textarea", { rows: String(Math.min(14, Math.max(3, Math.ceil(text.length / 40)))), "data-section": name, maxlength: "20000" });
    input.value = text;
    const shown = h("p", { class: "changes", "aria-label": `What has changed in ${name || "the text"}` });
    const compare = (before: string) => {
      const pieces = before === input.value ? [] : differences(before, input.value);
      fill(shown, pieces.map((p) => (p.kind === "same" ? p.text : h(p.kind === "came" ? "ins" : "del", {}, p.text))));
      shown.hidden = !pieces.length;
    };
    input.addEventListener("input", () => {
      written[name] = input.value;
      compare(base.sections[name] ?? "");
      save.disabled = !changed() && !verified.checked;
      keep();
    });
    return { name, compare, element: h("label", {}, h("span", {}, name || "Text"), input, shown) };
  }

  verified.addEventListener("change", () => {
    organisation.required = verified.checked;
    against();
  });
  form.addEventListener("submit", (e) => {
    e.preventDefault();
    void guarded(submit)();
  });
  const leave = h("button", { type: "button", id: "report-leave" }, "Discard my changes");
  leave.addEventListener("click", () => {
    sessionStorage.removeItem(key(path));
    widen(false, resized);
    done(base);
  });

  async function submit(): Promise<void> {
    save.disabled = true;
    try {
      const saved = await api.saveReport(path, {
        version: base.version,
        sections: written,
        author: author.value.trim(),
        verified: verified.checked,
        organisation: organisation.value.trim(),
      });
      sessionStorage.setItem(AUTHOR, author.value.trim());
      sessionStorage.removeItem(key(path));
      widen(false, resized);
      note(`Version ${saved.version} of the report is saved.`);
      announce(`Version ${saved.version} of the report is saved`);
      done(saved);
    } catch (error) {
      save.disabled = false;
      if (!(error instanceof api.Failure) || error.status !== 409) throw error;
      behind(await api.report(path));
    }
  }

  fill(
    form,
    h("h2", {}, "Change the report"),
    told,
    held.map((one) => one.element),
    h("label", {}, h("span", {}, "Your name"), author),
    h("label", { class: "line" }, verified, " I answer for this report"),
    h("label", {}, h("span", {}, "For which organisation"), organisation),
    h("div", { class: "controls" }, save, leave),
  );
  if (draft && draft.version !== report.version) behind(report);
  else if (draft) told.textContent = "This is your draft; it is not saved yet.";
  against();
  widen(true, resized);
  return form;
}
