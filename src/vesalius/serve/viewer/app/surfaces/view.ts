// The surfaces of an answer in the place of the 3-D view: turned, zoomed, clicked; a picture where WebGL is absent.
import * as api from "../api.ts";
import { h } from "../dom.ts";
import { scaleOf } from "../legend.ts";
import type { Labelled, Stage } from "../stage.ts";
import type { Triple } from "../tiles.ts";
import { cameraOf, type Camera } from "./camera.ts";
import { pieces, type Piece } from "./glb.ts";
import { Painter } from "./painter.ts";
import { picked } from "./pick.ts";

const INSIDE = 0.6; // of a voxel that a click goes behind the surface, which lies between voxels
const STILL = 4; // pixels within which a pointer that goes up has clicked

export class SurfaceView {
  private painter: Painter | null = null;
  private camera: Camera | null = null;
  private labels: Labelled[] = [];
  private opacity = 1;
  private readonly canvas = h("canvas", { id: "mesh", tabindex: "0", role: "img", "aria-label": "Surfaces of the labels: arrow keys turn them, plus and minus zoom, 0 goes back" });
  private readonly over = h("canvas", { class: "over", "aria-hidden": "true" });
  private readonly root = h("div", { class: "surfaces", id: "surfaces" });
  private readonly fingers = new Map<number, [number, number]>();
  private gone = false;

  private constructor(
    private readonly stage: Stage,
    box: HTMLElement,
  ) {
    this.root.append(this.canvas, this.over);
    box.append(this.root);
    new ResizeObserver(() => this.draw()).observe(this.root);
    this.canvas.addEventListener("keydown", (e) => this.key(e));
    this.canvas.addEventListener("wheel", (e) => (e.preventDefault(), this.zoom(Math.exp(-e.deltaY / 500))), { passive: false });
    this.listen();
  }

  /** Fetch the surfaces that lie at `path`, and show them over the 3-D view of a stage. */
  static async open(stage: Stage, path: string, labels: Labelled[]): Promise<SurfaceView> {
    const box = stage.solidBox;
    const mesh = await api.bytes(`${path}/surfaces.glb`);
    const view = new SurfaceView(stage, box);
    await view.fill(pieces(mesh), path);
    view.setLabels(labels);
    stage.oncross = () => view.drawOver();
    return view;
  }

  close(): void {
    this.gone = true;
    this.stage.oncross = () => {};
    this.painter?.free();
    this.root.remove();
  }

  setLabels(labels: Labelled[]): void {
    this.labels = labels;
    this.draw();
  }

  setOpacity(opacity: number): void {
    this.opacity = opacity;
    this.draw();
  }

  /** Draw with WebGL, or, where there is none, show the service's picture. */
  private async fill(found: Piece[], path: string): Promise<void> {
    this.camera = cameraOf(found.map((piece) => piece.points));
    this.painter = Painter.on(this.canvas, found);
    if (this.painter) return;
    const blob = new Blob([await api.bytes(`${path}/surfaces.png`)], { type: "image/png" });
    const address = URL.createObjectURL(blob);
    this.root.replaceChildren(h("img", { class: "surface-picture", src: address, alt: "Surfaces of the labels from the front, the left and above", onload: () => URL.revokeObjectURL(address) }));
  }

  private size(): [number, number] {
    return [this.root.clientWidth, this.root.clientHeight];
  }

  private shown(piece: Piece): Labelled | undefined {
    return this.labels.find((l) => l.value === piece.value) ?? this.labels.find((l) => l.name === piece.name);
  }

  private draw(): void {
    const { painter, camera } = this;
    const [width, height] = this.size();
    if (!painter || !camera || !width || !height || this.gone) return;
    const ratio = window.devicePixelRatio || 1;
    for (const canvas of [this.canvas, this.over]) {
      const wanted = [Math.round(width * ratio), Math.round(height * ratio)] as const;
      if (canvas.width !== wanted[0] || canvas.height !== wanted[1]) [canvas.width, canvas.height] = wanted;
    }
    painter.draw(camera, painter.pieces.map((piece) => ({ colour: this.shown(piece)?.colour ?? "#d9cbb0", shown: this.shown(piece)?.shown ?? true })), this.opacity);
    this.drawOver();
  }

  /** The patient's letters, a bar of a known length, and the cross of the planes. */
  private drawOver(): void {
    const { camera } = this;
    const [width, height] = this.size();
    const pen = this.over.getContext("2d");
    if (!camera || !pen || !this.painter || this.gone) return;
    const ratio = this.over.width / Math.max(1, width);
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, width, height);
    pen.font = "13px sans-serif";
    pen.fillStyle = "#d8dadd";
    const { left, right, top, bottom } = camera.letters();
    pen.textBaseline = "middle";
    pen.textAlign = "left";
    pen.fillText(left, 6, height / 2);
    pen.textAlign = "right";
    pen.fillText(right, width - 6, height / 2);
    pen.textAlign = "center";
    pen.fillText(top, width / 2, 12);
    pen.fillText(bottom, width / 2, height - 12);
    const bar = scaleOf(1 / camera.perMm(width, height), Math.min(120, width / 4));
    if (bar) {
      pen.fillRect(8, height - 8, bar.pixels, 2);
      pen.textAlign = "left";
      pen.fillText(`${bar.length} mm`, 8, height - 18);
    }
    const cross = this.stage.crossMm;
    if (!cross) return;
    const [x, y] = camera.laid([-cross[0], -cross[1], cross[2]], width, height); // the stage's are RAS
    pen.strokeStyle = "#ffffff";
    pen.beginPath();
    pen.moveTo(x - 9, y);
    pen.lineTo(x + 9, y);
    pen.moveTo(x, y - 9);
    pen.lineTo(x, y + 9);
    pen.stroke();
  }

  private turn(azimuth: number, elevation: number): void {
    this.camera?.turn(azimuth, elevation);
    this.draw();
  }

  private zoom(by: number): void {
    this.camera?.closer(by);
    this.draw();
  }

  private key(e: KeyboardEvent): void {
    const by = { ArrowLeft: [10, 0], ArrowRight: [-10, 0], ArrowUp: [0, 10], ArrowDown: [0, -10] }[e.key];
    if (by) this.turn(by[0]!, by[1]!);
    else if (e.key === "+" || e.key === "=") this.zoom(1.2);
    else if (e.key === "-") this.zoom(1 / 1.2);
    else if (e.key === "0") {
      this.camera?.reset();
      this.draw();
    } else return;
    e.preventDefault();
    e.stopPropagation();
  }

  private click(at: [number, number]): void {
    const { painter, camera } = this;
    if (!painter || !camera) return;
    const place = picked(painter.pieces.filter((piece) => this.shown(piece)?.shown ?? true), camera, at, ...this.size());
    if (!place) return;
    const away = camera.axes[2];
    const within = INSIDE * Math.min(...(this.stage.file?.grid.spacing ?? [0]));
    const [x, y, z] = place.map((p, k) => p + within * away[k]!) as Triple; // of the voxel that is seen, not of the one before it
    this.stage.goToMm([-x, -y, z]);
  }

  private listen(): void {
    const { canvas, fingers } = this;
    let moved = 0;
    const at = (e: PointerEvent): [number, number] => {
      const box = canvas.getBoundingClientRect();
      return [e.clientX - box.x, e.clientY - box.y];
    };
    const spread = () => {
      const [a, b] = [...fingers.values()];
      return a && b ? Math.hypot(a[0] - b[0], a[1] - b[1]) : 0;
    };
    canvas.addEventListener("pointerdown", (e) => {
      canvas.setPointerCapture(e.pointerId);
      canvas.focus({ preventScroll: true });
      if (!fingers.size) moved = 0;
      fingers.set(e.pointerId, at(e));
    });
    canvas.addEventListener("pointermove", (e) => {
      const before = fingers.get(e.pointerId);
      if (!before) return;
      const [from, now] = [spread(), at(e)];
      fingers.set(e.pointerId, now);
      moved += Math.hypot(now[0] - before[0], now[1] - before[1]);
      if (fingers.size > 1) this.zoom(from > 0 ? spread() / from : 1);
      else if (moved > STILL) this.turn((before[0] - now[0]) / 2, (now[1] - before[1]) / 2);
    });
    canvas.addEventListener("pointerup", (e) => {
      if (fingers.size === 1 && moved <= STILL) this.click(at(e));
      fingers.delete(e.pointerId);
    });
    canvas.addEventListener("pointercancel", (e) => fingers.delete(e.pointerId));
  }
}
