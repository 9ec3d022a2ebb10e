// GLB as the service writes it: a node a label, vertices in LPS millimetres, faces as indices.

export interface Piece {
  value: number | null;
  name: string;
  /** (3 · V): x to the patient's left, y to the back, z to the head, in millimetres. */
  points: Float32Array;
  /** (3 · F) indices of points. */
  faces: Uint32Array;
  /** (3 · V), of unit length. */
  normals: Float32Array;
}

const JSON_CHUNK = 0x4e4f534a;

interface Said {
  nodes: { mesh?: number; name?: string; extras?: { label?: { value: number; name: string } } }[];
  meshes: { primitives: { attributes: { POSITION: number }; indices: number }[] }[];
  accessors: { bufferView: number; count: number }[];
  bufferViews: { byteOffset?: number; byteLength: number }[];
}

/** The pieces of a file; throws where it is none of ours. */
export function pieces(buffer: ArrayBuffer): Piece[] {
  const view = new DataView(buffer);
  if (buffer.byteLength < 28 || view.getUint32(0, true) !== 0x46546c67 || view.getUint32(16, true) !== JSON_CHUNK) throw new Error("the surfaces are no binary glTF");
  const size = view.getUint32(12, true);
  const said = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 20, size))) as Said;
  const start = 20 + size + 8;
  const held = (k: number, each: number): [number, number] => {
    const accessor = said.accessors[k]!;
    return [start + (said.bufferViews[accessor.bufferView]!.byteOffset ?? 0), accessor.count * each];
  };
  return said.nodes.flatMap((node) => {
    const part = node.mesh === undefined ? undefined : said.meshes[node.mesh]?.primitives[0];
    if (!part) return [];
    const points = new Float32Array(buffer, ...held(part.attributes.POSITION, 3));
    const faces = new Uint32Array(buffer, ...held(part.indices, 1));
    const label = node.extras?.label;
    return [{ value: label?.value ?? null, name: label?.name ?? node.name ?? "", points, faces, normals: normalsOf(points, faces) }];
  });
}

/** At each vertex the mean of its faces' normals, weighted by their area. */
export function normalsOf(points: Float32Array, faces: Uint32Array): Float32Array {
  const found = new Float32Array(points.length);
  for (let f = 0; f + 2 < faces.length; f += 3) {
    const [a, b, c] = [3 * faces[f]!, 3 * faces[f + 1]!, 3 * faces[f + 2]!];
    const u = [0, 1, 2].map((k) => points[b + k]! - points[a + k]!);
    const v = [0, 1, 2].map((k) => points[c + k]! - points[a + k]!);
    for (let k = 0; k < 3; k++) {
      const [i, j] = [(k + 1) % 3, (k + 2) % 3];
      const across = u[i]! * v[j]! - u[j]! * v[i]!;
      for (const at of [a, b, c]) found[at + k]! += across;
    }
  }
  for (let v = 0; v < found.length; v += 3) {
    const length = Math.hypot(found[v]!, found[v + 1]!, found[v + 2]!) || 1;
    for (let k = 0; k < 3; k++) found[v + k]! /= length;
  }
  return found;
}
