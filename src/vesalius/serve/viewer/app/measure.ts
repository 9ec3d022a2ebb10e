// Measurements on the stage: listed with their unit; millimetres only where the spacing is known.
import { byId, fill, h } from "./dom.ts";
import type { Stage } from "./stage.ts";
import { chosenCase, on } from "./store.ts";

/** The list, and the button that clears it. */
export function measurements(stage: Stage): { clear(): void } {
  let lines: string[] = [];
  const show = () => {
    byId("measures").hidden = !lines.length;
    fill(byId("measure-list"), lines.map((text) => h("li", {}, text)));
  };
  const add = (text: string) => {
    lines = [...lines, text];
    show();
  };
  const clear = () => {
    lines = [];
    stage.clearMeasurements();
    show();
  };
  stage.ondistance = (length, plane) => {
    const c = chosenCase();
    const unit = !c?.spacing_mm ? "pixels" : c.spacing_at === "detector" ? "mm at the detector" : "mm";
    add(`${length.toFixed(1)} ${unit}${c && c.shape[0] > 1 ? ` (${plane})` : ""}`);
  };
  stage.onangle = (degrees, plane) => add(`${degrees.toFixed(1)}°${(chosenCase()?.shape[0] ?? 1) > 1 ? ` (${plane})` : ""}`);
  byId("clear-measures").addEventListener("click", clear);
  on(["study", "caseId"], () => {
    lines = [];
    show();
  });
  return { clear };
}
