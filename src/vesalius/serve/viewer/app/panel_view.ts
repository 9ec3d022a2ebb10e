// The bar over the stage: layouts, tools, windows and the picture; and the line under it.
import { byId, digits, fill, h } from "./dom.ts";
import { saveBlob } from "./api.ts";
import { hangingOf, remember } from "./hanging.ts";
import { announce, guarded } from "./say.ts";
import type { Layout, Stage, Tool } from "./stage.ts";
import { fileStem, titleOf } from "./names.ts";
import { chosenCase, now, on } from "./store.ts";
import type { Case } from "./types.ts";
import { inHounsfield, PRESETS } from "./windows.ts";

const LAYOUTS: [Layout, string, string][] = [
  ["all", "All", "1"],
  ["axial", "Axial", "2"],
  ["coronal", "Coronal", "3"],
  ["sagittal", "Sagittal", "4"],
  ["solid", "3-D", "5"],
];
const TOOLS: [Tool, string, string][] = [
  ["navigate", "Navigate", "n"],
  ["window", "Window", "w"],
  ["pan", "Zoom", "z"],
  ["distance", "Distance", "d"],
  ["angle", "Angle", "a"],
];

export interface View {
  layout(layout: Layout): void;
  tool(tool: Tool): void;
  preset(id: string): void;
  /** Whether a tool that draws has the left button: then none of the bar's has. */
  drawing(on: boolean): void;
  picture(): void;
  reset(): void;
}

/** Fill the bar; what it can do is returned for the keyboard. */
export function viewPanel(stage: Stage): View {
  const layouts = group("layouts", LAYOUTS, (l) => view.layout(l));
  const tools = group("tools", TOOLS, (t) => view.tool(t));
  const level = byId<HTMLInputElement>("level");
  const width = byId<HTMLInputElement>("width");
  const presets = byId<HTMLSelectElement>("preset");
  const choose = (id: string) => {
    presets.value = id;
    const custom = presets.querySelector<HTMLOptionElement>('[value="custom"]');
    if (custom) custom.hidden = id !== "custom"; // it says what is so, and is nothing to choose
  };
  let held: Tool = "navigate";
  const view: View = {
    layout(layout) {
      const c = chosenCase();
      if (c?.shape[0] === 1) return;
      stage.setLayout(layout);
      layouts(layout);
      if (c) remember(c, { layout });
    },
    tool(tool) {
      held = tool;
      stage.setTool(tool);
      tools(tool);
    },
    drawing(on) {
      if (on) tools(null);
      else tools(held);
    },
    preset(id) {
      const preset = PRESETS.find((p) => p.id === id);
      if (id === "own") stage.ownWindow();
      else if (id === "full") stage.fullRange();
      else if (preset && inHounsfield(chosenCase())) stage.setWindow(preset.centre, preset.width);
      else return;
      choose(id);
      const c = chosenCase();
      if (c) remember(c, { preset: id });
    },
    picture: guarded(() => picture(stage)),
    reset() {
      stage.reset();
      view.preset("own");
    },
  };
  const cross = byId<HTMLButtonElement>("cross");
  const setCross = (crossed: boolean) => {
    stage.setCross(crossed);
    cross.setAttribute("aria-pressed", String(crossed));
  };
  cross.addEventListener("click", () => {
    const crossed = cross.getAttribute("aria-pressed") !== "true";
    setCross(crossed);
    const c = chosenCase();
    if (c) remember(c, { crossed });
  });
  stage.onpick = (layout) => view.layout(stage.chosenLayout === layout ? "all" : layout);
  layouts("all");
  tools("navigate");
  presets.addEventListener("change", () => view.preset(presets.value));
  let shown: [string, string] = ["", ""];
  /** What is wrong with a level and a width that were typed, if anything is. */
  const fault = () => {
    const [centre, spread] = [level.valueAsNumber, width.valueAsNumber];
    if (!Number.isFinite(centre)) return "The level is a number";
    if (!(spread > 0)) return "The width is a number above 0";
    return Math.fround(centre + spread / 2) > Math.fround(centre - spread / 2) ? "" : "The width is too small for this level";
  };
  for (const input of [level, width]) {
    const mark = () => input.setAttribute("aria-invalid", String(fault() !== ""));
    const restore = () => {
      [level.value, width.value] = shown;
      for (const e of [level, width]) e.removeAttribute("aria-invalid");
    };
    input.addEventListener("input", mark);
    input.addEventListener("blur", () => fault() && restore());
    input.addEventListener("change", () => {
      const wrong = fault();
      if (!wrong) {
        stage.setWindow(level.valueAsNumber, width.valueAsNumber);
        return;
      }
      announce(`${wrong}; it stays as it was`);
      restore();
    });
    input.addEventListener("keydown", (e) => {
      if (e.key === "Escape" || (e.key === "Enter" && fault())) restore();
    });
  }
  stage.onwindow = (centre, spread) => {
    level.value = digits(centre, 4);
    width.value = digits(spread, 4);
    shown = [level.value, width.value];
    const near = PRESETS.find((p) => inHounsfield(chosenCase()) && Math.abs(p.centre - centre) < 0.5 && Math.abs(p.width - spread) < 0.5);
    choose(stage.inOwnWindow ? "own" : (near?.id ?? "custom"));
  };
  stage.onplace = (at) => {
    const c = chosenCase();
    const [x, y, z] = at.index;
    byId("place").textContent = [
      c && c.shape[0] > 1 ? `column ${x + 1}, row ${y + 1}, slice ${z + 1} of ${c.shape[0]}` : `column ${x + 1}, row ${y + 1}`,
      at.value === null ? "" : `${digits(at.value, 5)}${c?.unit ? ` ${c.unit}` : ""}`,
      at.label ?? "",
      stage.blocks.some((n) => n > 1) ? `shown at 1/${Math.max(...stage.blocks)}` : "",
    ].filter(Boolean).join(" · ");
  };
  byId("picture").addEventListener("click", view.picture);
  byId("reset").addEventListener("click", view.reset);
  on(["study", "caseId"], () => {
    const c = chosenCase();
    const flat = c !== null && c.shape[0] === 1;
    byId("layouts").querySelectorAll("button").forEach((b) => (b.disabled = !c || flat));
    const units = inHounsfield(c);
    fill(
      presets,
      h("option", { value: "own" }, "Own window"),
      h("option", { value: "custom", hidden: true }, "Custom"),
      h("option", { value: "full" }, "Full range"),
      PRESETS.map((p) => h("option", { value: p.id, disabled: !units }, p.name)),
    );
    presets.title = units ? "Window presets" : "The presets need Hounsfield units, which this image is not in";
    for (const e of [presets, level, width, cross, byId<HTMLButtonElement>("reset"), byId<HTMLButtonElement>("picture")]) e.disabled = !c;
    byId("windowing").hidden = Boolean(c?.colour); // colours are shown as they are stored
    if (!c) level.value = width.value = "";
    byId("which").textContent = c ? titleOf(c) : "";
    const notes = [...(c?.notes ?? []), now().study?.synthetic && "synthetic: made by the program, of nobody"].filter(Boolean);
    byId("case-notes").hidden = !notes.length;
    byId("case-notes").textContent = notes.map((n) => `${String(n).charAt(0).toUpperCase()}${String(n).slice(1)}.`).join(" ");
    if (c) hang(c);
    if (!c) byId("place").textContent = "";
  });
  return view;

  /** As images of its kind were looked at last; the cross is off for a picture, unless it was wanted. */
  function hang(c: Case): void {
    const { layout, crossed } = hangingOf(c);
    setCross(crossed ?? c.shape[0] > 1);
    if (!layout || c.shape[0] === 1 || !LAYOUTS.some(([name]) => name === layout)) return;
    stage.setLayout(layout);
    layouts(layout);
  }
}

/** A row of buttons of which one is pressed; returns how to press one. */
function group<T extends string>(id: string, entries: [T, string, string][], press: (name: T) => void): (name: T | null) => void {
  const buttons = entries.map(([name, text, key]) =>
    h("button", { "data-name": name, title: `${text} (${key})`, "aria-pressed": "false", onclick: () => press(name) }, text),
  );
  fill(byId(id), buttons);
  return (name) => buttons.forEach((b) => b.setAttribute("aria-pressed", String(b.dataset.name === name)));
}

/** The stage as a PNG, with a line that says what it is. */
async function picture(stage: Stage): Promise<void> {
  const c = chosenCase();
  const seen = stage.picture();
  const line = 28;
  const sheet = document.createElement("canvas");
  sheet.width = seen.width;
  sheet.height = seen.height + line;
  const pen = sheet.getContext("2d")!;
  pen.fillStyle = "#000000";
  pen.fillRect(0, 0, sheet.width, sheet.height);
  pen.drawImage(seen, 0, 0);
  pen.fillStyle = "#d8dadd";
  pen.font = "14px sans-serif";
  pen.fillText("Vesalius · research use, not a medical device", 8, seen.height + 19);
  const blob = await new Promise<Blob | null>((done) => sheet.toBlob(done, "image/png"));
  if (blob) saveBlob(blob, `${c ? fileStem(c) : "vesalius"}-view.png`);
}
