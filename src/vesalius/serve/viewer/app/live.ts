// Answers a frame: each one that is seen is sent over a WebSocket, and what a model says of it, or of the cine so far, is
// shown, with a line of it over the frames.
import * as api from "./api.ts";
import { byId, fill, h } from "./dom.ts";
import { Drawn, fillAnswer, followed } from "./kinds.ts";
import { head, withLabels } from "./nifti.ts";
import { everyFrame } from "./player.ts";
import { remarks } from "./remarks.ts";
import { Running } from "./running.ts";
import { announce, guarded, report } from "./say.ts";
import type { Stage } from "./stage.ts";
import { chosenCase, chosenModel, isRefused, now, on } from "./store.ts";
import type { Held, Model, Summary } from "./types.ts";

interface Said {
  frame: number;
  ms: number;
  dropped: number[];
  answer?: Record<string, unknown> & { kind: string };
  summary?: Summary;
  outside?: string[] | null;
  /** How many frames the answer stands on, where it is not the one alone, and which message was the first of them. */
  seen?: number;
  since?: number;
  error?: unknown;
}

const [UINT8, RGB24, UINT16, INT16] = [2, 128, 512, 4]; // NIfTI's types

/** Whether frames of this image may be asked about one by one. */
export function goesLive(): boolean {
  const [c, model] = [chosenCase(), chosenModel()];
  return c !== null && model !== null && (c.frames ?? 1) > 1 && c.shape[0] === 1 && model.dims === 2 && model.frames !== "whole" && !now().study?.gone;
}

/** Whether a model sees images with a time axis, which it answers as a whole. */
export const seesTime = (model: Model | null): boolean => model?.frames === "stream" || model?.frames === "whole";

/** When a frame of the stage was, in seconds; null where nobody says it. */
function secondOf(frame: number, every: number): number | null {
  const c = chosenCase();
  const known = c?.times_s;
  if (known?.length === c?.frames) return known?.[frame * every] ?? null;
  return c?.frame_s ? frame * every * c.frame_s : null;
}

/** Fill the button; returns what is to be called when another frame is seen. */
export function liveAnswers(stage: Stage): () => void {
  const button = byId<HTMLButtonElement>("live");
  const head = h("h3", {});
  const marks = h("div", {});
  const body = h("div", {});
  const running = new Running();
  const place = h("section", { class: "answer", id: "live-answer" }, head, running.element, marks, body);
  const drawn = new Drawn(stage);
  let socket: WebSocket | null = null;
  let sent: number[] = []; // which of the stage's frames the n-th message was
  let layout = "";
  let busy = false;
  let waiting: Said[] = [];
  let begun: number | undefined; // the message that the line begins with

  const stop = () => {
    const open = socket;
    socket = null;
    open?.close();
    button.setAttribute("aria-pressed", "false");
    if (!place.isConnected) return;
    place.remove();
    delete body.dataset.kind;
    void drawn.clear();
    byId("results-none").hidden = byId("results").childElementCount > 0;
  };

  const send = () => {
    if (socket?.readyState !== WebSocket.OPEN || sent.at(-1) === stage.frame || socket.bufferedAmount > 4e6) return;
    const frame = pixelsOf(stage.frameBytes);
    if (!frame) {
      stop();
      report(new api.Failure({ error: "frames of this image cannot be sent one by one", hint: "whole numbers from 0 to 65,535, or colours, of at most 2,048 pixels a side" }, 422));
      return;
    }
    const spacing = chosenCase()?.spacing_mm;
    const said = JSON.stringify({ ...frame.layout, ...(spacing ? { spacing_mm: spacing.slice(0, 2) } : {}) });
    if (said !== layout) socket.send((layout = said));
    if (chosenModel()?.frames === "stream") {
      // who goes back in a cine begins it anew, as a frame cannot come before those that were seen
      const back = stage.frame < (sent.at(-1) ?? -1);
      const time_s = secondOf(stage.frame, everyFrame(stage));
      socket.send(JSON.stringify({ reset: back, ...(time_s === null ? {} : { time_s }) }));
    }
    sent.push(stage.frame);
    socket.send(frame.bytes);
  };

  /** The newest answer; those that come while another is drawn wait, and the last of them is drawn next. */
  const draw = guarded(async () => {
    if (busy) return;
    busy = true;
    try {
      while (waiting.length && socket) {
        const come = waiting.splice(0);
        for (const said of come) await follow(said);
        await show(come.at(-1)!);
      }
    } finally {
      busy = false;
    }
  });

  const heldOf = (answer: Record<string, unknown> & { kind: string }, summary?: Summary): Held => ({
    case: now().caseId ?? "", kind: answer.kind, answer, summary: summary ?? {}, files: {}, model: now().model ?? "", by: "predict",
  });

  /** Put an answer into the line over the frames, which begins anew with another cine. */
  const follow = async ({ frame, answer, summary, since }: Said) => {
    if (!answer) return;
    if (since !== begun) running.clear();
    begun = since;
    running.add(sent[frame] ?? 0, await followed(heldOf(answer, summary)));
  };

  const show = async ({ frame, ms, answer, summary, outside, seen, since, error }: Said) => {
    if (error || !answer) throw new api.Failure(typeof error === "object" ? (error as never) : { error: String(error) }, 422);
    const mine = socket;
    const held = heldOf(answer, summary);
    if (!place.isConnected) byId("results").prepend(place);
    byId("results-none").hidden = true;
    await fillAnswer(body, held, { stage, current: () => socket === mine, file: () => labelsOf(answer, stage) }, drawn);
    fill(marks, remarks(outside));
    const every = everyFrame(stage);
    const at = sent[frame] ?? 0;
    running.draw(stage.frames);
    const first = since === undefined ? null : (sent[since] ?? 0) * every + 1;
    const stands = first === null || seen === undefined || seen < 2 ? `frame ${at * every + 1}` : `${seen} frames, ${first} to ${at * every + 1}`;
    head.textContent = `Answer for ${stands} (${Math.round(ms)} ms)`;
  };

  const start = () => {
    const model = chosenModel();
    if (!model) return;
    const key = api.keyInUse();
    const asked = new URLSearchParams({
      model: model.name,
      modality: chosenCase()?.modality ?? "", // bare pixels do not say it
      ...(now().accepted ? { accept_mismatch: "true" } : {}),
    });
    const opened = new WebSocket(
      `${location.origin.replace(/^http/, "ws")}/api/cine?${asked}`,
      ["vesalius", ...(key ? [`key.${key}`] : [])], // all that a page may set
    );
    socket = opened;
    [sent, layout, waiting, begun] = [[], "", [], undefined];
    running.clear();
    button.setAttribute("aria-pressed", "true");
    opened.onopen = send;
    opened.onmessage = (e) => {
      waiting.push(JSON.parse(String(e.data)) as Said);
      void draw();
    };
    opened.onclose = () => {
      if (socket !== opened) return;
      stop();
      announce("No more answers for frames");
    };
  };

  button.addEventListener("click", () => (socket ? stop() : start()));
  on(["study", "caseId", "model", "models"], () => {
    stop();
    byId("live-line").hidden = !goesLive();
  });
  on(["verdict", "accepted"], () => {
    button.disabled = isRefused() && !now().accepted;
    if (button.disabled) stop();
  });
  return send;
}

/** A frame as the service takes it: bare pixels, rows from the top, colours interleaved; null for values that cannot be. */
function pixelsOf(buffer: ArrayBuffer | null): { layout: object; bytes: ArrayBuffer } | null {
  const facts = buffer && head(buffer);
  if (!buffer || !facts?.little) return null;
  const bytes = buffer.slice(facts.offset);
  const [, width = 1, height = 1] = facts.dims;
  const layout = { height, width, channels: facts.datatype === RGB24 ? 3 : 1, dtype: facts.bytesPerVoxel === 2 ? "uint16" : "uint8" };
  if (chosenCase()?.display?.invert) return null; // the service would take white for black
  if (facts.datatype === INT16 && new Int16Array(bytes).some((x) => x < 0)) return null;
  return [UINT8, RGB24, UINT16, INT16].includes(facts.datatype) ? { layout, bytes } : null;
}

/** A mask's labels as a NIfTI on the frame's own grid; null for an answer that has none. */
async function labelsOf(answer: Record<string, unknown>, stage: Stage): Promise<ArrayBuffer | null> {
  const packed = (answer.image as { array?: { array: string; shape: number[]; zlib: string } } | undefined)?.array;
  const frame = stage.frameBytes;
  if (!packed || !frame) return null;
  const raw = Uint8Array.from(atob(packed.zlib), (c) => c.charCodeAt(0));
  const bytes = await new Response(new Blob([raw]).stream().pipeThrough(new DecompressionStream("deflate"))).arrayBuffer();
  const wide = Number(packed.array.slice(-1));
  const values = wide === 1 ? new Uint8Array(bytes) : wide === 2 ? Uint8Array.from(new Uint16Array(bytes)) : Uint8Array.from(new Uint32Array(bytes));
  return withLabels(frame, values);
}
