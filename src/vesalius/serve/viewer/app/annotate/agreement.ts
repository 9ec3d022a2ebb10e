// How far annotators agree, on cases of which all readings are done; and the cases on which they do not.
import { fixed, fill, h } from "../dom.ts";
import { report } from "../say.ts";
import * as service from "./service.ts";
import type { Agreement, Measured, Project } from "./service.ts";

const ASKS: Record<string, string> = { class: "Class", classes: "Classes", boxes: "Boxes", mask: "Mask" };

/** A panel that asks for the figures when it is opened. */
export function agreementPanel(project: Project, who: string, wasOpen: boolean, open: (key: string) => void): HTMLElement | null {
  if (project.readers < 2) return null;
  const body = h("div", {});
  const load = async () => {
    try {
      fill(body, figures(await service.agreement(who), open));
    } catch (error) {
      report(error);
    }
  };
  const made = h("details", { id: "agreement", open: wasOpen }, h("summary", {}, "Agreement"), body);
  made.addEventListener("toggle", () => made.open && void load());
  return made;
}

function figures(found: Agreement, open: (key: string) => void): HTMLElement {
  if (!found.cases) return h("p", { class: "faint" }, "No case has all its readings yet.");
  return h(
    "div",
    {},
    h("p", { class: "faint" }, `On ${found.cases} ${found.cases === 1 ? "case" : "cases"} of which all readings are done.`),
    found.asks.map((ask) => [
      h("h3", {}, ASKS[ask.kind] ?? ask.kind),
      ask.why ? h("p", { class: "faint" }, ask.why) : null,
      table(Object.entries(ask.all ?? {})),
      (ask.pairs ?? []).map((pair) => [h("p", { class: "faint" }, pair.readers.join(" and ")), table(Object.entries(pair.figures))]),
    ]).flat(4),
    found.disputed.length > 0 && [
      h("h3", {}, `Disputed: ${found.disputed.length}`),
      h("ul", { class: "list" }, found.disputed.map((d) => h("li", {}, h("button", { class: "row two", onclick: () => open(d.case) }, h("span", { class: "name" }, d.name), h("span", { class: "faint" }, [...d.asks.map(disputeText), d.adjudicated && "decided"].filter(Boolean).join(" · ")))))),
    ],
  );
}

function table(rows: [string, Measured][]): HTMLElement | null {
  if (!rows.length) return null;
  return h(
    "table",
    { class: "numbers" },
    h(
      "tbody",
      {},
      rows.map(([name, m]) => h("tr", {}, h("td", {}, name.replaceAll("_", " ")), h("td", { class: "number" }, m.value === null ? "–" : fixed(m.value)), h("td", { class: "number faint" }, typeof m.low === "number" && typeof m.high === "number" ? `${fixed(m.low)} to ${fixed(m.high)}` : ""))),
    ),
  );
}

function disputeText(ask: Record<string, unknown>): string {
  if (ask.said && typeof ask.said === "object") return Object.entries(ask.said).map(([who, what]) => `${who}: ${Array.isArray(what) ? what.join(", ") || "none" : String(what)}`).join("; ");
  if (typeof ask.dice === "number") return `Dice ${fixed(ask.dice)}`;
  return ASKS[String(ask.kind)] ?? String(ask.kind);
}
