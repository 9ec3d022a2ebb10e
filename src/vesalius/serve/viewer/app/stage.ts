// The stage: an image in planes and in 3-D, with what lies over it; it knows no task and no service.
import { DRAG_MODE, Niivue, SLICE_TYPE } from "@niivue/niivue";
import { coloursOf, cut, edges } from "./contours.ts";
import { planeOf, type Grid, type Plane } from "./draw/plane.ts";
import { fillBoxes, type Boxed } from "./fitted.ts";
import { toIndex, toMm } from "./geometry.ts";
import { colours, imageLayer, isImage, isOf, labelAt, labelsIn, mapLayer, maskLayer, partOf, refill, type Field, type Labelled, type Mask } from "./layers.ts";
import type { Legend } from "./legend.ts";
import { apart, head, shrinkage, spacingOf, shrunk, upright, volumeAt, volumesIn, wholeWindow } from "./nifti.ts";
import { Over, type Framed, type Outline } from "./over.ts";
import { Ruler } from "./ruler.ts";
import { Solid } from "./solid.ts";
import { tileAt, tilesOf, type Point, type Tile, type Triple } from "./tiles.ts";
import { looksLikeCT, SOFT } from "./windows.ts";

export type { Labelled } from "./layers.ts";
export type Layout = "all" | "axial" | "coronal" | "sagittal" | "solid";
export type Tool = "navigate" | "window" | "pan" | "distance" | "angle";

export interface Place {
  index: Triple;
  value: number | null;
  label: string | null;
}

/** How an image is to be shown. */
export interface Shown {
  oriented: boolean;
  flat: boolean;
  colour: boolean;
  invert: boolean;
  window: { centre: number; width: number } | null;
  /** Another window that it is seen in first; its own stays the one that is gone back to. */
  first: { centre: number; width: number } | null;
  /** Of lengths on the image. */
  unit: "mm" | "px";
  /** Whether nothing says what the values are in: then they may be a CT's, for all that is known. */
  unknown: boolean;
}

/** What of a stage another one follows, so that both are looked at in one place and one way. */
export interface Look {
  cross: readonly number[];
  pan: readonly number[];
  window: readonly [number, number];
  frame: number;
  layout: Layout;
  crossed: boolean;
  outline: boolean;
  opacity: number;
}

const OPTIONS = {
  backColor: [0, 0, 0, 1],
  isRadiologicalConvention: true, // the patient's right on the left of the screen
  sagittalNoseLeft: true,
  isOrientationTextVisible: false, // over.ts writes the letters, for oblique images too
  isForceMouseClickToVoxelCenters: true,
  dragAndDropEnabled: false,
  loadingText: "",
  logLevel: "error" as const,
  clipPlaneHotKey: "",
  cycleClipPlaneHotKey: "",
  viewModeHotKey: "",
  crosshairWidth: 0, // over.ts draws the cross, a pixel wide whatever the zoom
  show3Dcrosshair: false,
};
const UINT8 = 2; // NIfTI's type
const PRIMARY: Record<Tool, DRAG_MODE> = {
  navigate: DRAG_MODE.crosshair,
  window: DRAG_MODE.windowing,
  pan: DRAG_MODE.pan,
  distance: DRAG_MODE.none, // ruler.ts measures
  angle: DRAG_MODE.none,
};
const SLICE = { axial: SLICE_TYPE.AXIAL, coronal: SLICE_TYPE.CORONAL, sagittal: SLICE_TYPE.SAGITTAL } as const;
const HALF = 0.4985; // of the canvas: a line of it stays between two planes
const QUARTERS: Boxed[] = [
  { sliceType: SLICE_TYPE.AXIAL, position: [0, 0, HALF, HALF] },
  { sliceType: SLICE_TYPE.SAGITTAL, position: [1 - HALF, 0, HALF, HALF] },
  { sliceType: SLICE_TYPE.CORONAL, position: [0, 1 - HALF, HALF, HALF] },
];

export class Stage {
  /** Another image is on the stage. */
  onshown: () => void = () => {};
  onplace: (place: Place) => void = () => {};
  /** The cross is elsewhere. */
  oncross: () => void = () => {};
  onwindow: (centre: number, width: number) => void = () => {};
  /** Something else is seen, or in another way: the place, the zoom, the window, the frame. */
  onlook: () => void = () => {};
  /** A plane, or the 3-D view, was clicked twice. */
  onpick: (layout: Layout) => void = () => {};
  /** The planes are drawn, or where they lie on the screen has changed. */
  ondrawn: () => void = () => {};
  /** The tool of the left mouse button was chosen. */
  ontool: (tool: Tool) => void = () => {};
  /** What a measured length, and an angle, is called; the words stand beside the lines. */
  ondistance: (mm: number, plane: string) => string = (mm) => mm.toFixed(1);
  onangle: (degrees: number, plane: string) => string = (degrees) => degrees.toFixed(1);

  private planes = new Niivue(OPTIONS);
  private solid: Solid;
  private buffer: ArrayBuffer | null = null;
  private original: ArrayBuffer | null = null;
  private shown: Shown | null = null;
  private mask: Mask | null = null;
  private map: Field | null = null;
  private opacity = { mask: 0.5, map: 0.5 };
  private by: Triple = [1, 1, 1];
  private at = 0;
  private began: [number, number] = [0, 1];
  private range: [number, number] = [0, 1];
  private outline = false;
  private crossed = true;
  private following = false;
  private told: [number, number] = [NaN, NaN];
  private layout: Layout = "all";
  private over: Over;
  private ruler: Ruler;
  private boxes: Box[] = [];
  private outlines = new Map<number, { slice: number; found: Outline[] }>(); // the last of each axis

  constructor(
    private root: HTMLElement,
    private planesCanvas: HTMLCanvasElement,
    private solidCanvas: HTMLCanvasElement,
    private overCanvas: HTMLCanvasElement,
  ) {
    this.solid = new Solid(solidCanvas, OPTIONS);
    this.over = new Over(overCanvas);
    this.ruler = new Ruler(planesCanvas, {
      tiles: () => this.tiles(),
      toMm: (f) => this.toMm(f),
      redraw: () => this.drawOver(),
      distance: (mm, plane) => this.ondistance(mm, plane),
      angle: (degrees, plane) => this.onangle(degrees, plane),
    });
    for (const canvas of [planesCanvas, solidCanvas]) {
      canvas.addEventListener("keydown", (e) => e.stopImmediatePropagation()); // NiiVue has keys of its own
    }
    solidCanvas.parentElement!.addEventListener("keydown", (e) => this.turn(e), true);
    fillBoxes(this.planes, () => (this.root.dataset.layout === "all" ? QUARTERS : null));
    this.planes.resetBriCon = () => {}; // a double click makes a plane large
    planesCanvas.addEventListener("dblclick", (e) => {
      const box = planesCanvas.getBoundingClientRect();
      const tile = this.ruler.tool ? null : tileAt(this.tiles(), [e.clientX - box.x, e.clientY - box.y]);
      if (tile) this.onpick(tile.name as Layout);
    });
    solidCanvas.addEventListener("dblclick", () => this.onpick("solid"));
  }

  async open(): Promise<void> {
    await this.planes.attachToCanvas(this.planesCanvas);
    this.planes.onLocationChange = (at) => this.place(at as Location);
    this.planes.onIntensityChange = () => this.tellWindow();
    // a drag of the window, and the double click that ends it, are not told by NiiVue
    for (const event of ["mousemove", "mouseup", "dblclick"] as const) {
      this.planesCanvas.addEventListener(event, (e) => (e.buttons || event !== "mousemove") && this.tellWindow());
    }
    const draw = this.planes.drawScene.bind(this.planes);
    this.planes.drawScene = () => {
      const said = draw();
      this.drawOver();
      if (this.buffer && !this.following) this.onlook();
      return said;
    };
    this.setTool("navigate");
  }

  /** How many voxels of the file are one on the stage, along each axis; more than one only for very large images. */
  get blocks(): readonly number[] {
    return this.by;
  }

  /** How many frames the image on the stage has. */
  get frames(): number {
    return this.buffer ? volumesIn(this.buffer) : 1;
  }

  /** The frame that is seen, from 0. */
  get frame(): number {
    return this.at;
  }

  /** Which planes are to be seen. */
  get chosenLayout(): Layout {
    return this.layout;
  }

  /** How the image is looked at now. */
  get look(): Look {
    const { crosshairPos, pan2Dxyzmm } = this.planes.scene;
    const image = this.planes.volumes[0];
    return {
      cross: Array.from(crosshairPos),
      pan: Array.from(pan2Dxyzmm),
      window: [image?.cal_min ?? 0, image?.cal_max ?? 1],
      frame: this.at,
      layout: this.layout,
      crossed: this.crossed,
      outline: this.outline,
      opacity: this.opacity.mask,
    };
  }

  /** Look at the image on this stage as another one is looked at; both are of one size. */
  follow(look: Look): void {
    if (!this.planes.volumes.length || JSON.stringify(look) === JSON.stringify(this.look)) return;
    this.following = true;
    this.planes.scene.crosshairPos = new Float32Array(look.cross) as never;
    this.planes.setPan2Dxyzmm([...look.pan] as never);
    this.limit([...look.window]);
    if (look.layout !== this.layout) this.setLayout(look.layout);
    this.setCross(look.crossed);
    this.setOutline(look.outline);
    if (look.opacity !== this.opacity.mask) this.setOpacity("mask", look.opacity);
    this.setFrame(look.frame, false);
    this.planes.createOnLocationChange();
    this.planes.drawScene();
    this.following = false;
  }

  /** Show on another stage what is on this one, with nothing over it. */
  async copyTo(other: Stage): Promise<void> {
    if (!this.original || !this.shown) return;
    await other.show(this.original, this.shown);
    other.follow(this.look);
  }

  /** Show an image of the same patient as another stage shows its own; `alike` where both lie on one grid. */
  async showLike(other: Stage, buffer: ArrayBuffer, alike: boolean): Promise<void> {
    if (!other.shown) return;
    await this.show(buffer, other.shown);
    if (alike) this.follow(other.look);
  }

  /** The box of the stage has another size. */
  resized(): void {
    requestAnimationFrame(() => {
      this.planes.resizeListener();
      void this.solid.setVisible(this.solidShown);
      this.drawOver();
    });
  }

  private get solidShown(): boolean {
    return ["all", "solid"].includes(this.root.dataset.layout ?? "");
  }

  /** The cross through the planes, seen or not. */
  setCross(crossed: boolean): void {
    if (crossed === this.crossed) return;
    this.crossed = crossed;
    this.drawOver();
    if (this.buffer && !this.following) this.onlook();
  }

  /** The image as its file has it, and its own grid; null without one. */
  get file(): { bytes: ArrayBuffer; grid: Grid } | null {
    const dims = this.original && head(this.original)?.dims;
    if (!dims || !this.original || !this.shown) return null;
    const size = [1, 2, 3].map((k) => Math.max(1, dims[k] ?? 1)) as Triple;
    return { bytes: this.original, grid: { size, spacing: spacingOf(this.original), unit: this.shown.unit } };
  }

  /** The planes that are seen, in the image's own grid. */
  get seen(): Plane[] {
    const image = this.planes.volumes[0];
    const { file } = this;
    if (!file || !image?.permRAS || !image.dimsRAS) return [];
    const counts = image.dimsRAS.slice(1, 4);
    return this.tiles().map((tile) => planeOf(tile, file.grid, image.permRAS!, counts, this.by));
  }

  /** The voxel of the file in which the cross is; null without an image. */
  get crossIndex(): Triple | null {
    return this.planes.volumes.length ? this.fileIndex(this.toMm(Array.from(this.planes.scene.crosshairPos) as Triple)) : null;
  }

  /** Where the cross is, in millimetres (RAS); null without an image. */
  get crossMm(): Triple | null {
    return this.planes.volumes.length ? (this.toMm(Array.from(this.planes.scene.crosshairPos) as Triple) as Triple) : null;
  }

  /** The box of the 3-D view. */
  get solidBox(): HTMLElement {
    return this.solidCanvas.parentElement!;
  }

  /** Zoom by a factor about a point of a plane (in grid coordinates of the file), and move by as many millimetres on the screen. */
  zoom(by: number, plane: Plane, from: Point, to: Point): void {
    const pan = this.planes.scene.pan2Dxyzmm;
    const most = Math.max(1, Math.min(40, pan[3]! * by));
    const [a, b] = [plane.tile.toFraction(from), plane.tile.toFraction(to)].map((f) => Array.from(this.planes.frac2mm(f, 0)).slice(0, 3));
    const next = [0, 1, 2].map((k) => pan[k]! + pan[3]! * (b![k]! - a![k]!) + (pan[3]! - most) * b![k]!);
    this.planes.setPan2Dxyzmm([...next, most] as never);
  }

  /** The frame that is seen, as a NIfTI of its own in the order of the file; null where it is shown in blocks. */
  get frameBytes(): ArrayBuffer | null {
    return this.buffer && this.by.every((n) => n === 1) ? volumeAt(this.buffer, this.at) : null;
  }

  /** Show an image (NIfTI bytes) with nothing over it. */
  async show(buffer: ArrayBuffer, shown: Shown): Promise<void> {
    this.clear();
    const gl = this.planes.gl;
    // beyond this size NiiVue draws a plane as it lies, and nothing over it
    this.original = buffer;
    this.by = shrinkage(buffer, gl.getParameter(gl.MAX_3D_TEXTURE_SIZE) as number);
    this.buffer = shrunk(upright(buffer), this.by, false);
    this.shown = shown;
    this.at = 0;
    const image = await imageLayer(volumeAt(this.buffer, 0), shown.invert);
    this.range = shown.colour ? [0, 255] : wholeWindow(this.buffer);
    // NiiVue finds no window where all values are the same
    if (!((image.cal_max ?? 0) > (image.cal_min ?? 0))) [image.cal_min, image.cal_max] = this.range;
    // eight bits are a picture that was made to be seen, black at 0 and white at 255; a few values are labels
    const bytes = head(this.buffer)?.datatype === UINT8;
    if (bytes && (this.range[1] > 25 || this.range[1] - this.range[0] <= 1)) [image.cal_min, image.cal_max] = [0, 255];
    const window = shown.window ?? (shown.unknown && looksLikeCT(this.range) ? SOFT : null);
    if (window) [image.cal_min, image.cal_max] = ends(window.centre, window.width);
    this.began = [image.cal_min ?? 0, image.cal_max ?? 1];
    if (shown.first) [image.cal_min, image.cal_max] = ends(shown.first.centre, shown.first.width);
    this.planes.addVolume(image);
    this.root.classList.toggle("flat", shown.flat);
    this.setLayout(this.layout);
    this.planes.setPan2Dxyzmm([0, 0, 0, 1] as never);
    const counts = image.dimsRAS?.slice(1, 4) ?? [1, 1, 1];
    // in the middle of a voxel: between two of them, a mean of both would be seen
    this.planes.scene.crosshairPos = new Float32Array(counts.map((n) => (Math.floor(n / 2) + 0.5) / n)) as never;
    this.planes.createOnLocationChange();
    this.told = [NaN, NaN];
    this.tellWindow();
    this.onshown();
    await this.fillSolid();
  }

  clear(): void {
    const view = this.planes;
    while (view.volumes.length) view.removeVolumeByIndex(view.volumes.length - 1);
    this.boxes = [];
    this.outlines.clear();
    this.ruler.clear();
    this.mask = this.map = this.buffer = this.original = this.shown = null;
    void this.solid.show(null);
  }

  /** Lay labels over the image, or take them away (null). */
  async setMask(buffer: ArrayBuffer | null, labels: Labelled[] = [], overlapping = false): Promise<void> {
    const placed = buffer && shrunk(upright(buffer), this.by, true);
    this.mask = placed && { parts: overlapping ? apart(placed) : [placed], labels, overlapping };
    await this.fillOver();
    await this.fillSolid();
  }

  /** Lay a field of numbers over the image, or take it away. */
  async setMap(buffer: ArrayBuffer | null, low = 0, high = 1): Promise<void> {
    this.map = buffer && { buffer: shrunk(upright(buffer), this.by, false), low, high };
    await this.fillOver();
  }

  /** Draw boxes over the planes, in index coordinates of the image's file. */
  setBoxes(boxes: Box[]): void {
    this.boxes = boxes;
    this.drawOver();
  }

  /** Which labels are seen. */
  setLabels(labels: Labelled[]): void {
    if (!this.mask) return;
    this.mask.labels = labels;
    this.outlines.clear();
    for (const layer of this.planes.volumes) {
      const part = partOf(layer);
      if (part !== null) layer.setColormapLabel(colours(this.mask, part));
    }
    this.planes.updateGLVolume();
    this.planes.createOnLocationChange();
    this.solid.setLabels();
  }

  setOpacity(of: "mask" | "map", part: number): void {
    this.opacity[of] = part;
    this.planes.volumes.forEach((layer, k) => isOf(layer, of) && this.planes.setOpacity(k, this.density(of)));
  }

  /** Where labels are drawn as outlines, over.ts draws them, and always in full: a fine line that is clear is not seen. */
  private density(of: "mask" | "map"): number {
    return of === "mask" && this.outline ? 0 : this.opacity[of];
  }

  /** Labels as outlines (true) or filled. */
  setOutline(outline: boolean): void {
    if (outline === this.outline) return;
    this.outline = outline;
    this.setOpacity("mask", this.opacity.mask);
    this.drawOver();
  }

  /** The image itself in the 3-D view too, around the labels. */
  setBody(body: boolean): Promise<void> {
    return this.solid.setBody(body);
  }

  setWindow(centre: number, width: number): void {
    this.limit(ends(centre, width));
  }

  /** The least and the greatest value of the window. */
  get windowEnds(): [number, number] {
    return [...this.told];
  }

  /** Whether the window is the one that the image began with. */
  get inOwnWindow(): boolean {
    return this.told[0] === this.began[0] && this.told[1] === this.began[1];
  }

  /** The window that the image began with. */
  ownWindow(): void {
    this.limit(this.began);
  }

  fullRange(): void {
    if (this.buffer) this.limit(this.range); // NiiVue's is of the middle of the image alone
  }

  setTool(tool: Tool): void {
    this.planes.setMouseEventConfig({
      leftButton: { primary: PRIMARY[tool], withShift: DRAG_MODE.none, withCtrl: DRAG_MODE.windowing },
      rightButton: DRAG_MODE.windowing,
      centerButton: DRAG_MODE.pan,
    });
    this.planes.opts.dragMode = tool === "pan" ? DRAG_MODE.pan : DRAG_MODE.windowing; // pan: the wheel zooms
    this.ruler.tool = tool === "distance" || tool === "angle" ? tool : null;
    this.ruler.giveUp();
    this.ontool(tool);
  }

  clearMeasurements(): void {
    this.ruler.clear();
  }

  /** Forget a line that is half drawn. */
  giveUp(): void {
    this.ruler.giveUp();
  }

  /** Which planes are seen; a picture of one plane has only that. */
  setLayout(layout: Layout): void {
    const flat = this.shown?.flat ?? false;
    this.layout = layout;
    const now = flat ? "axial" : layout;
    this.root.dataset.layout = now;
    if (now === "all") this.planes.setCustomLayout(QUARTERS);
    else if (now !== "solid") {
      this.planes.clearCustomLayout();
      this.planes.setSliceType(flat ? this.face() : SLICE[now]);
    }
    this.resized();
  }

  /** The plane that a single slice lies in: which one follows from the file's orientation. */
  private face(): SLICE_TYPE {
    const across = this.planes.volumes[0]?.permRAS?.findIndex((axis) => Math.abs(axis) === 3) ?? 2;
    return [SLICE.sagittal, SLICE.coronal, SLICE.axial][across] ?? SLICE.axial;
  }

  /** One slice on or back in the plane that is shown (the axial one where all are). */
  step(by: number): void {
    const at = this.layout === "coronal" ? [0, by, 0] : this.layout === "sagittal" ? [by, 0, 0] : [0, 0, by];
    if (this.planes.volumes.length) this.planes.moveCrosshairInVox(at[0]!, at[1]!, at[2]!);
  }

  /** Go to a point, in index coordinates of the image. */
  goTo(index: Triple): void {
    const affine = this.planes.volumes[0]?.hdr?.affine;
    if (!affine) return;
    this.goToMm(toMm(affine, index.map((i, k) => (i + 0.5) / this.by[k]! - 0.5) as Triple));
  }

  /** Go to a point in millimetres (RAS). */
  goToMm(mm: Triple): void {
    if (!this.planes.volumes.length) return;
    this.planes.scene.crosshairPos = this.planes.mm2frac(mm, 0, true);
    this.planes.createOnLocationChange();
    this.planes.drawScene();
  }

  /** Show a frame; the 3-D view follows once they rest. */
  setFrame(frame: number, atRest = true): void {
    const image = this.planes.volumes[0];
    if (!image || !this.buffer) return;
    if (frame !== this.at) {
      this.at = frame;
      refill(image, volumeAt(this.buffer, frame)); // NiiVue's own way with frames knows no colours
      this.planes.updateGLVolume();
      this.planes.createOnLocationChange();
    }
    if (atRest) void this.fillSolid();
  }

  /** Zoom and pan as at first. */
  reset(): void {
    this.planes.setPan2Dxyzmm([0, 0, 0, 1] as never);
    this.solid.reset();
  }

  /** What is seen, drawn on one canvas. */
  picture(): HTMLCanvasElement {
    const ratio = this.planesCanvas.width / Math.max(1, this.planesCanvas.clientWidth);
    const all = document.createElement("canvas");
    all.width = this.root.clientWidth * ratio;
    all.height = this.root.clientHeight * ratio;
    const pen = all.getContext("2d")!;
    this.planes.drawScene(); // a WebGL canvas can be read only right after it was drawn
    this.solid.draw();
    const outer = this.root.getBoundingClientRect();
    for (const canvas of [this.planesCanvas, this.overCanvas, ...this.solidBox.querySelectorAll("canvas")]) {
      if (getComputedStyle(canvas.parentElement!).visibility === "hidden") continue;
      const box = canvas.getBoundingClientRect();
      pen.drawImage(canvas, (box.x - outer.x) * ratio, (box.y - outer.y) * ratio, box.width * ratio, box.height * ratio);
    }
    return all;
  }

  private limit(limits: [number, number]): void {
    const image = this.planes.volumes[0];
    if (!image) return;
    [image.cal_min, image.cal_max] = limits;
    this.planes.updateGLVolume();
    this.tellWindow();
  }

  private tellWindow(): void {
    const image = this.planes.volumes[0];
    if (!image || !isImage(image)) return;
    const [low, high] = [image.cal_min ?? 0, image.cal_max ?? 1];
    if (low === this.told[0] && high === this.told[1]) return;
    this.told = [low, high];
    this.solid.setLimits([low, high]);
    this.onwindow((low + high) / 2, high - low);
  }

  private async fillOver(): Promise<void> {
    const view = this.planes;
    const layers = [];
    for (let k = 0; this.mask && k < this.mask.parts.length; k++) layers.push(await maskLayer(this.mask, k));
    if (this.map) layers.push(await mapLayer(this.map));
    while (view.volumes.length > 1) view.removeVolumeByIndex(view.volumes.length - 1);
    if (!this.buffer) return;
    for (const layer of layers) {
      layer.opacity = this.density(isOf(layer, "map") ? "map" : "mask");
      view.addVolume(layer);
    }
    this.outlines.clear(); // what was found while layers were missing
    if (view.volumes.length) view.createOnLocationChange();
    this.drawOver();
  }

  private fillSolid(): Promise<void> {
    const image = this.planes.volumes[0];
    const { buffer, shown, mask } = this;
    if (!buffer || !shown || !image || shown.flat || shown.colour) return this.solid.show(null);
    return this.solid.show({ image: volumeAt(buffer, this.at), invert: shown.invert, limits: [image.cal_min ?? 0, image.cal_max ?? 1], mask });
  }

  private turn(e: KeyboardEvent): void {
    const by = { ArrowLeft: [-10, 0], ArrowRight: [10, 0], ArrowUp: [0, 10], ArrowDown: [0, -10] }[e.key];
    if (!by) return;
    e.preventDefault();
    this.solid.turn(by[0]!, by[1]!);
  }

  private tiles(): Tile[] {
    return this.root.dataset.layout === "solid" ? [] : tilesOf(this.planes);
  }

  /** Millimetres (RAS) of a fraction of the image's extent. */
  private toMm(fraction: Triple): number[] {
    return Array.from(this.planes.frac2mm(fraction, 0, true)).slice(0, 3);
  }

  private drawOver(): void {
    const boxes = this.boxes.map((box) => this.framed(box)).filter((b): b is Framed => b !== null);
    const { measures, pending } = this.ruler;
    const tiles = this.tiles();
    const cross = this.buffer && this.crossed ? (Array.from(this.planes.scene.crosshairPos) as Triple) : null;
    this.over.draw({ cross, tiles, legends: tiles.map((t) => this.legend(t)).filter((l) => l !== null), outlines: this.outline ? tiles.map((t) => this.outlined(t)) : [], oriented: this.shown?.oriented ?? false, boxes, measures, pending, toMm: (f) => this.toMm(f) });
    this.ondrawn();
  }

  /** How a plane is counted in the order of the image, and measured. */
  private legend({ axis, slice }: Tile): Legend | null {
    const image = this.planes.volumes[0];
    const [turned, count] = [image?.permRAS?.[axis], image?.dimsRAS?.[axis + 1]];
    if (!turned || !count || !this.shown) return null;
    const by = this.by[Math.abs(turned) - 1]!;
    const n = turned > 0 ? slice : count - 1 - slice;
    return { slice: [n * by + Math.ceil(by / 2), count * by], unit: this.shown.unit, oriented: this.shown.oriented };
  }

  /** The outlines of the labels in the slice of a plane. */
  private outlined({ axis, slice }: Tile): Outline[] {
    const counts = this.planes.volumes[0]?.dimsRAS?.slice(1, 4);
    if (!this.mask || !counts) return [];
    const held = this.outlines.get(axis);
    if (held?.slice === slice) return held.found;
    const [i, j] = [0, 1, 2].filter((k) => k !== axis) as [number, number];
    const size: [number, number] = [counts[i]!, counts[j]!];
    const found: Outline[] = [];
    for (const layer of this.planes.volumes) {
      const part = partOf(layer);
      if (part === null || !layer.img || !layer.hdr) continue;
      const { affine, dims } = layer.hdr;
      const colour = coloursOf(labelsIn(this.mask, part));
      const place = (u: number, v: number) => {
        const at = [0, 0, 0] as Triple;
        [at[axis], at[i], at[j]] = [slice, u, v].map((n, k) => (n + 0.5) / counts[[axis, i, j][k]!]!) as Triple;
        return toIndex(affine, this.toMm(at)); // by millimetres: labels may lie on a grid of their own
      };
      const labels = cut({ values: layer.img as ArrayLike<number>, dims: dims.slice(1, 4) as Triple }, size, place, new Set(colour.keys()));
      found.push({ size, runs: edges(labels, size), colour });
    }
    this.outlines.set(axis, { slice, found });
    return found;
  }

  /** A box in fractions of the image's extent; the voxel `i` reaches from `i - 1/2` to `i + 1/2`. */
  private framed(box: Box): Framed | null {
    const affine = this.planes.volumes[0]?.hdr?.affine;
    if (!affine) return null;
    const place = (corner: Triple) => {
      const mm = toMm(affine, corner.map((i, k) => i / this.by[k]! - 0.5) as Triple);
      return Array.from(this.planes.mm2frac(mm, 0, true));
    };
    const [a, b] = [place(box.low), place(box.high)];
    return {
      low: a.map((x, k) => Math.min(x, b[k]!)) as Triple,
      high: a.map((x, k) => Math.max(x, b[k]!)) as Triple,
      text: box.text,
      colour: box.colour,
      dashed: box.dashed ?? false,
      chosen: box.chosen ?? false,
    };
  }

  /** NiiVue counts voxels from the right, the back and below; a file, as its affine says. */
  private fileIndex(mm: ArrayLike<number>): Triple {
    const affine = this.planes.volumes[0]?.hdr?.affine;
    const index = affine ? toIndex(affine, Array.from(mm)) : [0, 0, 0];
    return index.map((i, k) => Math.floor((i + 0.5) * this.by[k]!)) as Triple;
  }

  private place(at: Location): void {
    const labels = this.planes.volumes.map((layer, k) => {
      const part = partOf(layer);
      return this.mask && part !== null ? labelAt(this.mask, part, at.values[k]?.value ?? 0) : null;
    });
    this.oncross();
    this.onplace({
      index: this.fileIndex(at.mm),
      value: this.shown?.colour ? null : (at.values[0]?.value ?? null),
      label: labels.filter(Boolean).join(", ") || null,
    });
  }
}

/** A box in index coordinates `(x, y, z)` of the image's file: `low` included, `high` excluded. */
export interface Box {
  low: Triple;
  high: Triple;
  text: string;
  colour: string;
  /** Whether it is drawn in dashes, as what is not called. */
  dashed?: boolean;
  /** Whether it is the one that was gone to. */
  chosen?: boolean;
}

interface Location {
  mm: ArrayLike<number>;
  values: { value: number }[];
}

const ends = (centre: number, width: number): [number, number] => [centre - width / 2, centre + width / 2];
