// What the page says to a person: errors in words, until they are closed; and news for who cannot see.
import { Failure } from "./api.ts";
import { byId, fill, h } from "./dom.ts";
import type { Fault } from "./types.ts";

let shown: unknown = null;
const ACCEPT = /^accept_mismatch\b/; // how a hint begins that is for programs: a person has a box for it

/** Show what went wrong. */
export function report(error: unknown): void {
  shown = error;
  const told: Fault = error instanceof Failure ? error.fault : { error: error instanceof Error ? error.message : String(error) };
  const fault = ACCEPT.test(told.hint ?? "") ? { ...told, hint: "choose that case, and Answer all the same" } : told;
  const bar = byId("fault");
  fill(
    bar,
    h("div", {}, h("strong", {}, sentence(fault.error)), fault.found && h("p", {}, `Found: ${fault.found}`), fault.hint && h("p", {}, `Try: ${fault.hint}`)),
    h("button", { class: "plain", "aria-label": "Close this message", onclick: quiet }, "×"),
  );
  bar.hidden = false;
}

/** Take the last error away if it was that the service did not answer. */
export function quietIfLost(): void {
  if (shown instanceof Failure && shown.status === 0) quiet();
}

/** Take the last error away. */
export function quiet(): void {
  shown = null;
  byId("fault").hidden = true;
}

const NOTE_MS = 8_000;
let noted = 0;

/** Say it to everybody for a while. */
export function note(text: string): void {
  const line = byId("note");
  line.textContent = text;
  line.hidden = false;
  clearTimeout(noted);
  noted = setTimeout(() => (line.hidden = true), NOTE_MS) as unknown as number;
}

/** Say it to screen readers only. */
export function announce(text: string): void {
  byId("news").textContent = text;
}

function sentence(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1) + (/[.!?]$/.test(text) ? "" : ".");
}

/** Run something; whatever it throws is shown. */
export function guarded<A extends unknown[]>(work: (...given: A) => Promise<unknown> | unknown): (...given: A) => Promise<void> {
  return async (...given) => {
    try {
      await work(...given);
    } catch (error) {
      report(error);
    }
  };
}
