// The letters at a plane's edges: which way the patient lies there; several where the image lies obliquely.

const POSITIVE = ["R", "A", "S"]; // NIfTI's millimetres run to the patient's right, front and head
const NEGATIVE = ["L", "P", "I"];
const LEAST = Math.sin((15 * Math.PI) / 180); // what leans less than this is not named

/** The letters of a direction in millimetres (RAS), the strongest first, as PS3.3 C.7.6.1.1.1 writes them. */
export function lettersOf(direction: number[]): string {
  const length = Math.hypot(...direction);
  if (!(length > 0)) return "";
  return direction
    .map((x, k) => ({ part: x / length, letter: x > 0 ? POSITIVE[k]! : NEGATIVE[k]! }))
    .filter(({ part }) => Math.abs(part) >= LEAST)
    .sort((a, b) => Math.abs(b.part) - Math.abs(a.part))
    .map(({ letter }) => letter)
    .join("");
}
