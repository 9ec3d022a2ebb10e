// Beside an answer: the truth, or an earlier answer to the same image, on a stage of its own that follows the first.
import { agreement, Drawn, isDrawn, section } from "./kinds.ts";
import * as api from "./api.ts";
import { byId, fill, h } from "./dom.ts";
import { imageNotes } from "./remarks.ts";
import { announce, guarded } from "./say.ts";
import type { Stage } from "./stage.ts";
import { caseAnswers, chosenCase, now, on } from "./store.ts";
import type { Held, Truth } from "./types.ts";

const TRUTH = "truth";

/** Fill the panel and keep it true; `ready` says when the image is on the first stage. */
export function besidePanel(stage: Stage, second: Stage, ready: () => Promise<void>): void {
  const box = byId("compare");
  const select = byId<HTMLSelectElement>("beside-choice");
  const file = byId<HTMLInputElement>("truth-file");
  const panel = byId("beside-panel");
  const drawn = new Drawn(second);
  let opened: Promise<void> | null = null;
  let truth: Truth | null = null;
  let chosen = "";
  let turn = 0;
  let linked = false;
  let work: Promise<void> = Promise.resolve();

  /** Earlier answers of the chosen case that are not the one that is shown. */
  const earlier = (): Held[] => {
    const shown = new Set(caseAnswers().map((a) => a.job));
    return now().history.filter((a) => a.case === now().caseId && a.by === "predict" && !shown.has(a.job)).reverse();
  };
  const whatTruth = (t: Truth): Held => ({ ...t, model: TRUTH, by: "predict" });
  const found = (): { held: Held; name: string } | null => {
    if (chosen === TRUTH && truth) return { held: whatTruth(truth), name: `Truth: ${truth.source}` };
    const held = earlier().find((a) => a.job === chosen);
    return held ? { held, name: nameOf(held) } : null;
  };

  const options = () => {
    const before = earlier();
    if (chosen !== TRUTH && !before.some((a) => a.job === chosen)) chosen = "";
    if (chosen === TRUTH && !truth) chosen = "";
    fill(
      select,
      h("option", { value: "" }, "Nothing"),
      truth && h("option", { value: TRUTH }, `Truth: ${truth.source}`),
      before.map((a) => h("option", { value: a.job! }, nameOf(a))),
    );
    select.value = chosen;
    const c = chosenCase();
    box.hidden = !c || (c.frames ?? 1) > 1 || now().study?.gone === true;
    select.disabled = select.options.length < 2;
  };

  const close = async () => {
    linked = false;
    byId("stages").classList.remove("two");
    byId("beside").hidden = true;
    fill(panel);
    await drawn.clear();
    second.clear();
    stage.resized();
  };

  /** One after the other, and of several that wait the last alone: two at once would both lay an image on the stage. */
  const show = (): Promise<void> => {
    const mine = ++turn;
    return (work = work.then(() => (mine === turn ? draw(mine) : undefined)));
  };
  const draw = guarded(async (mine: number) => {
    const current = () => mine === turn;
    const what = found();
    if (!what) {
      if (!byId("beside").hidden || panel.childElementCount) await close();
      byId("first-caption").hidden = true;
      return;
    }
    await ready();
    if (!current()) return;
    const placed = await isDrawn(what.held.kind);
    if (placed) {
      byId("beside").hidden = false;
      byId("stages").classList.add("two");
      stage.resized();
      opened ??= second.open();
      await opened;
      linked = false;
      await stage.copyTo(second);
      if (!current()) return;
      linked = true;
      second.follow(stage.look);
    }
    const bytes = async (answer: Held, name: string) => {
      const path = answer.files[name];
      return path ? api.bytes(path) : null;
    };
    await drawn.clear([what.held.kind]);
    const shown = caseAnswers().find((a) => a.by === "predict");
    byId("first-caption").hidden = !placed;
    byId("first-caption").textContent = shown ? nameOf(shown) : "No answer yet";
    byId("second-caption").textContent = what.name;
    const parts = await section(what.held, { stage: second, current, file: (name) => bytes(what.held, name), beside: true }, drawn);
    const agreed = shown && (await agreement(shown, what.held, bytes));
    if (!current()) return;
    fill(panel, h("h3", {}, what.name), imageNotes(what.held.notes), namesFrom(what.held), agreed, parts);
    if (linked) second.follow(stage.look);
    announce(`Beside it: ${what.name}`);
  });

  stage.onlook = () => linked && second.follow(stage.look);
  second.onlook = () => linked && stage.follow(second.look);
  second.onpick = (layout) => stage.onpick(layout);
  select.addEventListener("change", () => {
    chosen = select.value;
    void show();
  });
  byId("give-truth").addEventListener("click", () => file.click());
  file.addEventListener(
    "change",
    guarded(async () => {
      const [given] = file.files ?? [];
      const { study, caseId, model } = now();
      if (!given || !study || !caseId) return;
      try {
        const taken = await api.giveTruth(study.study, caseId, model, given);
        if (now().caseId !== caseId || now().study?.study !== study.study) return;
        truth = taken;
        chosen = TRUTH;
        options();
        await show();
      } finally {
        file.value = "";
      }
    }),
  );
  /** A case's truth as the chosen model calls its labels; of another case nothing stays. */
  const look = guarded(async () => {
    const { study, caseId, model } = now();
    const known = study && !study.gone && caseId ? await api.truth(study.study, caseId, model) : null;
    if (now().study?.study !== study?.study || now().caseId !== caseId || now().model !== model) return;
    truth = known;
    options();
    await show();
  });
  on(["study", "caseId"], () => {
    [truth, chosen] = [null, ""];
    turn++;
    linked = false;
    work = work.then(close);
  });
  on(["study", "caseId", "model"], () => void look());
  on(["answers", "history", "caseId", "model", "study"], () => {
    options();
    void show();
  });
}

const nameOf = (a: Held): string => {
  const at = new Date(a.at ?? NaN);
  return Number.isNaN(at.getTime()) ? a.model : `${a.model}, ${at.toLocaleTimeString("en-GB")}`;
};

/** Whose names the labels of a truth have, where they are not its own. */
function namesFrom(held: Held): HTMLElement | null {
  const { names_from } = held as Partial<Truth>;
  if (names_from === undefined || names_from === "file") return null;
  const words = names_from === "model" ? "The file names no labels: its values are taken to mean what they mean to this model." : "The file names no labels, and the model has none of these values.";
  return h("p", { class: "warn" }, words);
}
