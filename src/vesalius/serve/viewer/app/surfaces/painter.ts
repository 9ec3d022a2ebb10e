// Surfaces drawn with WebGL: one small program, lit from the viewer, each label in its colour, clear where wanted.
import { rgb } from "../colours.ts";
import type { Triple } from "../tiles.ts";
import type { Camera } from "./camera.ts";
import type { Piece } from "./glb.ts";

const VERTEX = `
attribute vec3 point; attribute vec3 normal;
uniform vec3 middle; uniform mat3 turn; uniform vec3 scale;
varying vec3 facing;
void main() {
  vec3 seen = turn * (point - middle);
  facing = turn * normal;
  gl_Position = vec4(seen * scale, 1.0);
}`;
const FRAGMENT = `
precision mediump float;
varying vec3 facing; uniform vec4 colour;
void main() {
  float light = 0.35 + 0.65 * abs(dot(normalize(facing), normalize(vec3(-0.25, 0.35, -0.9))));
  gl_FragColor = vec4(colour.rgb * light, colour.a);
}`;

interface Held {
  piece: Piece;
  points: WebGLBuffer;
  normals: WebGLBuffer;
  faces: WebGLBuffer;
}

export interface Paint {
  colour: string;
  shown: boolean;
}

export class Painter {
  private held: Held[] = [];
  private readonly program: WebGLProgram;

  private constructor(
    private readonly gl: WebGLRenderingContext,
    readonly pieces: Piece[],
  ) {
    this.program = programOf(gl);
    this.held = pieces.map((piece) => ({ piece, points: filled(gl, gl.ARRAY_BUFFER, piece.points), normals: filled(gl, gl.ARRAY_BUFFER, piece.normals), faces: filled(gl, gl.ELEMENT_ARRAY_BUFFER, piece.faces) }));
  }

  /** A painter on a canvas; null where this browser has no WebGL, or none that takes meshes of this size. */
  static on(canvas: HTMLCanvasElement, pieces: Piece[]): Painter | null {
    const gl = canvas.getContext("webgl", { antialias: true, preserveDrawingBuffer: true });
    return gl && gl.getExtension("OES_element_index_uint") ? new Painter(gl, pieces) : null;
  }

  /** Draw what is shown, what is behind first; `paints` stand in the order of the pieces. */
  draw(camera: Camera, paints: Paint[], opacity: number): void {
    const { gl, program } = this;
    const [width, height] = [gl.drawingBufferWidth, gl.drawingBufferHeight];
    gl.viewport(0, 0, width, height);
    gl.clearColor(0, 0, 0, 1);
    gl.clear(gl.COLOR_BUFFER_BIT | gl.DEPTH_BUFFER_BIT);
    gl.useProgram(program);
    gl.enable(gl.DEPTH_TEST);
    const [right, up, away] = camera.axes;
    const at = (name: string) => gl.getUniformLocation(program, name);
    gl.uniform3fv(at("middle"), camera.middle);
    gl.uniformMatrix3fv(at("turn"), false, [0, 1, 2].flatMap((k) => [right[k]!, up[k]!, away[k]!]));
    const perMm = camera.perMm(width, height);
    gl.uniform3f(at("scale"), (2 * perMm) / width, (2 * perMm) / height, 0.9 / (2 * camera.radius));
    const order = this.held.map((one, k) => ({ one, paint: paints[k]!, near: nearest(one.piece, camera, away) })).filter((o) => o.paint?.shown);
    order.sort((a, b) => b.near - a.near);
    for (const { one, paint } of order) {
      const [r, g, b] = rgb(paint.colour);
      const clear = opacity < 1;
      if (clear) gl.clear(gl.DEPTH_BUFFER_BIT); // what lies within stays seen through what lies around it
      gl.uniform4f(at("colour"), r / 255, g / 255, b / 255, opacity);
      this.bind(one);
      if (clear) {
        gl.disable(gl.BLEND);
        gl.colorMask(false, false, false, false);
        gl.drawElements(gl.TRIANGLES, one.piece.faces.length, gl.UNSIGNED_INT, 0);
        gl.colorMask(true, true, true, true);
        gl.enable(gl.BLEND);
        gl.blendFunc(gl.SRC_ALPHA, gl.ONE_MINUS_SRC_ALPHA);
        gl.depthFunc(gl.LEQUAL);
      } else gl.disable(gl.BLEND);
      gl.drawElements(gl.TRIANGLES, one.piece.faces.length, gl.UNSIGNED_INT, 0);
      gl.depthFunc(gl.LESS);
    }
  }

  free(): void {
    for (const { points, normals, faces } of this.held) [points, normals, faces].forEach((b) => this.gl.deleteBuffer(b));
    this.gl.deleteProgram(this.program);
    this.held = [];
  }

  private bind({ points, normals, faces }: Held): void {
    const { gl, program } = this;
    for (const [name, buffer] of [["point", points], ["normal", normals]] as const) {
      const place = gl.getAttribLocation(program, name);
      gl.bindBuffer(gl.ARRAY_BUFFER, buffer);
      gl.enableVertexAttribArray(place);
      gl.vertexAttribPointer(place, 3, gl.FLOAT, false, 0, 0);
    }
    gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, faces);
  }
}

/** How near the nearest vertex is. */
function nearest({ points }: Piece, camera: Camera, away: Triple): number {
  let best = Infinity;
  for (let v = 0; v < points.length; v += 3) best = Math.min(best, (points[v]! - camera.middle[0]) * away[0] + (points[v + 1]! - camera.middle[1]) * away[1] + (points[v + 2]! - camera.middle[2]) * away[2]);
  return best;
}

function filled(gl: WebGLRenderingContext, kind: number, values: Float32Array | Uint32Array): WebGLBuffer {
  const buffer = gl.createBuffer()!;
  gl.bindBuffer(kind, buffer);
  gl.bufferData(kind, values, gl.STATIC_DRAW);
  return buffer;
}

function programOf(gl: WebGLRenderingContext): WebGLProgram {
  const program = gl.createProgram()!;
  for (const [kind, text] of [[gl.VERTEX_SHADER, VERTEX], [gl.FRAGMENT_SHADER, FRAGMENT]] as const) {
    const shader = gl.createShader(kind)!;
    gl.shaderSource(shader, text);
    gl.compileShader(shader);
    gl.attachShader(program, shader);
  }
  gl.linkProgram(program);
  if (!gl.getProgramParameter(program, gl.LINK_STATUS)) throw new Error(gl.getProgramInfoLog(program) ?? "the surfaces cannot be drawn");
  return program;
}
