// Whether the service answers; where it did not and does again, or from time to time, what it holds is looked at anew.
import * as api from "./api.ts";
import { announce, quietIfLost } from "./say.ts";
import { now, set } from "./store.ts";
import type { Study } from "./types.ts";

const AGAIN_MS = 1_500;
const LOOK_MS = 20_000;

/** Keep the page's lists true. `back` is called when a service that was lost answers again. */
export function keepTrue(back: () => Promise<void>): void {
  let away = false;
  api.whenLost(async () => {
    if (away) return;
    away = true;
    for (;;) {
      await new Promise((r) => setTimeout(r, AGAIN_MS));
      const answer = await fetch("/ready").catch(() => null);
      if (answer?.ok) break;
    }
    away = false;
    quietIfLost();
    announce("The service answers again");
    await look();
    await back();
  });
  const quietly = () => void (document.visibilityState === "visible" && !away && look().catch(() => {}));
  document.addEventListener("visibilitychange", quietly); // another tab may have changed them
  setInterval(quietly, LOOK_MS);
}

/** Look which studies there are; the open one is marked where it is gone. */
export async function look(): Promise<void> {
  const there = await api.studies(true);
  const { study, studies, uploading } = now();
  if (uploading !== null) return; // what comes is put into the list by who sends it
  const gone: Study | null = study && !there.some((s) => s.study === study.study) ? { ...study, gone: true } : null;
  const next = gone ? [gone, ...there] : there;
  if (JSON.stringify(next) === JSON.stringify(studies)) return;
  set({ studies: next, ...(gone ? { study: gone } : {}) });
}
