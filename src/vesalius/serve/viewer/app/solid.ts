// The 3-D view: the labels as solids, and the image around them where it is wanted or there are no labels.
import { Niivue, SLICE_TYPE } from "@niivue/niivue";
import { colours, imageLayer, maskLayer, partOf, type Mask } from "./layers.ts";
import { coarseness, shrunk } from "./nifti.ts";

export interface Scene {
  image: ArrayBuffer;
  invert: boolean;
  limits: [number, number];
  mask: Mask | null;
}

const MOST_VOXELS = 32e6; // each takes four bytes of the graphics card's memory, and time at every turn
const FRONT: [number, number] = [160, 10]; // from the front, a little from the side

export class Solid {
  private view: Niivue;
  private opened: Promise<unknown> | null = null;
  private scene: Scene | null = null;
  private body = false;
  private visible = false;
  private stale = false;
  private light = 0;
  private building: Promise<void> = Promise.resolve();

  constructor(
    private canvas: HTMLCanvasElement,
    options: ConstructorParameters<typeof Niivue>[0],
  ) {
    this.view = new Niivue(options);
  }

  /** What to show; it is built only once the view is seen. */
  async show(scene: Scene | null): Promise<void> {
    this.scene = scene;
    this.stale = true;
    await this.build();
  }

  async setBody(body: boolean): Promise<void> {
    if (body === this.body) return;
    this.body = body;
    this.stale = true;
    await this.build();
  }

  async setVisible(visible: boolean): Promise<void> {
    this.visible = visible;
    if (visible && this.opened) this.view.resizeListener();
    await this.build();
  }

  setLabels(): void {
    const mask = this.scene?.mask;
    if (!this.visible || !mask) {
      this.stale = true;
      return;
    }
    for (const layer of this.view.volumes) {
      const part = partOf(layer);
      if (part !== null) layer.setColormapLabel(colours(mask, part));
    }
    if (this.view.volumes.length) this.view.updateGLVolume();
  }

  setLimits(limits: [number, number]): void {
    if (!this.scene) return;
    this.scene.limits = limits;
    if (!this.visible || !this.around) this.stale = true;
    else if (this.view.volumes.length) {
      [this.view.volumes[0]!.cal_min, this.view.volumes[0]!.cal_max] = limits;
      this.view.updateGLVolume();
    }
  }

  reset(): void {
    if (!this.opened) return;
    this.view.setScale(1);
    this.view.setRenderAzimuthElevation(...FRONT);
  }

  /** Turn by so many degrees. */
  turn(azimuth: number, elevation: number): void {
    const { scene } = this.view;
    if (this.opened) this.view.setRenderAzimuthElevation(scene.renderAzimuth + azimuth, scene.renderElevation + elevation);
  }

  draw(): void {
    if (this.visible && this.opened) this.view.drawScene();
  }

  /** Whether the image itself is in the view. */
  private get around(): boolean {
    return this.body || !this.scene?.mask;
  }

  /** One after the other: what NiiVue does meanwhile must not be mixed. */
  private build(): Promise<void> {
    this.building = this.building.then(() => this.rebuild());
    return this.building;
  }

  private async rebuild(): Promise<void> {
    if (!this.visible || !this.stale) return;
    this.stale = false;
    this.opened ??= this.open();
    await this.opened;
    const { view } = this;
    const scene = this.scene;
    const by = scene ? coarseness(scene.image, MOST_VOXELS) : null;
    const layers = [];
    if (scene && this.around) {
      const image = await imageLayer(shrunk(scene.image, by!, false), scene.invert);
      [image.cal_min, image.cal_max] = scene.limits;
      layers.push(image);
    }
    const mask = scene?.mask && { ...scene.mask, parts: scene.mask.parts.map((part) => shrunk(part, by!, true)) };
    for (let k = 0; mask && k < mask.parts.length; k++) layers.push(await maskLayer(mask, k));
    if (scene !== this.scene) return; // another was asked for meanwhile, and is built next
    while (view.volumes.length) view.removeVolumeByIndex(view.volumes.length - 1);
    for (const layer of layers) view.addVolume(layer);
    if (!layers.length) return;
    const light = this.around ? 0.2 : 0.6;
    if (light !== this.light) await view.setVolumeRenderIllumination((this.light = light));
    else await view.refreshLayers(view.volumes[0]!, 0);
    view.setSliceType(SLICE_TYPE.RENDER);
    view.updateGLVolume();
  }

  private async open(): Promise<void> {
    await this.view.attachToCanvas(this.canvas);
    this.view.setSliceType(SLICE_TYPE.RENDER);
    this.view.setRenderAzimuthElevation(...FRONT);
  }
}
