// The stage: an image in planes and in 3-D, with what lies over it; it knows no task and no service.
import { DRAG_MODE, Niivue, SLICE_TYPE } from "@niivue/niivue";
import { toIndex, toMm } from "./geometry.ts";
import { colours, imageLayer, isImage, isOf, labelAt, mapLayer, maskLayer, partOf, type Field, type Labelled, type Mask } from "./layers.ts";
import { apart, shrinkage, shrunk, upright } from "./nifti.ts";
import { Solid } from "./solid.ts";

export type { Labelled } from "./layers.ts";
export type Layout = "all" | "axial" | "coronal" | "sagittal" | "solid";
export type Tool = "navigate" | "window" | "pan" | "distance" | "angle";
type Triple = [number, number, number];

export interface Place {
  index: Triple;
  value: number | null;
  label: string | null;
}

/** How an image is to be shown. */
export interface Shown {
  oriented: boolean;
  inMillimetres: boolean;
  flat: boolean;
  colour: boolean;
  invert: boolean;
  window: { centre: number; width: number } | null;
}

const LIGHT = [0.35, 0.9, 0.95, 1];
const OPTIONS = {
  backColor: [0.063, 0.067, 0.075, 1],
  isRadiologicalConvention: true, // the patient's right on the left of the screen
  sagittalNoseLeft: true,
  showAllOrientationMarkers: true,
  dragAndDropEnabled: false,
  loadingText: "",
  logLevel: "error" as const,
  clipPlaneHotKey: "",
  cycleClipPlaneHotKey: "",
  viewModeHotKey: "",
  crosshairColor: [0.95, 0.8, 0.3, 0.55],
  crosshairWidth: 0.15,
  crosshairWidthUnit: "percent" as const,
  fontColor: new Float32Array([0.95, 0.6, 0.15, 1]), // seen on black and on white,
  fontMinPx: 13,
  measureLineColor: LIGHT,
  measureTextColor: LIGHT,
  rulerColor: LIGHT,
  rulerWidth: 2,
  show3Dcrosshair: false,
};
const PRIMARY: Record<Tool, DRAG_MODE> = {
  navigate: DRAG_MODE.crosshair,
  window: DRAG_MODE.windowing,
  pan: DRAG_MODE.pan,
  distance: DRAG_MODE.measurement,
  angle: DRAG_MODE.angle,
};
const SLICE = { axial: SLICE_TYPE.AXIAL, coronal: SLICE_TYPE.CORONAL, sagittal: SLICE_TYPE.SAGITTAL } as const;
const QUARTERS: { sliceType: SLICE_TYPE; position: [number, number, number, number] }[] = [
  { sliceType: SLICE_TYPE.AXIAL, position: [0, 0, 0.495, 0.495] },
  { sliceType: SLICE_TYPE.SAGITTAL, position: [0.505, 0, 0.495, 0.495] },
  { sliceType: SLICE_TYPE.CORONAL, position: [0, 0.505, 0.495, 0.495] },
];

export class Stage {
  onplace: (place: Place) => void = () => {};
  onwindow: (centre: number, width: number) => void = () => {};
  ondistance: (mm: number, plane: string) => void = () => {};
  onangle: (degrees: number, plane: string) => void = () => {};

  private planes = new Niivue(OPTIONS);
  private solid: Solid;
  private buffer: ArrayBuffer | null = null;
  private shown: Shown | null = null;
  private mask: Mask | null = null;
  private map: Field | null = null;
  private opacity = { mask: 0.5, map: 0.5 };
  private by: Triple = [1, 1, 1];
  private outline = false;
  private told: [number, number] = [NaN, NaN];
  private layout: Layout = "all";

  constructor(
    private root: HTMLElement,
    private planesCanvas: HTMLCanvasElement,
    private solidCanvas: HTMLCanvasElement,
  ) {
    this.solid = new Solid(solidCanvas, OPTIONS);
  }

  async open(): Promise<void> {
    await this.planes.attachToCanvas(this.planesCanvas);
    this.planes.onLocationChange = (at) => this.place(at as Location);
    this.planes.onIntensityChange = () => this.tellWindow();
    // a drag of the window, and the double click that ends it, are not told by NiiVue
    for (const event of ["mousemove", "mouseup", "dblclick"] as const) {
      this.planesCanvas.addEventListener(event, (e) => (e.buttons || event !== "mousemove") && this.tellWindow());
    }
    this.planes.onMeasurementCompleted = (m) => this.ondistance(m.distance, planeName(m.sliceType));
    this.planes.onAngleCompleted = (a) => this.onangle(a.angle, planeName(a.sliceType));
    this.setTool("navigate");
  }

  /** How many voxels of the file are one on the stage, along each axis; more than one only for very large images. */
  get blocks(): readonly number[] {
    return this.by;
  }

  /** How many frames the image on the stage has. */
  get frames(): number {
    return this.planes.volumes[0]?.nFrame4D ?? 1;
  }

  /** Show an image (NIfTI bytes) with nothing over it. */
  async show(buffer: ArrayBuffer, shown: Shown): Promise<void> {
    this.clear();
    const gl = this.planes.gl;
    // beyond this size NiiVue draws a plane as it lies, and nothing over it
    this.by = shrinkage(buffer, gl.getParameter(gl.MAX_3D_TEXTURE_SIZE) as number);
    this.buffer = shrunk(upright(buffer), this.by, false);
    this.shown = shown;
    this.planes.opts.isOrientationTextVisible = shown.oriented;
    this.planes.opts.showMeasureUnits = shown.inMillimetres;
    const image = await imageLayer(this.buffer, shown.invert);
    if (shown.window) [image.cal_min, image.cal_max] = ends(shown.window.centre, shown.window.width);
    this.planes.addVolume(image);
    this.root.classList.toggle("flat", shown.flat);
    this.setLayout(this.layout);
    this.planes.setPan2Dxyzmm([0, 0, 0, 1] as never);
    this.planes.scene.crosshairPos = new Float32Array([0.5, 0.5, 0.5]);
    this.planes.createOnLocationChange();
    this.told = [NaN, NaN];
    this.tellWindow();
    await this.fillSolid();
  }

  clear(): void {
    const view = this.planes;
    while (view.volumes.length) view.removeVolumeByIndex(view.volumes.length - 1);
    view.clearAllMeasurements();
    this.mask = this.map = this.buffer = this.shown = null;
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

  /** Which labels are seen. */
  setLabels(labels: Labelled[]): void {
    if (!this.mask) return;
    this.mask.labels = labels;
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
    this.planes.volumes.forEach((layer, k) => isOf(layer, of) && this.planes.setOpacity(k, part));
  }

  /** Labels as outlines (true) or filled. */
  async setOutline(outline: boolean): Promise<void> {
    if (outline === this.outline) return;
    this.outline = outline;
    await this.fillOver();
  }

  /** The image itself in the 3-D view too, around the labels. */
  setBody(body: boolean): Promise<void> {
    return this.solid.setBody(body);
  }

  setWindow(centre: number, width: number): void {
    this.limit(ends(centre, width));
  }

  fullRange(): void {
    const image = this.planes.volumes[0];
    if (image) this.limit([image.global_min ?? 0, image.global_max ?? 1]);
  }

  setTool(tool: Tool): void {
    this.planes.setMouseEventConfig({
      leftButton: { primary: PRIMARY[tool], withShift: DRAG_MODE.measurement, withCtrl: DRAG_MODE.windowing },
      rightButton: DRAG_MODE.windowing,
      centerButton: DRAG_MODE.pan,
    });
    this.planes.opts.dragMode = tool === "pan" ? DRAG_MODE.pan : DRAG_MODE.windowing; // pan: the wheel zooms
  }

  clearMeasurements(): void {
    this.planes.clearAllMeasurements();
    this.planes.drawScene();
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
      this.planes.setSliceType(SLICE[now]);
    }
    requestAnimationFrame(() => {
      this.planes.resizeListener();
      void this.solid.setVisible(now === "all" || now === "solid");
    });
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
    const mm = toMm(affine, index.map((i, k) => (i + 0.5) / this.by[k]! - 0.5) as Triple);
    this.planes.scene.crosshairPos = this.planes.mm2frac(mm);
    this.planes.createOnLocationChange();
    this.planes.drawScene();
  }

  setFrame(frame: number): void {
    const image = this.planes.volumes[0];
    if (image) this.planes.setFrame4D(image.id, frame);
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
    for (const canvas of [this.planesCanvas, this.solidCanvas]) {
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
    for (let k = 0; this.mask && k < this.mask.parts.length; k++) layers.push(await maskLayer(this.mask, k, this.outline));
    if (this.map) layers.push(await mapLayer(this.map));
    while (view.volumes.length > 1) view.removeVolumeByIndex(view.volumes.length - 1);
    if (!this.buffer) return;
    for (const layer of layers) {
      layer.opacity = this.opacity[isOf(layer, "map") ? "map" : "mask"];
      view.addVolume(layer);
    }
    if (view.volumes.length) view.createOnLocationChange();
  }

  private fillSolid(): Promise<void> {
    const image = this.planes.volumes[0];
    const { buffer, shown, mask } = this;
    if (!buffer || !shown || !image || shown.flat || shown.colour) return this.solid.show(null);
    return this.solid.show({ image: buffer, invert: shown.invert, limits: [image.cal_min ?? 0, image.cal_max ?? 1], mask });
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
    this.onplace({
      index: this.fileIndex(at.mm),
      value: this.shown?.colour ? null : (at.values[0]?.value ?? null),
      label: labels.filter(Boolean).join(", ") || null,
    });
  }
}

interface Location {
  mm: ArrayLike<number>;
  values: { value: number }[];
}

const ends = (centre: number, width: number): [number, number] => [centre - width / 2, centre + width / 2];

function planeName(slice: SLICE_TYPE): string {
  return slice === SLICE_TYPE.CORONAL ? "coronal" : slice === SLICE_TYPE.SAGITTAL ? "sagittal" : "axial";
}
