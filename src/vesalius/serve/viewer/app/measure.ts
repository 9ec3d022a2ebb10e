// Measurements on the stage: listed with their unit; millimetres only where the spacing is known.
import { byId, fill, h } from "./dom.ts";
import { announce } from "./say.ts";
import type { Stage } from "./stage.ts";
import { chosenCase, on } from "./store.ts";

/** The list, and the button that clears it. */
export function measurements(stage: Stage): { clear(): void } {
  let lines: string[] = [];
  const show = () => {
    byId("measures").hidden = !lines.length;
    fill(byId("measure-list"), lines.map((text) => h("li", {}, text)));
  };
  /** List it under the plane's name; beside the line there is no need of that. */
  const add = (text: string, plane: string) => {
    lines = [...lines, (chosenCase()?.shape[0] ?? 1) > 1 ? `${text} (${plane})` : text];
    show();
    announce(`Measured: ${text}`);
    return text;
  };
  const clear = () => {
    lines = [];
    stage.clearMeasurements();
    show();
  };
  stage.ondistance = (length, plane) => {
    const c = chosenCase();
    const unit = !c?.spacing_mm ? "pixels" : c.spacing_at === "detector" ? "mm at the detector" : "mm";
    return add(`${length.toFixed(1)} ${unit}`, plane);
  };
  stage.onangle = (degrees, plane) => add(`${degrees.toFixed(1)}°`, plane);
  byId("clear-measures").addEventListener("click", clear);
  on(["study", "caseId"], () => {
    lines = [];
    show();
  });
  return { clear };
}
