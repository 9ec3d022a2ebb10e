// Elements made in one expression; texts are always text, never markup.

type Child = Node | string | number | null | undefined | false;
type Props = Record<string, unknown>;

/** An element with properties (`class`, `on…` handlers, `style` as an object, attributes) and children. */
export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  props: Props = {},
  ...children: (Child | Child[])[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value as EventListener);
    else if (name === "style") {
      for (const [key, text] of Object.entries(value as Record<string, string>)) element.style.setProperty(key, text);
    } else element.setAttribute(name, value === true ? "" : String(value));
  }
  for (const child of children.flat()) if (child || child === 0) element.append(child instanceof Node ? child : String(child));
  return element;
}

/** An element of a drawing. */
export function svg(tag: string, attributes: Record<string, string | number>): SVGElement {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, String(value));
  return made;
}

/** The one element of the page with this id. */
export function byId<T extends HTMLElement = HTMLElement>(id: string): T {
  const found = document.getElementById(id);
  if (!found) throw new Error(`the page has no #${id}`);
  return found as T;
}

/** Put these children in place of what is there. Who was in one of them by keyboard stays at its place. */
export function fill(parent: HTMLElement, ...children: (Child | Child[])[]): void {
  const before = parent.contains(document.activeElement) ? within(parent).indexOf(document.activeElement as HTMLElement) : -1;
  parent.replaceChildren(
    ...children.flat().filter((c): c is Node | string | number => c !== null && c !== undefined && c !== false).map((c) => (c instanceof Node ? c : String(c))),
  );
  if (before >= 0) {
    const now = within(parent);
    now[Math.min(before, now.length - 1)]?.focus();
  }
}

const within = (parent: HTMLElement): HTMLElement[] => [...parent.querySelectorAll<HTMLElement>("button, input, select, summary, a")];

/** A number as reports write it, with the decimals of the largest that stand beside it: three below ten, one below 1000. */
export function fixed(x: number, ...beside: number[]): string {
  const most = Math.max(...beside.map(Math.abs));
  return Number.isFinite(x) ? x.toFixed(most < 10 ? 3 : most < 1000 ? 1 : 0) : "–";
}

/** A number in few digits. */
export function digits(x: number, most = 3): string {
  return Number.isFinite(x) ? String(Number(x.toPrecision(most))) : "–";
}
