// The viewer: study, model, answer; this file only joins the panels to the stage.
import * as api from "./api.ts";
import { annotates, annotating, type Annotating } from "./annotate/mode.ts";
import { besidePanel } from "./beside.ts";
import { whenClicksAreWanted } from "./click/start.ts";
import { keepTrue, look } from "./connection.ts";
import { byId } from "./dom.ts";
import { drawBar } from "./draw/bar.ts";
import { freeDrawing } from "./draw/free.ts";
import { Session } from "./draw/session.ts";
import { forgetHangings } from "./hanging.ts";
import { askKey } from "./key_dialog.ts";
import { leaveAfterClicks, listen } from "./keys.ts";
import { liveAnswers } from "./live.ts";
import { measurements } from "./measure.ts";
import { ask, keptModel, modelPanel, watch } from "./panel_model.ts";
import { resultPanel } from "./panel_result.ts";
import { studyPanel } from "./panel_study.ts";
import { viewPanel, type View } from "./panel_view.ts";
import { keepAddress } from "./route.ts";
import { player } from "./player.ts";
import { guarded, quiet, report } from "./say.ts";
import { Stage } from "./stage.ts";
import { themeButton } from "./theme.ts";
import { chosenCase, now, on, set, withAll, withJob } from "./store.ts";
import type { Model, Study } from "./types.ts";
import { firstWindow, keptWindow } from "./windows.ts";

const stage = new Stage(byId("viewer"), byId<HTMLCanvasElement>("planes"), byId<HTMLCanvasElement>("solid"), byId<HTMLCanvasElement>("over"));
let image: Promise<void> = Promise.resolve();
let shownCase: string | null = null;
let loaded = keptModel() !== null; // again: the model that was chosen then stays
let loading = new AbortController();

/** Open a study: its first case, and what it was answered before. */
async function choose(study: Study, caseId: string | null = null, keepModel = false): Promise<void> {
  if (annotates()) throw new api.Failure({ error: "the cases of a project are being annotated", hint: "Leave the project to look at another study" }, 409);
  const first = study.cases.find((c) => c.case === caseId) ?? study.cases[0];
  if (study.study === now().study?.study) {
    if (first && caseId) set({ caseId: first.case });
    return;
  }
  set({ study, caseId: first?.case ?? null, job: null, answers: [], history: [] });
  if (!first) throw new api.Failure({ error: "nothing in this study can be read", found: study.set_aside?.[0]?.reason }, 422);
  await recall(study, keepModel);
}

/** What a study was answered before, and what it is being asked now; with the model of the last answer, unless one is to stay. */
async function recall(study: Study, keepModel = false): Promise<void> {
  if (annotates()) return; // nothing but what is drawn lies on the image then
  const before = (await api.jobs()).filter((j) => j.study === study.study);
  if (now().study?.study !== study.study) return;
  before.sort((a, b) => String(a.created ?? "").localeCompare(String(b.created ?? "")));
  const done = before.filter((j) => j.status === "done" || (j.kind === "explain" && (j.failures?.length ?? 0) > 0));
  const answers = done.reduce(withJob, now().answers);
  const last = before.at(-1);
  const known = last && now().models.some((m) => m.name === last.model);
  set({ answers, history: done.reduce(withAll, now().history), ...(known && !keepModel ? { model: last.model } : {}) });
  const running = before.find((j) => j.status === "queued" || j.status === "running");
  if (running && now().job?.job !== running.job) await watch(running);
}

/** Open a study that the page's address names. */
async function reopen(id: string, caseId: string | null): Promise<void> {
  if (annotates()) return;
  const keepModel = loaded;
  const found = now().studies.find((s) => s.study === id);
  if (found) await choose(found, caseId, keepModel);
  else {
    set({ study: null, caseId: null, job: null, answers: [], history: [] });
    throw new api.Failure({ error: "that study is no longer on the server", hint: "drop it again" }, 404);
  }
}

/** Put the chosen case's image on the stage. */
async function display(): Promise<void> {
  const { study } = now();
  const c = chosenCase();
  loading.abort();
  loading = new AbortController();
  const { signal } = loading;
  stage.clear();
  byId("place").textContent = "";
  if (!study || !c) return;
  byId("loading").hidden = false;
  try {
    const buffer = await api.bytes(`/api/studies/${study.study}/cases/${c.case}/image.nii.gz`, signal);
    if (signal.aborted) return;
    await stage.show(buffer, {
      oriented: c.orientation_known ?? true,
      flat: c.shape[0] === 1,
      colour: c.colour ?? false,
      invert: c.display?.invert ?? false,
      window: c.colour ? null : firstWindow(c),
      first: keptWindow(c),
      unit: c.spacing_mm ? "mm" : "px",
      unknown: !c.unit && !c.modality && !c.colour,
    });
  } catch (error) {
    if (signal.aborted) return;
    report(error);
    if (error instanceof api.Failure && error.status === 404) await look().catch(() => {});
  } finally {
    if (!signal.aborted) byId("loading").hidden = true;
  }
}

/** The box with this id changed as a click would. */
function click(id: string): () => void {
  return () => document.getElementById(id)?.click();
}

function nudge(id: string, by: number): () => void {
  return () => {
    const range = document.getElementById(id) as HTMLInputElement | null;
    if (!range || range.disabled) return;
    range.valueAsNumber += by;
    range.dispatchEvent(new Event("input"));
  };
}

/** What the service serves and holds; a key that may not see that, as a monitor's, is said to be too little. */
async function listed(): Promise<[Model[], Study[]]> {
  try {
    return [await api.models(), await api.studies()];
  } catch (error) {
    if (!(error instanceof api.Failure) || error.status !== 403) throw error;
    set({ access: "refused" });
    throw new api.Failure({ error: "a key is needed that may see studies", found: error.message, hint: "Forget key, then one of a user" }, 403);
  } finally {
    byId("forget-key").hidden = api.keyInUse() === null;
  }
}

/** Drawing on the image: the stage's own tools and those that draw take turns. */
function drawing(view: View): Annotating {
  const session = new Session(stage);
  const bar = drawBar(session, (n) => view.layout((["all", "axial", "coronal", "sagittal", "solid"] as const)[n - 1]!));
  const free = freeDrawing(session, () => image);
  const annotation = annotating(session, () => image, free.end);
  session.onpanel = () => {
    bar();
    view.drawing(session.tool !== null);
    const projects = annotation.on();
    byId<HTMLButtonElement>("draw-button").hidden = projects;
    if (projects) annotation.fillPanel();
    else if (!free.fill()) byId("draw-panel").hidden = true;
  };
  session.onproposed = (by) => annotation.on() && annotation.proposed(by);
  session.onstep = (step, back) => {
    bar();
    if (annotation.on()) annotation.stepped(step, back);
    else free.step();
  };
  whenClicksAreWanted(() => void clicking(session));
  stage.ontool = () => session.tool && session.take(null);
  session.onpanel();
  return annotation;
}

/** Draw with the click tool, from wherever one is. */
async function clicking(session: Session): Promise<void> {
  if (!session.open) byId("draw-button").click();
  for (let k = 0; k < 100 && !session.open; k++) await new Promise((next) => setTimeout(next, 30)); // the image may be on its way
  const tool = session.tools.find((t) => t.name === "click");
  if (tool) session.take(tool);
}

async function start(): Promise<void> {
  try {
    await stage.open();
  } catch (error) {
    throw new api.Failure({ error: "this browser cannot draw the images", found: String(error), hint: "a current browser with WebGL 2" }, 0);
  }
  api.whenKeyIsAsked((wrong) => {
    set({ access: "refused" });
    byId("forget-key").hidden = true;
    return askKey(wrong);
  });
  const view = viewPanel(stage);
  const measured = measurements(stage);
  const frames = player(stage, liveAnswers(stage));
  const help = byId<HTMLDialogElement>("help");
  const annotation = drawing(view);
  on(["study", "caseId"], () => {
    const key = now().study && now().caseId ? `${now().study!.study}/${now().caseId}` : null;
    if (key === shownCase) return;
    shownCase = key;
    image = image.then(display, display);
  });
  studyPanel(choose);
  modelPanel();
  resultPanel(stage, () => image);
  besidePanel(stage, new Stage(byId("beside"), byId<HTMLCanvasElement>("beside-planes"), byId<HTMLCanvasElement>("beside-solid"), byId<HTMLCanvasElement>("beside-over")), () => image);
  themeButton();
  byId("help-button").addEventListener("click", () => help.showModal());
  byId("forget-key").addEventListener("click", () => {
    api.useKey(null);
    location.reload();
  });
  byId("forget-hanging").addEventListener("click", () => {
    forgetHangings();
    help.close();
  });
  leaveAfterClicks();
  listen([
    { keys: ["?"], does: "this help", act: () => help.showModal() },
    { keys: ["Enter"], does: "ask the model", act: guarded(() => ask("predict")) },
    { keys: ["1"], does: "all planes", act: () => view.layout("all") },
    { keys: ["2"], does: "axial", act: () => view.layout("axial") },
    { keys: ["3"], does: "coronal", act: () => view.layout("coronal") },
    { keys: ["4"], does: "sagittal", act: () => view.layout("sagittal") },
    { keys: ["5"], does: "3-D", act: () => view.layout("solid") },
    { keys: ["ArrowUp", "PageUp"], does: "next slice", act: () => stage.step(1) },
    { keys: ["ArrowDown", "PageDown"], does: "slice before", act: () => stage.step(-1) },
    { keys: [" "], does: "play or pause a cine", act: frames.toggle },
    { keys: ["ArrowRight"], does: "next frame", act: () => frames.step(1) },
    { keys: ["ArrowLeft"], does: "frame before", act: () => frames.step(-1) },
    { keys: ["c"], does: "the cross shown or hidden", act: click("cross") },
    { keys: ["n"], does: "navigate: drag the cross", act: () => view.tool("navigate") },
    { keys: ["w"], does: "window: drag up and down for the level, sideways for the width (the right button does so always)", act: () => view.tool("window") },
    { keys: ["z"], does: "zoom with the wheel, drag to move", act: () => view.tool("pan") },
    { keys: ["d"], does: "measure a distance (or drag with Shift)", act: () => view.tool("distance") },
    { keys: ["a"], does: "measure an angle: drag a line, then click where the second ends, or drag that too", act: () => view.tool("angle") },
    { keys: ["Escape"], does: "give up a line that is half drawn", act: () => stage.giveUp() },
    { keys: ["x"], does: "clear the measurements", act: measured.clear },
    { keys: ["m"], does: "labels as outlines or filled", act: click("outline") },
    { keys: ["b"], does: "the image in the 3-D view", act: click("body") },
    { keys: ["+"], does: "labels denser", act: nudge("mask-opacity", 0.1) },
    { keys: ["-"], does: "labels clearer", act: nudge("mask-opacity", -0.1) },
    { keys: ["e"], does: "the explanation shown or hidden", act: click("map-shown") },
    { keys: ["."], does: "the next finding", act: click("finding-next") },
    { keys: [","], does: "the finding before", act: click("finding-before") },
    { keys: ["u"], does: "what is not called shown or hidden", act: click("uncalled") },
    { keys: ["f"], does: "full range", act: () => view.preset("full") },
    { keys: ["l"], does: "lung window", act: () => view.preset("lung") },
    { keys: ["o"], does: "bone window", act: () => view.preset("bone") },
    { keys: ["t"], does: "soft-tissue window", act: () => view.preset("soft") },
    { keys: ["r"], does: "zoom, position and window as at first", act: view.reset },
    { keys: ["p"], does: "save a picture of this view", act: view.picture },
  ]);
  quiet();
  const [models, studies] = await listed();
  const kept = models.find((m) => m.name === keptModel());
  set({ access: "given", models, studies, model: (kept ?? models[0])?.name ?? null });
  keepTrue(async () => {
    const served = await api.models();
    set({ models: served, model: served.some((m) => m.name === now().model) ? now().model : (served[0]?.name ?? null) });
    const { study } = now();
    if (study && !study.gone) await recall(study);
  });
  keepAddress(guarded(reopen), () => set({ study: null, caseId: null, job: null, answers: [], history: [] }));
  loaded = false;
  await annotation.resume();
  document.body.dataset.ready = "true";
}

void guarded(start)();
