// NIfTI-1 headers, as far as the viewer must know them: orientation where there is none, planes taken apart, counts.

const SFORM = 254;
const QFORM = 252;
const RGB24 = 128;
const FLOAT64 = 64;
const ARRAYS = { 2: Uint8Array, 4: Int16Array, 8: Int32Array, 16: Float32Array, 256: Int8Array, 512: Uint16Array, 768: Uint32Array };

export interface Head {
  little: boolean;
  dims: number[];
  bytesPerVoxel: number;
  datatype: number;
  offset: number;
  oriented: boolean;
}

/** What the header says; null where these bytes are no NIfTI-1. */
export function head(buffer: ArrayBuffer): Head | null {
  if (buffer.byteLength < 352) return null;
  const view = new DataView(buffer);
  const little = view.getInt32(0, true) === 348;
  if (!little && view.getInt32(0, false) !== 348) return null;
  return {
    little,
    dims: Array.from({ length: 8 }, (_, k) => view.getInt16(40 + 2 * k, little)),
    datatype: view.getInt16(70, little),
    bytesPerVoxel: view.getInt16(72, little) / 8,
    offset: view.getFloat32(108, little),
    oriented: view.getInt16(QFORM, little) > 0 || view.getInt16(SFORM, little) > 0,
  };
}

/** The same image with an orientation: where it has none, columns run to the right and rows down, as pictures do.
 *
 * In the radiological convention that is x to the patient's left and y to the back: a diagonal of -x, -y, z in
 * NIfTI's RAS. Nobody may read sides from it: the stage shows no letters then.
 */
export function upright(buffer: ArrayBuffer): ArrayBuffer {
  const facts = head(buffer);
  if (!facts || facts.oriented) return buffer;
  const copy = buffer.slice(0);
  const view = new DataView(copy);
  const step = [1, 2, 3].map((k) => Math.abs(view.getFloat32(76 + 4 * k, facts.little)) || 1);
  const signs = [-1, -1, 1];
  for (let row = 0; row < 3; row++) {
    for (let column = 0; column < 4; column++) {
      view.setFloat32(280 + 16 * row + 4 * column, row === column ? signs[row]! * step[row]! : 0, facts.little);
    }
  }
  view.setInt16(SFORM, 1, facts.little);
  return copy;
}

/** The step from one voxel to the next along each axis of the file, in its own unit; 1 where the header has none. */
export function spacingOf(buffer: ArrayBuffer): [number, number, number] {
  const facts = head(buffer);
  const view = new DataView(buffer);
  return [1, 2, 3].map((k) => (facts && Math.abs(view.getFloat32(76 + 4 * k, facts.little))) || 1) as [number, number, number];
}

/** The values as the file means them: stored values by its slope and intercept; null where its type is unusual or a colour. A copy. */
export function meantValues(buffer: ArrayBuffer): ArrayLike<number> | null {
  const facts = head(buffer);
  const values = facts && facts.datatype !== RGB24 ? valuesOf(volumeAt(buffer, 0)) : null;
  if (!facts || !values) return null;
  const view = new DataView(buffer);
  const [slope, inter] = [view.getFloat32(112, facts.little), view.getFloat32(116, facts.little)];
  return !slope || (slope === 1 && !inter) ? values : Float32Array.from(values, (v) => v * slope + inter);
}

/** By how much each axis must be made smaller so that none is longer than `most`. */
export function shrinkage(buffer: ArrayBuffer, most: number): [number, number, number] {
  const dims = head(buffer)?.dims ?? [];
  return [1, 2, 3].map((k) => Math.max(1, Math.ceil((dims[k] ?? 1) / most))) as [number, number, number];
}

/** By how much all axes must be made smaller so that no more than `most` voxels are left. */
export function coarseness(buffer: ArrayBuffer, most: number): [number, number, number] {
  const [, x = 1, y = 1, z = 1] = (head(buffer)?.dims ?? []).map((d) => Math.max(1, d));
  const by = Math.max(1, Math.ceil(Math.cbrt((x * y * z) / most)));
  return [by, by, by];
}

/** The same image in blocks of `by` voxels: their means, or for labels one that is there. In place in millimetres. */
export function shrunk(buffer: ArrayBuffer, by: [number, number, number], labels: boolean): ArrayBuffer {
  const facts = head(buffer);
  const colour = facts?.datatype === RGB24;
  const kind = colour ? Uint8Array : facts?.little ? ARRAYS[facts.datatype as keyof typeof ARRAYS] : undefined;
  if (!facts || !kind || by.every((f) => f === 1) || facts.offset % kind.BYTES_PER_ELEMENT) return buffer;
  const [, nx = 1, ny = 1, nz = 1, nt = 1] = facts.dims.map((d) => Math.max(1, d));
  const [fx, fy, fz] = by;
  const [mx, my, mz] = [Math.floor(nx / fx), Math.floor(ny / fy), Math.floor(nz / fz)];
  const parts = colour ? 3 : 1;
  const from = new kind(buffer, facts.offset);
  const copy = new ArrayBuffer(facts.offset + mx * my * mz * nt * facts.bytesPerVoxel);
  new Uint8Array(copy).set(new Uint8Array(buffer, 0, facts.offset));
  const to = new kind(copy, facts.offset);
  const at = (x: number, y: number, z: number, t: number) => (((t * nz + z) * ny + y) * nx + x) * parts;
  let k = 0;
  for (let t = 0; t < nt; t++) for (let z = 0; z < mz; z++) for (let y = 0; y < my; y++) for (let x = 0; x < mx; x++) {
    for (let part = 0; part < parts; part++, k++) {
      if (labels) {
        // the middle one, or where that is none any that there is: what is small must not vanish
        let found = from[at(x * fx + (fx >> 1), y * fy + (fy >> 1), z * fz + (fz >> 1), t) + part]!;
        for (let c = 0; !found && c < fz; c++) for (let b = 0; !found && b < fy; b++) for (let a = 0; !found && a < fx; a++) found = from[at(x * fx + a, y * fy + b, z * fz + c, t) + part]!;
        to[k] = found;
        continue;
      }
      let sum = 0;
      for (let c = 0; c < fz; c++) for (let b = 0; b < fy; b++) for (let a = 0; a < fx; a++) sum += from[at(x * fx + a, y * fy + b, z * fz + c, t) + part]!;
      to[k] = sum / (fx * fy * fz);
    }
  }
  const view = new DataView(copy);
  [mx, my, mz].forEach((d, i) => view.setInt16(42 + 2 * i, d, facts.little));
  by.forEach((f, i) => view.setFloat32(80 + 4 * i, view.getFloat32(80 + 4 * i, facts.little) * f, facts.little));
  for (let row = 0; row < 3; row++) {
    const place = (column: number) => 280 + 16 * row + 4 * column;
    let origin = view.getFloat32(place(3), facts.little);
    by.forEach((f, i) => {
      const step = view.getFloat32(place(i), facts.little);
      origin += (step * (f - 1)) / 2;
      view.setFloat32(place(i), step * f, facts.little);
    });
    view.setFloat32(place(3), origin, facts.little);
  }
  return copy;
}

/** The volumes of a 4-D file, each a file of its own. */
export function apart(buffer: ArrayBuffer): ArrayBuffer[] {
  const count = volumesIn(buffer);
  return Array.from({ length: count }, (_, k) => volumeAt(buffer, k));
}

/** Its values, colours as three bytes each; null where its type is unusual. A copy. */
export function valuesOf(buffer: ArrayBuffer): InstanceType<(typeof ARRAYS)[keyof typeof ARRAYS]> | Float64Array | null {
  const facts = head(buffer);
  const Kind = facts?.datatype === RGB24 ? Uint8Array : facts?.datatype === FLOAT64 ? Float64Array : facts?.little ? ARRAYS[facts.datatype as keyof typeof ARRAYS] : undefined;
  return facts && Kind ? new Kind(buffer.slice(facts.offset)) : null;
}

/** How many volumes there are along all axes after the third. */
export function volumesIn(buffer: ArrayBuffer): number {
  return (head(buffer)?.dims.slice(4) ?? []).reduce((n, d) => n * Math.max(1, d), 1);
}

/** One volume of a 4-D file, as a file of its own. */
export function volumeAt(buffer: ArrayBuffer, k: number): ArrayBuffer {
  const facts = head(buffer);
  if (!facts) return buffer;
  const [, x = 1, y = 1, z = 1] = facts.dims.map((d) => Math.max(1, d));
  const size = x * y * z * facts.bytesPerVoxel;
  const start = facts.offset + k * size;
  if (!k && start + size === buffer.byteLength) return buffer;
  if (start + size > buffer.byteLength) return buffer;
  const part = new Uint8Array(facts.offset + size);
  part.set(new Uint8Array(buffer, 0, facts.offset));
  part.set(new Uint8Array(buffer, start, size), facts.offset);
  const view = new DataView(part.buffer);
  [3, x, y, z, 1, 1, 1, 1].forEach((d, i) => view.setInt16(40 + 2 * i, d, facts.little));
  return part.buffer;
}

/** A file of the same geometry that holds these bytes, one a voxel, of one volume or of several. */
export function withLabels(buffer: ArrayBuffer, labels: Uint8Array): ArrayBuffer {
  const facts = head(buffer)!;
  const made = new Uint8Array(facts.offset + labels.length);
  made.set(new Uint8Array(buffer, 0, facts.offset));
  made.set(labels, facts.offset);
  const view = new DataView(made.buffer);
  const [, x = 1, y = 1, z = 1] = facts.dims.map((d) => Math.max(1, d));
  const count = labels.length / (x * y * z);
  [count > 1 ? 4 : 3, x, y, z, count, 1, 1, 1].forEach((d, i) => view.setInt16(40 + 2 * i, d, facts.little));
  view.setInt16(70, 2, facts.little);
  view.setInt16(72, 8, facts.little);
  return made.buffer;
}

/** The least and the greatest value; 0 and 1 where its type is unusual. */
export function extremes(buffer: ArrayBuffer): [number, number] {
  let [low, high] = [Infinity, -Infinity];
  for (const x of valuesOf(buffer) ?? []) {
    if (x < low) low = x;
    if (x > high) high = x;
  }
  return low < high ? [low, high] : [0, 1];
}

/** The index `(x, y, z)` of the greatest value, of several that of the one nearest to their middle; null where none is. */
export function strongest(buffer: ArrayBuffer): [number, number, number] | null {
  const [, x = 1, y = 1] = (head(buffer)?.dims ?? []).map((d) => Math.max(1, d));
  let [best, found] = [-Infinity, [] as number[]];
  (valuesOf(buffer) ?? []).forEach((value, k) => {
    if (value > best) [best, found] = [value, [k]];
    else if (value === best) found.push(k);
  });
  const places = found.map((k) => [k % x, Math.floor(k / x) % y, Math.floor(k / (x * y))] as [number, number, number]);
  const middle = [0, 1, 2].map((axis) => places.reduce((sum, p) => sum + p[axis]!, 0) / places.length);
  const far = (p: readonly number[]) => p.reduce((sum, v, axis) => sum + (v - middle[axis]!) ** 2, 0);
  return places.length ? places.reduce((a, b) => (far(b) < far(a) ? b : a)) : null;
}

/** A window from the least to the greatest value; values that are all the same are in its middle. */
export function wholeWindow(buffer: ArrayBuffer): [number, number] {
  const values = valuesOf(buffer);
  const [low, high] = extremes(buffer);
  const one = values?.find((x) => Number.isFinite(x));
  if (one === undefined || values!.some((x) => Number.isFinite(x) && x !== one)) return [low, high];
  const half = Math.max(0.5, Math.abs(one) / 1000); // wide enough for 32 bits
  return [one - half, one + half];
}
