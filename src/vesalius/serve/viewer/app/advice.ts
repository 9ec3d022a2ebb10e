// Advice about the case that is seen: asking for the page of what each treatment is foretold to bring, or why there is none.
import * as api from "./api.ts";
import { fill, h } from "./dom.ts";
import { whatIsKnown } from "./known.ts";
import { announce } from "./say.ts";
import { now } from "./store.ts";
import type { Held } from "./types.ts";

const PAGE = "advice.html";

/** A button that asks for the page, beside an answer of several arms. */
export function adviceOf(answer: Held): HTMLElement {
  const said = h("p", { class: "faint", role: "status" }, "For research: it recommends nothing.");
  const button = h("button", { "data-advice": "" }, "↓ Page of each treatment");
  button.onclick = () => {
    button.disabled = true;
    fill(said, "Asking…");
    void asked(answer)
      .then((text) => fill(said, text))
      .catch((error: unknown) => fill(said, error instanceof Error ? error.message : String(error)))
      .finally(() => (button.disabled = false));
  };
  return h("div", { class: "advice" }, h("p", {}, button), said);
}

async function asked(answer: Held): Promise<string> {
  const { study, model } = now();
  if (!study || !model) return "No study is open.";
  const covariates = whatIsKnown(study, false);
  const started = await api.start({ model: answer.model, study: study.study, case: answer.case, kind: "advise", ...(covariates ? { covariates } : {}) });
  const ended = await api.follow(started.job, () => undefined);
  const page = ended.answers.find((a) => a.case === answer.case)?.files[PAGE];
  if (ended.status !== "done" || !page) throw new api.Failure(ended.error ?? { error: "nothing can be said of this case" }, 500);
  await api.save(page, PAGE);
  announce("The page of each treatment is saved");
  return "For research: it recommends nothing. The page is saved.";
}
