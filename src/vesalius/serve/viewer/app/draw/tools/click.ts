// Click: points, boxes and scribbles show the model one object, and its mask is drawn at once.
import * as api from "../../api.ts";
import { Running } from "../../click/running.ts";
import { clickModel } from "../../click/start.ts";
import { boxOf, boxThrough, lineOf, mark, onImage, placeOf, pointAt, type Stroke } from "../../click/strokes.ts";
import { Talk, type Told } from "../../click/talk.ts";
import { controls, type Status } from "../../click/controls.ts";
import { guarded, report } from "../../say.ts";
import { chosenCase, now } from "../../store.ts";
import type { Drawing, DrawTool, Spot } from "../table.ts";

/** The object that is being clicked. */
interface Clicked {
  strokes: Stroke[];
  undone: Stroke[];
  running: Running;
  talk: Talk;
  /** It is to be kept once the service has answered. */
  keeps: boolean;
}

const LEAST = 5; // pixels; less is a click
const LONG_MS = 450;
const NEAR = 7;

export const manner = { scribbles: false, removes: false, start: false };
const status: Status = { busy: false, told: null, ms: null };
let object: Clicked | null = null;
let chosen: number | null = null;
let gesture: { spots: Spot[]; removes: boolean; timer: number } | null = null;

function begin(drawing: Drawing): Clicked | null {
  const [model, { study, caseId, accepted }] = [clickModel(), now()];
  if (!model || !study || !caseId || !drawing.label) return null;
  const running = new Running(drawing.work, drawing.label.value, { emptyOnly: drawing.settings.emptyOnly, start: manner.start });
  const talk = new Talk({ model: model.name, study: study.study, case: caseId, accept_mismatch: accepted, start: running.start });
  const made: Clicked = { strokes: [], undone: [], running, talk, keeps: false };
  talk.ontold = (told, ms) => {
    if (!running.take(told)) return void talk.whole();
    tell(told, ms, drawing);
    if (made.keeps && told.strokes === made.strokes.length) keep(drawing);
  };
  talk.onbusy = (busy) => {
    status.busy = busy;
    drawing.panel();
  };
  talk.onagain = () => drawing.say("The session had gone from the service; your strokes were sent again.");
  talk.onfailed = (error, kept) => {
    made.strokes = [...kept];
    made.keeps = false;
    report(error);
    drawing.panel();
    drawing.redraw();
  };
  return made;
}

function tell(told: Told, ms: number, drawing: Drawing): void {
  status.told = told;
  status.ms = ms;
  drawing.panel();
  drawing.redraw();
}

/** Other strokes stand. */
function set(strokes: Stroke[], drawing: Drawing): void {
  if (!object) return;
  object.strokes = strokes;
  chosen = null;
  object.talk.set([...strokes]);
  drawing.panel();
  drawing.redraw();
}

function add(stroke: Stroke, drawing: Drawing): void {
  if (object && object.running.value !== drawing.label?.value) keepNow(drawing);
  object ??= begin(drawing);
  if (!object) return;
  object.undone = [];
  const { strokes } = object;
  set([...strokes, stroke], drawing);
}

/** The mask stays in the drawing as one step, and the next stroke begins another object. */
export function keep(drawing: Drawing): void {
  if (!object) return;
  if (status.busy) {
    object.keeps = true;
    return;
  }
  const model = clickModel();
  if (drawing.work.end() && model) drawing.proposed({ kind: "click", name: model.name });
  close(drawing);
}

/** As `keep`, at once: a stroke that is not answered yet is not in it, which is said. */
function keepNow(drawing: Drawing): void {
  if (object && status.busy) drawing.say("The last stroke was not answered yet: it is not in what was kept.");
  status.busy = false;
  keep(drawing);
}

export function discard(drawing: Drawing): void {
  if (!object) return;
  drawing.work.cancel();
  close(drawing);
}

function close(drawing: Drawing): void {
  object?.talk.end();
  object = null;
  chosen = null;
  Object.assign(status, { busy: false, told: null, ms: null });
  drawing.panel();
  drawing.redraw();
}

function undo(drawing: Drawing): boolean {
  const last = object?.strokes.at(-1);
  if (!object || !last) return false;
  object.undone.push(last);
  set(object.strokes.slice(0, -1), drawing);
  return true;
}

function redo(drawing: Drawing): boolean {
  const next = object?.undone.pop();
  if (!object || !next) return false;
  set([...object.strokes, next], drawing);
  return true;
}

/** Take one stroke away, the chosen one or the last. */
export function remove(drawing: Drawing, k: number | null): void {
  if (!object?.strokes.length) return;
  set(object.strokes.filter((_, n) => n !== (k ?? object!.strokes.length - 1)), drawing);
}

function give(drawing: Drawing): void {
  if (!gesture) return;
  const { spots, removes } = gesture;
  const [from, to] = [spots[0]!, spots.at(-1)!];
  gesture = null;
  const adds = !removes;
  if (manner.scribbles) {
    const places = lineOf(spots.filter(onImage));
    return places.length ? add({ kind: "scribble", adds, places }, drawing) : drawing.say("This is beside the image.");
  }
  if (!dragged(from, to)) return !onImage(from) ? drawing.say("This is beside the image.") : add({ kind: "point", adds, places: [placeOf(from)] }, drawing);
  const last = object?.strokes.at(-1);
  if (object && last?.kind === "box" && last.adds === adds && boxPlane !== from.plane.axis) {
    return set([...object.strokes.slice(0, -1), boxThrough(last, from, to)], drawing);
  }
  boxPlane = from.plane.axis;
  add({ kind: "box", adds, places: boxOf(from, to) }, drawing);
}

let boxPlane = -1; // the axis of the plane that the last box was dragged on
const dragged = (a: Spot, b: Spot): boolean => Math.hypot(a.screen[0] - b.screen[0], a.screen[1] - b.screen[1]) >= LEAST;

function end(): void {
  if (gesture) clearTimeout(gesture.timer);
}

export const click: DrawTool = {
  name: "click",
  title: "Click",
  key: "k",
  makes: "mask",
  help: "Click on the object; with the right button, Shift or a long press where it is not. Drag a box around it; on another plane a second drag says how deep it is.",
  options: ["emptyOnly"],
  secondary: true,
  offered: () => clickModel() !== null,
  down(spot, drawing) {
    if (!drawing.label) return;
    const removes = spot.secondary || spot.shift !== manner.removes;
    const near = object && !manner.scribbles && !spot.secondary ? pointAt(object.strokes, spot.plane, spot.screen, spot.touch ? 2 * NEAR : NEAR) : null;
    if (near !== null) {
      chosen = chosen === near ? null : near;
      return drawing.panel();
    }
    const long = () => {
      if (!gesture || (!manner.scribbles && dragged(gesture.spots[0]!, gesture.spots.at(-1)!))) return;
      gesture.removes = !manner.removes;
      navigator.vibrate?.(30);
      drawing.redraw();
    };
    gesture = { spots: [spot], removes, timer: spot.touch ? (setTimeout(long, LONG_MS) as unknown as number) : 0 };
    drawing.redraw();
  },
  drag(spots, drawing) {
    if (!gesture) return;
    const same = spots.filter((s) => s.plane.slice === gesture!.spots[0]!.plane.slice);
    gesture.spots.push(...same);
    if (manner.scribbles && same.length) clearTimeout(gesture.timer);
    drawing.redraw();
  },
  up(_, drawing) {
    end();
    give(drawing);
  },
  cancel(drawing) {
    end();
    const had = gesture !== null;
    gesture = null;
    if (had) drawing.redraw();
    return had;
  },
  leave(drawing) {
    end();
    gesture = null;
    keepNow(drawing);
  },
  marks(pen, plane) {
    object?.strokes.forEach((s, k) => mark(pen, plane, s, k === chosen));
    if (!gesture || gesture.spots[0]!.plane.axis !== plane.axis) return;
    const [from, to] = [gesture.spots[0]!, gesture.spots.at(-1)!];
    const adds = !gesture.removes;
    if (manner.scribbles) mark(pen, plane, { kind: "scribble", adds, places: lineOf(gesture.spots.filter(onImage)) }, true);
    else if (dragged(from, to)) mark(pen, plane, { kind: "box", adds, places: boxOf(from, to) }, true);
    else mark(pen, plane, { kind: "point", adds, places: [placeOf(from)] }, true);
  },
  pending: () => object !== null,
  steps: () => ({ undo: (object?.strokes.length ?? 0) > 0, redo: (object?.undone.length ?? 0) > 0 }),
  undo,
  redo,
  keys: (drawing) => [
    { keys: ["Enter"], does: "keep what was clicked", act: () => keep(drawing) },
    { keys: ["q"], does: "scribbles or points and boxes", act: () => turn("scribbles", drawing) },
    { keys: ["x"], does: "strokes remove or add", act: () => turn("removes", drawing) },
    { keys: ["Delete", "Backspace"], does: "delete the chosen stroke, or the last", act: () => remove(drawing, chosen) },
  ],
  controls: (drawing) =>
    controls({
      strokes: object?.strokes ?? [],
      chosen,
      status,
      manner,
      turn: (which) => turn(which, drawing),
      choose: (k) => {
        chosen = k;
        drawing.panel();
        drawing.redraw();
      },
      remove: (k) => remove(drawing, k),
      keep: object && (() => keep(drawing)),
      discard: object && (() => discard(drawing)),
      dicom: chosenCase()?.source === "dicom",
      seg: object && chosenCase()?.source === "dicom" && status.told ? guarded(() => segment(drawing)) : null,
    }),
};

function turn(which: "scribbles" | "removes" | "start", drawing: Drawing): void {
  manner[which] = !manner[which];
  drawing.panel();
  drawing.redraw();
}

/** The object as a DICOM SEG, as it is now. */
async function segment(drawing: Drawing): Promise<void> {
  const path = object?.talk.file("seg.dcm", drawing.label?.name ?? "object");
  if (path) await api.save(path, "clicked.seg.dcm");
}
