// Which model answers clicks, and taking up the click tool from elsewhere on the page.
import { chosenCase, chosenModel, now } from "../store.ts";
import type { Model } from "../types.ts";

let begin: () => void = () => {};

/** What to do when a person wants to click on the image. */
export function whenClicksAreWanted(act: () => void): void {
  begin = act;
}

export const wantClicks = (): void => begin();

/** The models that answer clicks on the image that is shown. */
export function clickModels(): Model[] {
  const flat = chosenCase()?.shape[0] === 1;
  return now().models.filter((m) => m.clicks && (flat || m.dims === 3));
}

/** The one that is asked: the chosen model where it takes clicks, else the first that does. */
export function clickModel(): Model | null {
  const able = clickModels();
  return able.find((m) => m.name === chosenModel()?.name) ?? able[0] ?? null;
}
