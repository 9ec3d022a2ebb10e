// The second step: a model, what is known of it, and asking it; with progress until the answer is there.
import * as api from "./api.ts";
import { called } from "./called.ts";
import { wantClicks } from "./click/start.ts";
import { chosenAsk, chosenExplainers, fillAsking } from "./asking.ts";
import { byId, fill, h } from "./dom.ts";
import { seeNext } from "./explained.ts";
import { fillKnown, whatIsKnown } from "./known.ts";
import { goesLive, seesTime } from "./live.ts";
import { besideText, measuredOn, metricName, valueText } from "./metrics.ts";
import { announce, guarded, quiet, report } from "./say.ts";
import { chosenImages, fillSources } from "./sources.ts";
import { chosenCase, chosenModel, isRefused, now, on, set, withAll, withJob } from "./store.ts";
import type { Case, Figure, Job, Model, Verdict } from "./types.ts";

const KEPT = "vesalius-model";
const NO_MODEL = { waiting: "", refused: "A key is needed to see the models.", given: "No model is served." };

/** The model that was chosen before the page was loaded again; null where there is none. */
export const keptModel = (): string | null => sessionStorage.getItem(KEPT); // gone when the tab is closed

/** Fill the panel and keep it true. */
export function modelPanel(): void {
  const select = byId<HTMLSelectElement>("model");
  select.addEventListener("change", () => set({ model: select.value }));
  on(["model"], () => now().model && sessionStorage.setItem(KEPT, now().model!));
  byId("run").addEventListener("click", guarded(() => (chosenModel()?.clicks ? wantClicks() : ask("predict"))));
  byId("explain").addEventListener("click", guarded(explain));
  byId("cancel").addEventListener("click", guarded(() => now().job && api.cancel(now().job!.job)));
  on(["models", "model", "access"], () => {
    const { models, model, access } = now();
    fill(select, models.map((m) => h("option", { value: m.name, selected: m.name === model }, m.name)));
    select.disabled = models.length < 2;
    const chosen = chosenModel();
    fill(byId("model-facts"), chosen ? facts(chosen) : h("p", { class: "faint" }, NO_MODEL[access]));
    fillAsking(chosen);
  });
  byId("accept").addEventListener("change", () => set({ accepted: byId<HTMLInputElement>("accept").checked }));
  on(["study", "caseId", "model"], () => void judge());
  on(["study", "caseId", "model", "models"], () => fillSources(chosenModel(), now().study, chosenCase()));
  on(["study", "caseId", "model", "models"], () => fillKnown(chosenModel(), now().study, chosenCase()));
  on(["study", "caseId", "model", "models", "job", "verdict", "accepted"], () => {
    const { study, caseId, model, job, verdict, accepted } = now();
    const refused = isRefused();
    const busy = job !== null && running(job);
    const timed = (chosenCase()?.frames ?? 1) > 1 && !seesTime(chosenModel()); // the service says so, too
    const whole = !timed && !chosenModel()?.imageless && !unplaced(chosenModel(), chosenCase()) && (!refused || accepted);
    const ready = Boolean(study && !study.gone && caseId && model) && !busy && whole;
    byId<HTMLButtonElement>("run").disabled = !ready;
    byId<HTMLButtonElement>("explain").disabled = !ready || Boolean(chosenModel()?.clicks);
    byId("run").textContent = chosenModel()?.clicks ? "Click on it" : "Ask the model";
    byId("doubt").textContent = study?.gone ? "This study is no longer on the server: drop it again to ask about it." : doubt(chosenModel(), chosenCase(), verdict);
    byId("accept-label").hidden = !refused;
    byId<HTMLInputElement>("accept").checked = accepted;
    byId("every-label").hidden = (study?.cases.length ?? 0) < 2 || chosenImages() !== null;
    progress(job);
  });
}

const running = (job: Job): boolean => job.status === "queued" || job.status === "running";

/** Ask for each chosen explanation, one after the other; what one cannot say is said in its place. */
async function explain(): Promise<void> {
  const about = chosenAsk();
  const [first] = chosenExplainers();
  if (first) seeNext(first, about);
  for (const explainer of chosenExplainers()) {
    await ask("explain", { explainer, ...(about ? { ask: about } : {}) });
    if (now().job?.status === "cancelled") return;
  }
}

/** Ask the chosen model about the chosen case, or about all of the study. */
export async function ask(kind: "predict" | "explain", more: { explainer?: string; ask?: string } = {}): Promise<void> {
  const { study, caseId, model, job } = now();
  if (chosenModel()?.clicks) return wantClicks();
  if (!study || study.gone || !caseId || !model || byId<HTMLButtonElement>("run").disabled || (job && running(job))) return;
  quiet();
  const images = chosenImages();
  if (images && !Object.keys(images).length) throw new api.Failure({ error: "no image is given", hint: "choose which image is which" }, 422);
  const about = images && !Object.values(images).includes(caseId) ? Object.values(images)[0]! : caseId; // the answer lies on it
  const every = !images && byId<HTMLInputElement>("every").checked && study.cases.length > 1;
  const covariates = whatIsKnown(study, every);
  if (about !== caseId) set({ caseId: about });
  const started = await api.start({
    model,
    study: study.study,
    case: every ? null : about,
    kind,
    ...(images ? { images } : {}),
    ...(covariates ? { covariates } : {}),
    ...(now().accepted ? { accept_mismatch: true } : {}),
    ...more,
  });
  await watch(started);
}

/** Show a job's progress until it ends, then its answers. */
export async function watch(started: Job): Promise<void> {
  set({ job: started });
  const mine = () => now().job?.job === started.job;
  let ended: Job;
  try {
    ended = await api.follow(started.job, (job) => mine() && set({ job }));
  } catch (error) {
    if (mine()) set({ job: null });
    if (error instanceof api.Failure && error.status === 404) {
      throw new api.Failure({ error: "what was asked is no longer on the server", hint: "ask again" }, 404);
    }
    throw error;
  }
  if (now().study?.study === ended.study && (ended.answers?.length || ended.failures?.length)) set({ answers: withJob(now().answers, ended), history: withAll(now().history, ended) });
  if (!mine()) return;
  set({ job: ended });
  if (ended.status === "done") announce("The answer is there");
  if (ended.kind === "explain" && ended.failures?.length) {
    announce(`${ended.explainer} shows no map: ${ended.error?.found ?? ended.error?.error ?? ""}`);
    return; // the panel of the answer says why
  }
  // one that is done may have cases that could not be answered beside those that were
  if (ended.status === "failed" || ended.error) report(new api.Failure(ended.error ?? { error: "the job failed" }, 500));
}

/** Ask the service what the model's bundle says of the image. */
async function judge(): Promise<void> {
  const { study, caseId, model } = now();
  set({ verdict: null, accepted: false });
  if (!study || study.gone || !caseId || !model) return;
  const verdict = await api.verdict(study.study, caseId, model).catch(() => null);
  const same = now().study?.study === study.study && now().caseId === caseId && now().model === model;
  if (same) set({ verdict });
}

/** What speaks against asking this model about this image, in words; empty if nothing is known to. */
function doubt(model: Model | null, shown: Case | null, verdict: Verdict | null): string {
  if (model?.imageless) return "This model reads the columns of a table and looks at no image: ask it by vesalius predict, or by POST /api/predict without a file.";
  if (!model || !shown) return "";
  const other = verdict?.mismatch.length ? `This model learned from another kind of image: ${verdict.mismatch.join("; ")}.` : "";
  const unfit = shape(model, shown);
  if (unfit || other) return `${unfit} ${other}`.trim();
  if (verdict?.outside.length) return `Outside of what this model learned from: ${verdict.outside.join("; ")}.`;
  if (verdict?.known) return "";
  const unlike = Boolean(model.modality && shown.modality && model.modality !== shown.modality);
  if (!unlike && !(model.unit && shown.unit !== model.unit)) return "";
  const learned = [model.modality, model.unit].filter(Boolean).join(" in ");
  const found = [shown.modality, shown.unit].filter(Boolean).join(" in ");
  return `This model learned from ${learned}; this image is ${found || "of a modality and in a unit that its file does not say"}${found && model.unit && !shown.unit ? ", in a unit that its file does not say" : ""}.`;
}

/** What of an image's shape a model does not take, or takes in its own way; empty where it takes it as it is. */
function shape(model: Model, shown: Case): string {
  if (unplaced(model, shown)) return "This model takes volumes in millimetres; this picture has neither slices nor a spacing.";
  if (model.dims === 2 && shown.shape[0] > 1) return "This model takes pictures; this image is a volume.";
  if (model.dims === 3 && shown.shape[0] === 1) return "This model takes volumes; this image is a single plane.";
  if ((shown.frames ?? 1) === 1) return "";
  if (seesTime(model)) return goesLive() ? "A cine is answered as a whole, or frame by frame as it is seen." : "";
  return goesLive() ? "A cine is answered frame by frame." : "This image has a time axis, which this model does not take.";
}

/** A picture of no size that is known, for a model that measures in millimetres along three axes. */
const unplaced = (model: Model | null, shown: Case | null): boolean => model?.dims === 3 && shown?.shape[0] === 1 && !shown.spacing_mm;

const MOST_FIGURES = 6;
let told = "";

function progress(job: Job | null): void {
  const busy = job !== null && running(job);
  byId("progress").hidden = !busy;
  if (!busy) {
    told = "";
    return;
  }
  const words = job.status === "queued" ? "Waiting for its turn" : (job.stage ?? "Working");
  byId("stage-words").textContent = words;
  if (words !== told) announce(`The model: ${words}`);
  told = words;
  const bar = byId<HTMLProgressElement>("job-bar");
  if (job.status === "running" && job.progress > 0) bar.value = job.progress;
  else bar.removeAttribute("value");
}

function facts(model: Model): HTMLElement {
  const card = model.scorecard ?? {};
  const names = Object.keys(card);
  const whole = names.filter((name) => !name.includes("/")); // of all labels together
  const headlines = (model.headlines ?? []).filter((name) => name in card);
  const first = headlines.length ? headlines : (whole.length ? whole : names).slice(0, MOST_FIGURES);
  const others = whole.filter((name) => !first.includes(name));
  const rows: [string, string][] = [["Task", `${model.task}, ${model.dims}-D`]];
  const expects = [model.modality, model.unit].filter(Boolean).join(", ");
  if (expects) rows.push(["Expects", expects]);
  if (model.labels.length) rows.push(["Labels", called(model.labels).map((name) => (/[,;]/.test(name) ? `\u2018${name}\u2019` : name)).join(", ")]);
  const standing = (...kinds: string[]) => [...first, ...others].filter((name) => kinds.includes(card[name]!.standing ?? "")).map((name) => metricName(name, card[name]!));
  const [weak, worse] = [standing("better", "level"), standing("worse")];
  const compared = first.some((name) => typeof card[name]!.baseline === "number");
  const list = (some: string[]) => h("ul", { class: "figures" }, some.map((name) => figure(name, card[name]!, model.measured_on?.cases ?? null)));
  return h(
    "details",
    { open: (model.banners ?? []).length > 0 },
    h("summary", {}, "About this model"),
    ...(model.banners ?? []).map((b) => h("details", { class: "warn" }, h("summary", {}, b.kind.charAt(0).toUpperCase() + b.kind.slice(1)), h("p", {}, b.text))),
    first.length > 0 && list(first),
    others.length > 0 && h("details", { class: "others" }, h("summary", {}, `${others.length} more figures`), list(others)),
    worse.length > 0 && h("p", { class: "wrong" }, `Worse than the baseline, a trivial answer, in ${worse.join(", ")}.`),
    weak.length > 0 && h("p", { class: "warn" }, `Does not clearly beat the baseline in ${weak.join(", ")}.`),
    h("dl", {}, rows.flatMap(([name, text]) => [h("dt", {}, name), h("dd", {}, text)])),
    model.measured_on && h("p", { class: "faint" }, `${measuredOn(model.measured_on)} Intervals are of 95 %.`),
    compared && h("p", { class: "faint" }, `Baseline: ${model.baseline_is ?? "a trivial answer"}.`),
    !names.length && h("p", { class: "faint" }, "How good it is was not measured."),
    h("p", {}, cardLink(model.name)),
    h("p", { class: "faint mono", title: `The bundle's hash: ${model.hash}` }, model.hash.slice(0, 16)),
  );
}

/** The model's card, in a tab of its own; where a key is asked for, which a link cannot send, as a file. */
function cardLink(name: string): HTMLElement {
  const path = `/api/models/${encodeURIComponent(name)}/card`;
  const link = h("a", { href: path, target: "_blank", rel: "noopener" }, "The model's card");
  const save = guarded(() => api.save(path, `${name}-card.html`));
  link.addEventListener("click", (event) => {
    if (api.keyInUse() === null) return;
    event.preventDefault();
    save();
  });
  return link;
}

/** A figure in two lines: what it is and its value; its interval and what it is held against. */
function figure(name: string, found: Figure, all: number | null): HTMLElement {
  return h("li", {}, h("span", { class: "name" }, metricName(name, found)), h("span", { class: "number" }, valueText(found)), h("span", { class: "faint" }, besideText(found, all)));
}
