// What must be read before an answer: in what its image differs from those that the model learned from.
import { written } from "./called.ts";
import { h } from "./dom.ts";

const ACCEPTED = "accepted: "; // how the service marks what would be refused, had nobody told it to go on
const UNLIKE = "unlike the training cases: "; // how it marks an image whose way through the model is a rare one

/** A paragraph of what must be known of the image itself; null where there is nothing. */
export const imageNotes = (notes: string[] | undefined): HTMLElement | null =>
  notes?.length ? h("p", { class: "warn" }, `Of the image: ${notes.join("; ")}.`) : null;

/** A paragraph of what the model was told of the patient; null where it was told nothing. */
export function toldOf(told: Record<string, number | string> | undefined): HTMLElement | null {
  const each = Object.entries(told ?? {}).map(([name, value]) => `${written(name)} ${value}`);
  return each.length ? h("p", { class: "faint told" }, `Told: ${each.join(", ")}.`) : null;
}

/** A paragraph of the remarks that an answer came with; null where the image is as those that the model learned from. */
export function remarks(outside: string[] | null | undefined): HTMLElement | null {
  if (outside === null) return h("p", { class: "warn" }, "Whether the image is like those that the model learned from is not known: the model does not say.");
  if (!outside?.length) return null;
  const accepted = outside.filter((text) => text.startsWith(ACCEPTED)).map((text) => text.slice(ACCEPTED.length));
  const unlike = outside.filter((text) => text.startsWith(UNLIKE)).map((text) => text.slice(UNLIKE.length));
  const others = outside.filter((text) => !text.startsWith(ACCEPTED) && !text.startsWith(UNLIKE));
  const sentences = [
    accepted.length && `Answered all the same, though the model learned from another kind of image: ${accepted.join("; ")}.`,
    unlike.length && `The model finds this image unlike those that it learned from: ${unlike.join("; ")}.`,
    others.length && `Outside of what the model learned from: ${others.join("; ")}.`,
  ];
  return h("p", { class: "warn" }, sentences.filter(Boolean).join(" "));
}
