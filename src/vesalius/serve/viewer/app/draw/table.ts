// The tools that draw, in one table: to add one, write its file in tools/ and give it a row here.
import type { Shortcut } from "../keys.ts";
import type { Point, Triple } from "../tiles.ts";
import type { Plane } from "./plane.ts";
import { box } from "./tools/box.ts";
import { brush, eraser } from "./tools/brush.ts";
import { click } from "./tools/click.ts";
import { polygon } from "./tools/polygon.ts";
import type { Work } from "./work.ts";

/** A class that can be drawn. */
export interface DrawnLabel {
  value: number;
  name: string;
  colour: string;
}

/** What a tool works on: the open image's drawing, and what was chosen in the panel. */
export interface Drawing {
  readonly work: Work;
  readonly labels: readonly DrawnLabel[];
  /** The class that is drawn now; null where none may be. */
  readonly label: DrawnLabel | null;
  /** The image's values, in the order of the file; null for colours. Made when they are first asked for. */
  readonly values: ArrayLike<number> | null;
  readonly settings: Settings;
  /** Draw the labels and all marks anew. */
  redraw(): void;
  /** Fill the bar anew: the tool has other controls or steps. */
  panel(): void;
  /** Say that what was just drawn is a proposal of a model: it is said in what is saved. */
  proposed(by: { kind: "click"; name: string }): void;
  /** Tell the person, for a while. */
  say(text: string): void;
}

/** What the panel lets a person choose for all tools. */
export interface Settings {
  /** The brush's diameter, in millimetres (pixels where the spacing is not known). */
  diameter: number;
  /** Whether the brush is a ball, which draws in the slices beside too. */
  ball: boolean;
  /** Whether only what is empty is drawn over. */
  emptyOnly: boolean;
  /** Only where the image's value is between these, both included; null for everywhere. */
  range: [number, number] | null;
}

/** Where the pointer is. */
export interface Spot {
  plane: Plane;
  /** In grid coordinates, in the middle of the slice: voxel k reaches from k to k + 1 along each axis of the file. */
  at: Triple;
  /** In CSS pixels of the planes. */
  screen: Point;
  touch: boolean;
  shift: boolean;
  /** The right button, of a tool that takes it. */
  secondary: boolean;
  /** Clicks in quick order, as a mouse counts them. */
  clicks: number;
}

/** One tool. The left button and one finger are its own; wheel, other buttons and two fingers stay the stage's. */
export interface DrawTool {
  name: string;
  title: string;
  /** The key that takes it up. */
  key: string;
  /** What of an annotation it makes: it is offered where that is asked for. */
  makes: "mask" | "boxes";
  help: string;
  /** Whether the right button is its own, too. */
  secondary?: boolean;
  /** Whether the service has what it needs; it is not offered otherwise. */
  offered?(): boolean;
  /** Steps of its own within what is half done, which are taken back and made again before those of the drawing. */
  steps?(): { undo: boolean; redo: boolean };
  undo?(drawing: Drawing): boolean;
  redo?(drawing: Drawing): boolean;
  /** The style of the pointer; "crosshair" where it says nothing. */
  cursor?(spot: Spot, drawing: Drawing): string;
  down(spot: Spot, drawing: Drawing): void;
  /** The button or finger is down and moves; all places since the last call. */
  drag?(spots: Spot[], drawing: Drawing): void;
  up?(spot: Spot, drawing: Drawing): void;
  /** The pointer moves over the planes with no button down; null where it leaves them. */
  hover?(spot: Spot | null, drawing: Drawing): void;
  /** A second finger came, or Escape: what is half done is given up. True where there was something. */
  cancel?(drawing: Drawing): boolean;
  /** Whether something is half done that no step holds yet, such as a polygon that is not closed. */
  pending?(): boolean;
  /** Another tool is taken up, another image comes, or all is saved: what is half done becomes a step or goes. */
  leave?(drawing: Drawing): void;
  /** Draws its marks over a plane. */
  marks?(pen: CanvasRenderingContext2D, plane: Plane, drawing: Drawing): void;
  /** Keys of its own while it is taken up. */
  keys?(drawing: Drawing): Shortcut[];
  /** What of the settings is of use to it. */
  options?: readonly ("diameter" | "ball" | "emptyOnly" | "range")[];
  /** Buttons of its own beside the settings. */
  controls?(drawing: Drawing): HTMLElement[];
}

export const TOOLS: readonly DrawTool[] = [brush, eraser, polygon, click, box];
