// Whether a case is open in another tab of this browser: both would write into one draft.
const CHANNEL = "vesalius-annotating";
const WAIT_MS = 200;

let channel: BroadcastChannel | null = null;
let held: string | null = null;
let answered: (() => void) | null = null;

/** Hold a case, or none; false where another tab holds it. */
export async function hold(key: string | null): Promise<boolean> {
  held = null;
  if (key === null) return true;
  channel ??= listening();
  const taken = await new Promise<boolean>((done) => {
    answered = () => done(true);
    channel!.postMessage({ ask: key });
    setTimeout(() => done(false), WAIT_MS);
  });
  answered = null;
  if (!taken) held = key;
  return !taken;
}

function listening(): BroadcastChannel {
  const made = new BroadcastChannel(CHANNEL);
  made.onmessage = ({ data }: MessageEvent<{ ask?: string; held?: string }>) => {
    if (data.ask && data.ask === held) made.postMessage({ held });
    if (data.held) answered?.();
  };
  return made;
}
