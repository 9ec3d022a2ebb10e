// Beside an answer: the truth, an earlier answer to the same image, or an earlier visit, on a stage that follows the first.
import { agreement, Drawn, isDrawn, section } from "./kinds.ts";
import * as api from "./api.ts";
import { byId, fill, h } from "./dom.ts";
import { imageNotes } from "./remarks.ts";
import { announce, guarded } from "./say.ts";
import type { Stage } from "./stage.ts";
import { caseAnswers, chosenCase, now, on } from "./store.ts";
import type { Held, Truth } from "./types.ts";
import { compare, comparison, earlierAnswer, earlierFile, growthPanel, VISIT, visitName, visits } from "./visits.ts";

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
    if (chosen.startsWith(VISIT)) {
      const visit = visits().find((v) => v.key === chosen);
      const known = visit && comparison(chosen);
      return known ? { held: known, name: `Earlier visit: ${visitName(visit)}` } : null;
    }
    const held = earlier().find((a) => a.job === chosen);
    return held ? { held, name: nameOf(held) } : null;
  };

  const options = () => {
    const before = earlier();
    const others = now().model ? visits() : [];
    if (chosen !== TRUTH && !before.some((a) => a.job === chosen) && !others.some((v) => v.key === chosen)) chosen = "";
    if (chosen === TRUTH && !truth) chosen = "";
    fill(
      select,
      h("option", { value: "" }, "Nothing"),
      truth && h("option", { value: TRUTH }, `Truth: ${truth.source}`),
      before.map((a) => h("option", { value: a.job! }, nameOf(a))),
      others.length > 0 && h("optgroup", { label: "An earlier visit" }, others.map((v) => h("option", { value: v.key }, visitName(v)))),
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
    const visit = what.held.by === "change";
    const alike = !visit || what.held.summary.change?.registration.fits === true;
    const seen = visit ? earlierAnswer(what.held) : what.held;
    const placed = visit || (await isDrawn(seen.kind));
    if (placed) {
      byId("beside").hidden = false;
      byId("stages").classList.add("two");
      stage.resized();
      opened ??= second.open();
      await opened;
      linked = false;
      const image = visit ? await bytes(what.held, earlierFile("image.nii.gz")) : null;
      if (image) await second.showLike(stage, image, alike);
      else await stage.copyTo(second);
      if (!current()) return;
      linked = alike;
      if (linked) second.follow(stage.look);
    }
    await drawn.clear([seen.kind]);
    const shown = caseAnswers().find((a) => a.by === "predict");
    byId("first-caption").hidden = !placed;
    byId("first-caption").textContent = shown ? nameOf(shown) : "No answer yet";
    byId("second-caption").textContent = what.name;
    const file = (name: string) => bytes(what.held, visit ? earlierFile(name) : name);
    const parts = await section(seen, { stage: second, current, file, beside: true }, drawn);
    const agreed = shown && !visit ? await agreement(shown, what.held, bytes) : null;
    if (!current()) return;
    const grown = visit ? growthPanel(what.held) : null;
    fill(panel, h("h3", {}, what.name), grown, imageNotes(what.held.notes), namesFrom(what.held), agreed, parts);
    if (linked) second.follow(stage.look);
    announce(`Beside it: ${what.name}`);
  });

  const bytes = async (answer: Held, name: string) => {
    const path = answer.files[name];
    return path ? api.bytes(path) : null;
  };

  stage.onlook = () => linked && second.follow(stage.look);
  second.onlook = () => linked && stage.follow(second.look);
  second.onpick = (layout) => stage.onpick(layout);
  select.addEventListener(
    "change",
    guarded(async () => {
      chosen = select.value;
      const visit = visits().find((v) => v.key === chosen);
      if (visit && !comparison(chosen)) {
        await show();
        await compare(visit).catch((error: unknown) => {
          chosen = "";
          options();
          throw error;
        });
      }
      await show();
    }),
  );
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
  on(["answers", "history", "caseId", "model", "study", "studies"], () => {
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
