// The switch under the labels that shows their surfaces in 3-D, how clear these are, and their file.
import * as api from "../api.ts";
import { h } from "../dom.ts";
import type { Given } from "../kinds.ts";
import { guarded } from "../say.ts";
import type { Labelled } from "../stage.ts";
import type { Held } from "../types.ts";
import { SurfaceView } from "./view.ts";

let open: SurfaceView | null = null;

/** Take the surfaces away, as of an answer that is no more shown. */
export function closeSurfaces(): void {
  open?.close();
  open = null;
}

/** Which labels are seen, on the surfaces too. */
export function labelSurfaces(labels: Labelled[]): void {
  open?.setLabels(labels);
}

/** The switch; null of an answer that no job gave, whose surfaces the service does not keep. */
export function surfaceSwitch(answer: Held, given: Given, labels: Labelled[]): HTMLElement | null {
  if (!answer.job) return null;
  const path = `/api/jobs/${answer.job}/cases/${answer.case}`;
  const box = h("input", { type: "checkbox", id: "surface" });
  const slider = h("input", { type: "range", id: "surface-opacity", min: "0.1", max: "1", step: "0.05", value: "1", oninput: () => open?.setOpacity(slider.valueAsNumber) });
  const clear = h("label", { hidden: true }, h("span", {}, "Opacity of surfaces"), slider);
  const save = h("button", { class: "plain", id: "save-surface", hidden: true, onclick: guarded(() => api.save(`${path}/surfaces.glb`, `${answer.case}-surfaces.glb`)) }, "Save surfaces (GLB)");
  box.addEventListener(
    "change",
    guarded(async () => {
      closeSurfaces();
      if (box.checked) {
        box.disabled = true;
        try {
          const made = await SurfaceView.open(given.stage, path, labels);
          if (!given.current() || !box.isConnected) made.close();
          else {
            open = made;
            open.setOpacity(slider.valueAsNumber);
          }
        } catch (error) {
          box.checked = false;
          throw error;
        } finally {
          box.disabled = false;
        }
      }
      clear.hidden = save.hidden = !box.checked;
    }),
  );
  return h("div", { class: "controls solid-only" }, h("label", { title: "Closed surfaces about the labels, of about 60,000 faces at most" }, box, "Surfaces in 3-D"), clear, save);
}
