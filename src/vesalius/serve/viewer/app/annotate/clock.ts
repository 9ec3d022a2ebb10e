// How long a person works on a case: seconds in which the page is seen and something was done within the last minute.
const IDLE_MS = 60_000;
const TICK_MS = 1_000;
const SIGNS = ["pointerdown", "pointermove", "keydown", "wheel"] as const;

export class Clock {
  ontick: () => void = () => {};
  private spent = 0;
  private last: number | null = null;
  private seen = performance.now();

  constructor() {
    for (const sign of SIGNS) addEventListener(sign, () => this.sign(), { capture: true, passive: true });
    document.addEventListener("visibilitychange", () => this.tick());
    setInterval(() => this.tick(), TICK_MS);
  }

  /** Begin at so many seconds; null stands still. */
  start(seconds: number | null): void {
    this.spent = seconds ?? 0;
    this.last = seconds === null ? null : performance.now();
    this.seen = performance.now();
    this.ontick();
  }

  /** The seconds that were worked since the start, or since they were taken away. */
  get seconds(): number {
    this.count();
    return this.spent;
  }

  /** Seconds that are saved are not counted again. */
  take(seconds: number): void {
    this.spent = Math.max(0, this.spent - seconds);
  }

  get paused(): boolean {
    return this.last !== null && (document.visibilityState === "hidden" || performance.now() - this.seen > IDLE_MS);
  }

  private sign(): void {
    const was = this.paused;
    if (was) this.count();
    this.seen = performance.now();
    if (was) this.ontick();
  }

  private tick(): void {
    this.count();
    if (this.last !== null) this.ontick();
  }

  private count(): void {
    if (this.last === null) return;
    const now = performance.now();
    const until = Math.min(now, this.seen + IDLE_MS); // idle time after the last sign counts for one minute at most
    if (document.visibilityState !== "hidden" && until > this.last) this.spent += (until - this.last) / 1000;
    this.last = now;
  }
}

/** `3:07`, or `1:02:30` from an hour on. */
export function clockText(seconds: number): string {
  const s = Math.floor(seconds);
  const two = (n: number) => String(n).padStart(2, "0");
  return s >= 3600 ? `${Math.floor(s / 3600)}:${two(Math.floor(s / 60) % 60)}:${two(s % 60)}` : `${Math.floor(s / 60)}:${two(s % 60)}`;
}
