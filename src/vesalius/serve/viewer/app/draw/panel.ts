// The classes that can be drawn, with how much of each is drawn, and the boxes; how all of it is shown.
import { digits, fill, h } from "../dom.ts";
import type { Session } from "./session.ts";
import type { DrawnLabel } from "./table.ts";
import { changeBox, chooseBox, chosenBox } from "./tools/box.ts";
import type { Triple } from "../tiles.ts";

/** Fill an element with the classes and boxes of what is open. */
export function fillDrawn(into: HTMLElement, session: Session): void {
  const { open } = session;
  if (!open) return fill(into);
  fill(
    into,
    open.makes.includes("mask") && classes(session, open.labels.mask, "mask"),
    open.makes.includes("boxes") && [!sameClasses(session) && classes(session, open.labels.boxes, "boxes"), boxes(session)],
    manner(session),
  );
}

const sameClasses = (session: Session): boolean => {
  const { mask, boxes } = session.open!.labels;
  return session.open!.makes.includes("mask") && JSON.stringify(mask) === JSON.stringify(boxes);
};

function classes(session: Session, labels: readonly DrawnLabel[], makes: "mask" | "boxes"): HTMLElement {
  const active = session.making === makes || sameClasses(session);
  return h(
    "div",
    { class: "classes", role: "group", "aria-label": makes === "mask" ? "Class that is drawn" : "Class of boxes" },
    h("h3", {}, makes === "mask" ? "Classes" : "Classes of boxes"),
    h(
      "ul",
      { class: "list" },
      labels.map((l, k) => {
        const hidden = session.manner.hidden.has(l.value);
        const choose = () => {
          if (session.making !== makes && !sameClasses(session)) session.take(session.tools.find((t) => t.makes === makes) ?? session.tool);
          session.choose(l.value);
        };
        return h(
          "li",
          {},
          h(
            "button",
            { class: "row", "data-class": l.value, "aria-pressed": String(active && l === session.labels.find((x) => x.value === session.label?.value)), disabled: session.open!.locked, onclick: choose },
            h("span", { class: "name" }, h("span", { class: "swatch", style: { "background-color": l.colour } }), l.name),
            k < 9 && active && !session.open!.locked ? h("kbd", { "aria-hidden": "true" }, k + 1) : null,
          ),
          makes === "mask" && h("span", { class: "number faint", "data-extent": l.value }, extent(session, l.value)),
          h("button", { class: "plain eye", "aria-pressed": String(hidden), "aria-label": `Hide ${l.name}`, title: hidden ? "Hidden: show it" : "Hide it", onclick: () => session.hide(l.value, !hidden) }, hidden ? "◌" : "●"),
        );
      }),
    ),
  );
}

/** How much of a class is drawn. */
function extent(session: Session, value: number): string {
  const { work } = session.open!;
  const count = work.counts[value]!;
  const { size, spacing, unit } = work.grid;
  if (!count) return "–";
  if (unit === "px") return `${count.toLocaleString("en")} px`;
  const flat = size.indexOf(1);
  if (flat >= 0) return `${digits(count * spacing.reduce((p, s, k) => (k === flat ? p : p * s), 1))} mm²`;
  return `${digits((count * spacing[0] * spacing[1] * spacing[2]) / 1000)} ml`;
}

/** Renew the numbers alone, after each stroke. */
export function renewExtents(into: HTMLElement, session: Session): void {
  for (const at of into.querySelectorAll<HTMLElement>("[data-extent]")) at.textContent = extent(session, Number(at.dataset.extent));
}

function boxes(session: Session): HTMLElement {
  const { work, labels, locked } = session.open!;
  const drawing = session.drawing;
  return h(
    "div",
    { class: "drawn-boxes" },
    h("h3", {}, work.boxes.length === 1 ? "1 box" : `${work.boxes.length} boxes`),
    h(
      "ul",
      { class: "list" },
      work.boxes.map((b, k) => {
        const label = labels.boxes.find((l) => l.value === b.value);
        const go = () => {
          chooseBox(k);
          const tool = session.tools.find((t) => t.makes === "boxes");
          if (tool && session.tool !== tool) session.take(tool);
          chooseBox(k);
          session.stage.goTo(b.low.map((v, axis) => Math.floor((v + b.high[axis]! - 1) / 2)) as Triple);
          session.onpanel();
        };
        return h(
          "li",
          {},
          h("button", { class: "row", "aria-pressed": String(chosenBox() === k), title: "Go to it", onclick: go }, h("span", { class: "name" }, h("span", { class: "swatch hollow", style: { color: label?.colour ?? "#808080" } }), `${k + 1}. ${label?.name ?? "?"}`)),
          !locked && h("button", { class: "plain", "aria-label": `Remove box ${k + 1}`, title: "Remove it", onclick: () => drawing && changeBox(drawing, k, null) }, "×"),
        );
      }),
    ),
  );
}

function manner(session: Session): HTMLElement {
  const { manner: now } = session;
  return h(
    "div",
    { class: "controls" },
    h("label", {}, "Opacity", h("input", { type: "range", id: "drawn-opacity", min: "0.1", max: "1", step: "0.05", value: now.opacity, disabled: now.outline, oninput: (e: Event) => {
      now.opacity = (e.target as HTMLInputElement).valueAsNumber;
      session.redraw();
    } })),
    h("label", {}, h("input", { type: "checkbox", id: "drawn-outline", checked: now.outline, onchange: (e: Event) => session.show({ outline: (e.target as HTMLInputElement).checked }) }), "Outlines (m)"),
  );
}
