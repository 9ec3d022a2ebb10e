// Cases like this one, of the index that the service was given: with pictures where the caller may see them; a click opens one.
import * as api from "./api.ts";
import { byId, digits, fill, h } from "./dom.ts";
import { announce, guarded } from "./say.ts";
import { chosenCase, now, on, set } from "./store.ts";
import type { Study } from "./types.ts";

interface Like {
  rank: number;
  distance: number;
  target: string;
  case: string | null;
  picture: string | null;
  open: string | null;
}

interface Found {
  index: { cases: number; made_of: string; target: string; words: boolean };
  search: { way: string; why: string; recall: number | null };
  left_out: number;
  outside: string[] | null;
  notes: string[];
  hidden: string | null;
  found: Like[];
}

interface Offer {
  index: Found["index"] | null;
  hidden: string | null;
}

/** Fill the panel and keep it true. `choose` opens a study. It stays hidden where the service has no index. */
export function similarPanel(choose: (study: Study) => Promise<void>): void {
  const box = byId("similar");
  const said = h("div", { id: "similar-found", role: "status" });
  const words = h("input", { type: "text", maxlength: "400", placeholder: "left effusion" });
  const where = h("input", { type: "text", maxlength: "200", placeholder: "sex=F age=40..60" });
  const own = h("input", { type: "checkbox" });
  const button = h("button", {}, "Find cases like this one");
  const worded = h("label", {}, "With words ", words);
  const form = h("form", {}, worded, h("label", {}, "Only where ", where), h("label", {}, own, " Of the same patient, too"), h("p", {}, button));
  fill(byId("similar-body"), form, said);
  let offer: Offer | null = null;
  let turn = 0;
  let pictures: string[] = [];

  const clear = () => {
    turn++;
    pictures.forEach((address) => URL.revokeObjectURL(address));
    pictures = [];
    fill(said);
    button.disabled = false;
  };
  const look = () => {
    box.hidden = !offer?.index || !chosenCase() || now().study?.gone === true;
  };
  form.onsubmit = (event) => {
    event.preventDefault();
    void ask();
  };
  const ask = guarded(async () => {
    const { study, caseId } = now();
    if (!study || !caseId) return;
    clear();
    const mine = turn;
    button.disabled = true;
    fill(said, h("p", { class: "faint" }, "Looking…"));
    try {
      const found = await api.similar<Found>(study.study, caseId, asked(words.value, where.value, own.checked));
      if (mine !== turn) return;
      fill(said, ...shown(found));
      announce(`${found.found.length} cases found`);
      for (const [place, like] of found.found.entries()) {
        if (!like.picture) continue;
        const address = await picture(like.picture);
        if (mine !== turn) return address ? URL.revokeObjectURL(address) : undefined;
        const card = said.querySelectorAll(".like")[place];
        if (!address) card?.append(h("p", { class: "faint" }, "Its file is gone, or holds another image by now."));
        else {
          pictures.push(address);
          card?.querySelector(".face")?.replaceChildren(h("img", { src: address, alt: `Case ${like.case ?? like.rank}` }));
        }
      }
    } catch (error) {
      if (mine === turn) fill(said);
      throw error;
    } finally {
      if (mine === turn) button.disabled = false;
    }
  });
  const open = (like: Like) =>
    guarded(async () => {
      if (!like.open) return;
      const study = (await (await api.request(like.open, { method: "POST" })).json()) as Study;
      set({ studies: [study, ...now().studies] });
      await choose(study);
      announce(`Case ${like.case ?? ""} is open`);
    });

  function shown(found: Found): HTMLElement[] {
    const warned = [...(found.outside ?? []).map((text) => `Outside of what the index's model learned from: ${text}`), ...found.notes];
    const left = found.left_out ? `; ${found.left_out} left out, of the same patient or the image itself` : "";
    return [
      ...warned.map((text) => h("p", { class: "warn" }, text)),
      ...(found.hidden ? [h("p", { class: "faint" }, found.hidden)] : []),
      h("ol", { class: "likes" }, found.found.map((like) => card(like, found.index.target))),
      h("p", { class: "faint" }, `Among ${found.index.cases} cases: ${found.index.made_of}. Searched: ${found.search.why}${left}.`),
    ];
  }

  function card(like: Like, target: string): HTMLElement {
    const face = h("span", { class: "face" }, like.picture ? "" : String(like.rank));
    const opener = like.open
      ? h("button", { class: "plain", title: "Open this case as a study of yours", "aria-label": `Open case ${like.case ?? like.rank}`, onclick: open(like) }, face)
      : face;
    const about = like.target ? `${target ? `${target}: ` : ""}${like.target}` : "";
    return h("li", { class: "like" }, opener, h("b", {}, `${like.rank}. ${like.case ?? ""}`), about && h("span", {}, about), h("span", { class: "faint" }, `distance ${digits(like.distance)}`));
  }

  on(["access"], () => {
    if (now().access !== "given") return;
    void api
      .offered<Offer>()
      .then((found) => {
        offer = found;
        worded.hidden = !found.index?.words;
        look();
      })
      .catch(() => undefined); // a service of before, or one that is gone: there is no panel
  });
  on(["study", "caseId"], () => {
    clear();
    look();
  });
}

/** The question as a query: conditions are parted by blanks. */
function asked(words: string, where: string, own: boolean): URLSearchParams {
  const query = new URLSearchParams();
  if (words.trim()) query.set("words", words.trim());
  for (const condition of where.split(/\s+/).filter(Boolean)) query.append("where", condition);
  if (own) query.set("own", "true");
  return query;
}

async function picture(path: string): Promise<string | null> {
  try {
    return URL.createObjectURL(await (await api.request(path)).blob());
  } catch {
    return null;
  }
}
