// Text: its sections under their headings.
import { h } from "../dom.ts";
import type { Held } from "../types.ts";

export function panel(answer: Held): HTMLElement {
  const sections = Object.entries((answer.answer.sections ?? {}) as Record<string, string>);
  return h("div", { class: "text" }, sections.flatMap(([name, text]) => [h("h2", {}, name), h("p", {}, text)]));
}
