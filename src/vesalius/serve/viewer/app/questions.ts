// Questions about an answer: a field under it, replies with what they stand on, and a language model beside where there is one.
import * as api from "./api.ts";
import { fill, h } from "./dom.ts";
import type { Held } from "./types.ts";

interface Reply {
  finding: string;
  says: string;
  told: boolean;
  because: string;
}

interface Adjunct {
  notice: string;
  sentences: { text: string; supported: boolean | null; why: string }[];
  server: string;
}

/** A field in which a question about an answer is typed; nothing where the service has not written the answer down. */
export function questions(answer: Held): HTMLElement | null {
  const written = answer.files["answer.json"];
  if (!written) return null;
  const place = written.replace(/\/answer\.json$/, "/questions");
  const field = h("input", { type: "text", "data-question": "", maxlength: "500", placeholder: "Is there …? How large is …? What do you see?" });
  const beside = h("input", { type: "checkbox" });
  const offer = h("label", { class: "adjunct-offer" }, beside, " and a language model");
  const said = h("div", { class: "replies", role: "status" });
  offer.hidden = true;
  void offered().then((server) => {
    offer.hidden = server === null;
    if (server) offer.title = `Only findings leave, for ${server}`;
  });
  const form = h("form", { class: "questions" }, h("label", {}, "Ask about this answer ", field), h("button", {}, "Ask"), offer);
  form.onsubmit = (event) => {
    event.preventDefault();
    const question = field.value.trim();
    if (!question) return;
    fill(said, h("p", { class: "faint" }, "Asking…"));
    void asked(place, question, beside.checked)
      .then((shown) => fill(said, ...shown))
      .catch((error: unknown) => fill(said, h("p", { class: "faint" }, error instanceof Error ? error.message : String(error))));
  };
  return h("div", {}, form, said);
}

let known: Promise<string | null> | null = null;

function offered(): Promise<string | null> {
  known ??= api
    .request("/api/adjunct")
    .then(async (found) => ((await found.json()) as { server: string | null }).server)
    .catch(() => null);
  return known;
}

async function asked(place: string, question: string, adjunct: boolean): Promise<HTMLElement[]> {
  const sent = { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ question, adjunct }) };
  const found = (await (await api.request(place, sent)).json()) as { replies: Reply[]; adjunct: Adjunct | null; silent: string };
  return [...found.replies.map(shown), ...(found.adjunct ? [wordsOf(found.adjunct)] : []), ...(found.silent ? [h("p", { class: "faint" }, found.silent)] : [])];
}

function shown(reply: Reply): HTMLElement {
  const lead = reply.finding ? `${reply.finding}: ` : "";
  return h("p", { class: reply.told ? "reply" : "reply untold" }, h("strong", {}, `${lead}${reply.says}`), h("span", { class: "faint" }, ` ${reply.because}`));
}

function wordsOf(adjunct: Adjunct): HTMLElement {
  const each = adjunct.sentences.map((s) =>
    s.supported === false ? h("p", { class: "unsupported" }, s.text, h("span", { class: "faint" }, ` not borne out: ${s.why}`)) : h("p", {}, s.text),
  );
  return h("aside", { class: "adjunct" }, h("p", { class: "faint" }, `${adjunct.notice} ${adjunct.server}`), ...each);
}
