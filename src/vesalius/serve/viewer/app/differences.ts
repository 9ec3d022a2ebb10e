// What differs between two texts, word by word: what stayed, what came and what went.

export interface Piece {
  kind: "same" | "came" | "went";
  text: string;
}

const MOST = 4_000_000; // cells of the table; longer texts are held against each other as a whole

/** The pieces of both texts, in order; together those that stayed and went are `before`, those that stayed and came `after`. */
export function differences(before: string, after: string): Piece[] {
  const [a, b] = [words(before), words(after)];
  if (a.length * b.length > MOST) return whole(before, after);
  const wide = b.length + 1;
  const longest = new Uint32Array((a.length + 1) * wide); // of what follows
  for (let i = a.length - 1; i >= 0; i--) {
    for (let j = b.length - 1; j >= 0; j--) {
      longest[i * wide + j] = a[i] === b[j] ? longest[(i + 1) * wide + j + 1]! + 1 : Math.max(longest[(i + 1) * wide + j]!, longest[i * wide + j + 1]!);
    }
  }
  const made: Piece[] = [];
  const add = (kind: Piece["kind"], text: string) => {
    const last = made.at(-1);
    if (last?.kind === kind) last.text += text;
    else made.push({ kind, text });
  };
  let [i, j] = [0, 0];
  while (i < a.length || j < b.length) {
    if (i < a.length && j < b.length && a[i] === b[j]) {
      add("same", a[i]!);
      i++;
      j++;
    } else if (j >= b.length || (i < a.length && longest[(i + 1) * wide + j]! >= longest[i * wide + j + 1]!)) add("went", a[i++]!);
    else add("came", b[j++]!);
  }
  return made;
}

function whole(before: string, after: string): Piece[] {
  if (before === after) return [{ kind: "same", text: before }];
  return [{ kind: "went" as const, text: before }, { kind: "came" as const, text: after }].filter((p) => p.text);
}

/** Words, and what is between them. */
const words = (text: string): string[] => text.match(/\s+|[^\s]+/g) ?? [];
