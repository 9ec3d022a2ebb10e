"""A cine frame by frame over a WebSocket: each frame is answered, or dropped where a newer one has come, and said so.

The client sends pictures (PNG, JPEG) or, after `{"height", "width", "channels", "dtype"}` as text, bare pixels: rows of
pixels, channels interleaved, little-endian; `spacing_mm` `[x, y]` may be said with it. The server sends one JSON a
frame: `{"frame", "answer", "summary", "outside", "ms", "dropped", "sees"}`, or `{"frame", "error", "ms", "dropped"}`.
Frames count from 0; `ms` is from a frame's arrival to its answer; `dropped` are the frames before it that are not
answered. Pixels do not say what they are of: the address may (`modality=US`, a code of DICOM).

A model of pictures sees each frame by itself (`"sees": "frame"`). A causal model of cines (`"sees": "frames"`) answers
by those before it, too: `seen` frames from number `since` on, this one `time_s` after the first of them. Text such as
`{"time_s": 0.04}` says when the next frame was, in seconds of any clock; else a frame came as long after the one before
as it arrived. `{"reset": true}` begins another cine with the next frame, and so does a pause of more than `gap_s` of
the address. `{"covariates": {…}}` is what else is known. A model that must see all of a cine first is refused.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from dataclasses import replace
from pathlib import Path

from fastapi import APIRouter, WebSocket, WebSocketDisconnect
from pydantic import ValidationError

from vesalius.core import encoding
from vesalius.core.errors import DataError, VesaliusError
from vesalius.infer.session import WHOLE
from vesalius.serve.http import results
from vesalius.serve.http.access import identify, service_of
from vesalius.serve.http.audit import Details
from vesalius.serve.http.catalogue import ServedModel
from vesalius.serve.http.cine_frames import Frame, Slot, image_of
from vesalius.serve.http.cine_session import CineSession
from vesalius.serve.http.problems import Problem, error_body, log_unexpected, validation_problem
from vesalius.serve.http.service import Service
from vesalius.serve.http.sockets import AWAY, BAD, LATER, end, key_of, offered_by, refuse

router = APIRouter()
_LOG = logging.getLogger(__name__)


@router.websocket("/api/cine")
async def cine(
    socket: WebSocket,
    model: str = "",
    accept_mismatch: bool = False,
    modality: str = "",
    refuse_unlike: bool = False,
    gap_s: float | None = None,
) -> None:
    """Answer a model's frames until the client leaves."""
    service = service_of(socket)
    offered = offered_by(socket)
    try:
        caller = identify(socket, key_of(socket, offered))
        if not caller.may("user"):
            raise Problem(403, "this key may not do that", hint="role user")
        found = service.models.get(model)
        if found.about["dims"] != 2:
            raise DataError(f"'{found.name}' answers volumes, not frames")
        predictor = found.predictor(accept_mismatch=accept_mismatch, refuse_unlike=refuse_unlike)
        if predictor.over_frames == WHOLE:
            raise DataError(
                f"'{found.name}' must see all of a cine before it can answer",
                hint="the file of the cine (POST /api/predict); or a causal model",
            )
    except (Problem, VesaliusError) as error:
        await refuse(socket, error, offered)
        return
    if service.sessions >= service.bounds.sessions:
        await refuse(socket, Problem(429, "too many cines at one time"), offered, code=LATER)
        return
    await socket.accept("vesalius" if "vesalius" in offered else None)
    service.sessions += 1
    about: Details = {"model": found.bundle.hash[:16]}
    if accept_mismatch:
        about["accept_mismatch"] = 1
    service.audit.add(caller.name, "cine", about)
    slot = Slot()
    reader = asyncio.create_task(_read(socket, slot))
    try:
        cine = CineSession(predictor, gap_s)
        answered = await _answer(socket, service, found, slot, cine, modality or None)
    finally:
        reader.cancel()
        service.sessions -= 1
    service.audit.add(caller.name, "cine ended", {"frames": slot.count, "answered": answered})


async def _read(socket: WebSocket, slot: Slot) -> None:
    """Take messages as fast as they come, so that the newest frame is the one that is answered next."""
    try:
        while True:
            message = await socket.receive()
            if message["type"] == "websocket.disconnect":
                return
            if message.get("text") is not None:
                slot.hear(message["text"])
            elif message.get("bytes") is not None:
                slot.put(message["bytes"])
    except ValidationError as error:
        first = error.errors()[0]
        await end(socket, validation_problem({**first, "loc": ("message", *first["loc"])}), BAD)
    finally:
        slot.closed = True
        slot.ready.set()


async def _answer(
    socket: WebSocket,
    service: Service,
    model: ServedModel,
    slot: Slot,
    cine: CineSession,
    modality: str | None,
) -> int:
    """Answer the newest frame again and again; returns how many were answered."""
    loop, answered = asyncio.get_running_loop(), 0
    place = service.root / f"cine-{id(slot):x}"
    try:
        while True:
            try:
                await asyncio.wait_for(slot.ready.wait(), service.bounds.silent_s)
            except TimeoutError:
                await end(socket, Problem(408, f"no frame came for {service.bounds.silent_s:.0f} s"), AWAY)
                return answered
            slot.ready.clear()
            taken, slot.frame = slot.frame, None
            if taken is None:
                if slot.closed:
                    return answered
                continue
            dropped, slot.dropped = slot.dropped, []
            said, good = await loop.run_in_executor(service.realtime, _one, cine, taken, place, modality)
            took_s = time.perf_counter() - taken.since_s
            answered += good
            service.metrics.frames.labels(model.name, "answered" if good else "failed").inc()
            service.metrics.frames.labels(model.name, "dropped").inc(len(dropped))
            service.metrics.frame_s.labels(model.name).observe(took_s)
            service.metrics.latency.observe("frame", model.name, took_s)
            head = f'{{"frame": {taken.number}, "ms": {1000 * took_s:.3f}, "dropped": {json.dumps(dropped)}, '
            await socket.send_text(head + said + "}")
    except (WebSocketDisconnect, RuntimeError):  # the client has gone while its answer was made
        return answered


def _one(cine: CineSession, taken: Frame, place: Path, modality: str | None) -> tuple[str, bool]:
    """Return one frame's answer as the members of a JSON object, and whether there is one."""
    try:
        image = replace(image_of(taken.data, taken.layout, place), modality=modality)
        answer, seen = cine.step(taken, image)
    except VesaliusError as error:
        return (
            f'"error": {json.dumps({k: v and v.replace(str(place), "a frame") for k, v in error_body(error).items()})}',
            False,
        )
    except Exception as error:  # noqa: BLE001 - one frame must not end the cine
        log_unexpected(_LOG, "a frame could not be answered", error)
        return '"error": "an internal error"', False
    summary, outside = json.dumps(results.summary(answer)), json.dumps(answer.outside)
    about = json.dumps(seen)[1:-1]
    return f'"answer": {encoding.as_text(answer)}, "summary": {summary}, "outside": {outside}, {about}', True
