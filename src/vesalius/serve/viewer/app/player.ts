// Frames of a cine, or of any image with a fourth axis: play, pause, step, their times or rate, and which one is seen.
import { byId } from "./dom.ts";
import type { Stage } from "./stage.ts";
import { chosenCase, on } from "./store.ts";

const [SLOWEST, FASTEST, USUAL] = [0.5, 60, 10]; // frames a second

export interface Player {
  toggle(): void;
  step(by: number): void;
}

/** How many of the file's frames one of the stage stands for; more than one only for very long cines. */
export const everyFrame = (stage: Stage): number => Math.max(1, Math.ceil((chosenCase()?.frames ?? 1) / stage.frames));

/** Fill the bar of frames and keep it true. `seen` is called whenever another frame is. */
export function player(stage: Stage, seen: () => void): Player {
  const box = byId("frames");
  const slider = byId<HTMLInputElement>("frame");
  const count = byId("frame-count");
  const rate = byId<HTMLInputElement>("rate");
  const play = byId<HTMLButtonElement>("play");
  let playing = false;
  let began = { at: 0, frame: 0 };

  const every = () => everyFrame(stage);
  /** The times of the stage's frames where these are uneven, in seconds from the first. */
  const times = (): number[] | null => {
    const known = chosenCase()?.times_s;
    return known?.length === chosenCase()?.frames ? (known ?? null)?.filter((_, k) => k % every() === 0) ?? null : null;
  };
  const perSecond = () => (rate.valueAsNumber >= SLOWEST && rate.valueAsNumber <= FASTEST ? rate.valueAsNumber : USUAL) / every();

  const show = () => {
    const c = chosenCase();
    const several = stage.frames > 1 && c !== null;
    box.hidden = !several;
    if (!several) return;
    const timed = (c.frames ?? 1) > 1;
    const last = timed ? c.frames! : stage.frames;
    const words = `${timed ? "Frame" : "Channel"} ${stage.frame * every() + 1} of ${last}`;
    slider.max = String(stage.frames);
    slider.value = String(stage.frame + 1);
    slider.setAttribute("aria-valuetext", words);
    const at = times()?.[stage.frame];
    count.textContent = [words, at !== undefined && `${at.toFixed(2)} s`, every() > 1 && `1 in ${every()} shown`].filter(Boolean).join(", ");
    box.classList.toggle("timed", timed);
  };
  const go = (frame: number) => {
    const n = stage.frames;
    if (n < 2) return;
    stage.setFrame(((frame % n) + n) % n, !playing);
    show();
    seen();
  };
  const rest = () => {
    playing = false;
    play.textContent = "▶";
    play.setAttribute("aria-label", "Play");
    play.title = "Play (space)";
  };
  /** Which frame is due so many seconds after the start: each stays as long as it did when it was taken. */
  const dueAt = (seconds: number): number => {
    const known = times();
    if (!known) return began.frame + Math.floor(seconds * perSecond());
    const n = known.length;
    const whole = (known[n - 1]! * n) / (n - 1); // the last one stays for as long as one does on the mean
    const pace = (perSecond() * every()) / usual(); // another rate plays all of it faster or slower
    return frameAt(known, (known[began.frame]! + seconds * pace) % whole);
  };
  const tick = (at: number) => {
    if (!playing) return;
    // by the clock, so that a slow machine leaves frames out and keeps the rate
    const due = dueAt((at - began.at) / 1000);
    if (due % stage.frames !== stage.frame) go(due);
    requestAnimationFrame(tick);
  };
  const made: Player = {
    toggle() {
      if (stage.frames < 2 || !box.classList.contains("timed")) return;
      if (playing) {
        rest();
        stage.setFrame(stage.frame);
        return;
      }
      playing = true;
      play.textContent = "❚❚";
      play.setAttribute("aria-label", "Pause");
      play.title = "Pause (space)";
      began = { at: performance.now(), frame: stage.frame };
      requestAnimationFrame(tick);
    },
    step(by) {
      rest();
      go(stage.frame + by);
    },
  };
  play.addEventListener("click", () => made.toggle());
  byId("frame-back").addEventListener("click", () => made.step(-1));
  byId("frame-on").addEventListener("click", () => made.step(1));
  slider.addEventListener("input", () => {
    rest();
    go(slider.valueAsNumber - 1);
  });
  rate.addEventListener("change", () => {
    const given = rate.valueAsNumber;
    rate.value = String(Number.isFinite(given) ? Math.min(FASTEST, Math.max(SLOWEST, given)) : usual());
    began = { at: performance.now(), frame: stage.frame };
  });
  const usual = () => {
    const step = chosenCase()?.frame_s;
    return step ? Math.min(FASTEST, Math.max(SLOWEST, Math.round(10 / step) / 10)) : USUAL;
  };
  stage.onshown = () => {
    rest();
    rate.value = String(usual());
    rate.title = times() ? "Frames a second on the mean: the frames were taken at uneven times, and are played so" : "Frames a second";
    show();
    seen();
  };
  on(["study", "caseId"], () => {
    rest();
    box.hidden = true;
  });
  rest();
  return made;
}

/** The last frame whose time has come. */
export function frameAt(times: readonly number[], seconds: number): number {
  let found = 0;
  for (let k = 0; k < times.length && times[k]! <= seconds; k++) found = k;
  return found;
}
