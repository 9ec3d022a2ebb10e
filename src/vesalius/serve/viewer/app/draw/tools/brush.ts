// Brush and eraser: a round one of so many millimetres, on a slice or as a ball.
import { pixelsPerMm } from "../plane.ts";
import { stroke, type Rule } from "../paint.ts";
import type { Drawing, DrawTool, Spot } from "../table.ts";

function round(made: Pick<DrawTool, "name" | "title" | "key" | "help">, rule: (drawing: Drawing) => Rule | null): DrawTool {
  let last: Spot | null = null;
  let under: Spot | null = null;
  const draw = (spots: Spot[], drawing: Drawing) => {
    const how = rule(drawing);
    for (const spot of spots) {
      if (!last || !how || spot.plane.axis !== last.plane.axis || spot.plane.slice !== last.plane.slice) continue;
      stroke(drawing.work, last.plane, [last.at, spot.at], { radius: drawing.settings.diameter / 2, ball: drawing.settings.ball }, how);
      last = under = spot;
    }
  };
  return {
    ...made,
    makes: "mask",
    options: ["diameter", "ball", "emptyOnly", "range"],
    cursor: () => "none", // the ring is the pointer
    down(spot, drawing) {
      if (!rule(drawing)) return;
      drawing.work.begin(made.title);
      last = spot;
      draw([spot], drawing);
    },
    drag: draw,
    up(_, drawing) {
      last = null;
      drawing.work.end();
    },
    hover(spot, drawing) {
      under = spot;
      drawing.redraw();
    },
    cancel(drawing) {
      if (!last) return false;
      last = null;
      drawing.work.cancel();
      return true;
    },
    leave(drawing) {
      last = under = null;
      drawing.work.end();
    },
    marks(pen, plane, drawing) {
      if (!under || under.plane.axis !== plane.axis || (under.touch && !last)) return;
      const [x, y] = plane.toScreen(under.at);
      const [wide, high] = pixelsPerMm(plane).map((s) => Math.max(2, (s * drawing.settings.diameter) / 2)) as [number, number];
      const colour = made.name === "eraser" ? "#ffffff" : (drawing.label?.colour ?? "#ffffff");
      for (const [style, width] of [["rgb(0 0 0 / 0.75)", 3], [colour, 1.5]] as const) {
        pen.strokeStyle = style;
        pen.lineWidth = width;
        pen.setLineDash(made.name === "eraser" ? [4, 3] : []);
        pen.beginPath();
        pen.ellipse(x, y, wide, high, 0, 0, 2 * Math.PI);
        pen.stroke();
      }
      pen.setLineDash([]);
    },
  };
}

const between = ({ settings, values }: Drawing): Rule["between"] => (settings.range && values ? { values, low: settings.range[0], high: settings.range[1] } : null);

export const brush: DrawTool = round(
  { name: "brush", title: "Brush", key: "b", help: "Drag to draw the chosen class." },
  (drawing) => drawing.label && { value: drawing.label.value, over: drawing.settings.emptyOnly ? 0 : null, between: between(drawing) },
);

export const eraser: DrawTool = {
  ...round(
    { name: "eraser", title: "Eraser", key: "e", help: "Drag to take away what is drawn, of any class." },
    (drawing) => ({ value: 0, over: null, between: between(drawing) }),
  ),
  options: ["diameter", "ball", "range"],
};
