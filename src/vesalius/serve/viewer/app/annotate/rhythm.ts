// When a draft is saved and a case is held on to: once one rests, and from time to time.
const REST_MS = 4_000; // after a step until what is drawn is saved as a draft
const MOST_MS = 20_000; // until that is so while one goes on drawing
const LEAST_MS = 500;
const LEAST_BEAT_S = 20;

export class Rhythm {
  private timer = 0;
  private heart = 0;
  private since = 0;

  /** Do it once nothing more is asked for a while, and at the latest some time after it was first asked for. */
  later(act: () => void, slower = 1): void {
    clearTimeout(this.timer);
    const at = Date.now();
    this.since ||= at;
    const wait = Math.max(LEAST_MS, Math.min(REST_MS, this.since + MOST_MS - at)) * slower;
    this.timer = setTimeout(() => {
      this.since = 0;
      act();
    }, wait) as unknown as number;
  }

  /** It is done now: what was asked for is not done again. */
  now(): void {
    clearTimeout(this.timer);
    this.since = 0;
  }

  /** Do something from time to time until all ends. */
  beat(act: () => void, seconds: number): void {
    clearInterval(this.heart);
    this.heart = setInterval(act, Math.max(LEAST_BEAT_S, seconds) * 1000) as unknown as number;
  }

  end(): void {
    this.now();
    clearInterval(this.heart);
  }
}
