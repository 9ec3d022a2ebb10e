// Labels as people write them: `right_kidney` and `kidney_right` are Right kidney. No two labels of one answer are ever called the same.
import type { Label } from "./types.ts";

/** A name with spaces for underscores, its side in front and a capital first, unless it has capitals of its own (`HCC`). */
export function written(name: string): string {
  const words = name.replaceAll("_", " ").replaceAll(/\s+/g, " ").trim();
  if (!words) return name;
  const plain = words.replace(/^(.+) (left|right)$/, "$2 $1");
  return plain === plain.toLowerCase() ? plain.charAt(0).toUpperCase() + plain.slice(1) : plain;
}

/** What each label of an answer is called; names that would read the same stay as they are, with their value if need be. */
export function called(labels: readonly Label[]): string[] {
  const nice = labels.map((l) => written(l.name));
  const twice = (names: readonly string[], k: number) => names.filter((n) => n.toLowerCase() === names[k]!.toLowerCase()).length > 1;
  const own = labels.map((l) => l.name);
  return labels.map((l, k) => {
    if (!twice(nice, k)) return nice[k]!;
    return own.filter((n) => n === l.name).length > 1 ? `${l.name} (${l.value ?? k + 1})` : l.name;
  });
}

/** What labels are called, by their own names. */
export const calledBy = (labels: readonly Label[]): Map<string, string> => {
  const names = called(labels);
  return new Map(labels.map((l, k) => [l.name, names[k]!]));
};
