"""A cine frame by frame over a WebSocket: each frame is answered, or dropped where a newer one has come, and said so.

The client sends pictures (PNG, JPEG) or, after `{"height", "width", "channels", "dtype"}` as text, bare pixels: rows of
pixels, channels interleaved, little-endian; `spacing_mm` `[x, y]` may be said with it. The server sends one JSON a
frame: `{"frame", "answer", "summary", "outside", "ms", "dropped"}`, or `{"frame", "error", "ms", "dropped"}`. Frames
count from 0; `ms` is from a frame's arrival to its answer; `dropped` are the frames before it that are not answered.
Pixels do not say what they are of: the address may (`modality=US`, a code of DICOM).
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from fastapi import APIRouter, WebSocket, WebSocketDisconnect
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from vesalius import formats
from vesalius.core import encoding
from vesalius.core.case import Case, Ref
from vesalius.core.channels import COLOURS
from vesalius.core.errors import DataError, VesaliusError
from vesalius.core.image import Image
from vesalius.infer.predictor import Predictor
from vesalius.infer.session import Session
from vesalius.serve.http import results
from vesalius.serve.http.access import bearer, identify, service_of
from vesalius.serve.http.audit import Details
from vesalius.serve.http.catalogue import ServedModel
from vesalius.serve.http.problems import Problem, error_body, log_unexpected, validation_problem
from vesalius.serve.http.service import Service

router = APIRouter()
_LOG = logging.getLogger(__name__)
_PICTURES = ((b"\x89PNG", ".png"), (b"\xff\xd8\xff", ".jpg"))
_POLICY, _LATER, _BAD, _AWAY = 1008, 1013, 1003, 1001  # RFC 6455 7.4.1


class Layout(BaseModel):
    """How bare pixels lie."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    height: int = Field(ge=1, le=16_384)
    width: int = Field(ge=1, le=16_384)
    channels: Literal[1, 3] = 1
    dtype: Literal["uint8", "uint16"] = "uint8"
    spacing_mm: tuple[float, float] | None = None


@dataclass(slots=True)
class _Slot:
    """The newest frame that is not answered yet, and what became of those before it."""

    frame: tuple[int, bytes, float] | None = None
    count: int = 0
    dropped: list[int] = field(default_factory=list)
    layout: Layout | None = None
    closed: bool = False
    ready: asyncio.Event = field(default_factory=asyncio.Event)

    def put(self, data: bytes) -> None:
        if self.frame is not None:
            self.dropped.append(self.frame[0])
        self.frame = (self.count, data, time.perf_counter())
        self.count += 1
        self.ready.set()


@router.websocket("/api/cine")
async def cine(
    socket: WebSocket,
    model: str = "",
    accept_mismatch: bool = False,
    modality: str = "",
    refuse_unlike: bool = False,
) -> None:
    """Answer a model's frames until the client leaves."""
    service = service_of(socket)
    offered = [p.strip() for p in socket.headers.get("sec-websocket-protocol", "").split(",")]
    try:
        caller = identify(socket, _key(socket, offered))
        if not caller.may("user"):
            raise Problem(403, "this key may not do that", hint="role user")
        found = service.models.get(model)
        if found.about["dims"] != 2:
            raise DataError(f"'{found.name}' answers volumes, not frames")
    except (Problem, VesaliusError) as error:
        await _refuse(socket, error, offered)
        return
    if service.sessions >= service.bounds.sessions:
        await _refuse(socket, Problem(429, "too many cines at one time"), offered, code=_LATER)
        return
    await socket.accept("vesalius" if "vesalius" in offered else None)
    service.sessions += 1
    about: Details = {"model": found.bundle.hash[:16]}
    if accept_mismatch:
        about["accept_mismatch"] = 1
    service.audit.add(caller.name, "cine", about)
    slot = _Slot()
    reader = asyncio.create_task(_read(socket, slot))
    try:
        predictor = found.predictor(accept_mismatch=accept_mismatch, refuse_unlike=refuse_unlike)
        answered = await _answer(socket, service, found, slot, predictor, modality or None)
    finally:
        reader.cancel()
        service.sessions -= 1
    service.audit.add(caller.name, "cine ended", {"frames": slot.count, "answered": answered})


def _key(socket: WebSocket, offered: list[str]) -> str | None:
    """Return the key in the header, or among the subprotocols, which is all that a browser lets a page set."""
    return bearer(socket) or next((p.removeprefix("key.") for p in offered if p.startswith("key.")), None)


async def _refuse(socket: WebSocket, error: Exception, offered: list[str], *, code: int = _POLICY) -> None:
    """Say why, and close: a handshake that is denied could not say it to a browser."""
    body = (
        error.body
        if isinstance(error, Problem)
        else error_body(error)
        if isinstance(error, VesaliusError)
        else {}
    )
    socket.scope["refused"] = error.status_code if isinstance(error, Problem) else 422
    await socket.accept("vesalius" if "vesalius" in offered else None)
    await socket.send_text(json.dumps(body))
    await socket.close(code)


async def _end(socket: WebSocket, problem: Problem, code: int) -> None:
    await socket.send_text(json.dumps(problem.body))
    await socket.close(code)


async def _read(socket: WebSocket, slot: _Slot) -> None:
    """Take messages as fast as they come, so that the newest frame is the one that is answered next."""
    try:
        while True:
            message = await socket.receive()
            if message["type"] == "websocket.disconnect":
                return
            if message.get("text") is not None:
                slot.layout = Layout.model_validate_json(message["text"])
            elif message.get("bytes") is not None:
                slot.put(message["bytes"])
    except ValidationError as error:
        first = error.errors()[0]
        await _end(socket, validation_problem({**first, "loc": ("message", *first["loc"])}), _BAD)
    finally:
        slot.closed = True
        slot.ready.set()


async def _answer(
    socket: WebSocket,
    service: Service,
    model: ServedModel,
    slot: _Slot,
    predictor: Predictor,
    modality: str | None,
) -> int:
    """Answer the newest frame again and again; returns how many were answered."""
    loop, answered = asyncio.get_running_loop(), 0
    session = predictor.open(Case("cine", {}, reference=None))
    place = service.root / f"cine-{id(slot):x}"
    try:
        while True:
            try:
                await asyncio.wait_for(slot.ready.wait(), service.bounds.silent_s)
            except TimeoutError:
                await _end(socket, Problem(408, f"no frame came for {service.bounds.silent_s:.0f} s"), _AWAY)
                return answered
            slot.ready.clear()
            taken, slot.frame = slot.frame, None
            if taken is None:
                if slot.closed:
                    return answered
                continue
            n, data, since = taken
            dropped, slot.dropped = slot.dropped, []
            said, good = await loop.run_in_executor(
                service.realtime, _one, session, data, slot.layout, f"frame-{n}", place, modality
            )
            took_s = time.perf_counter() - since
            answered += good
            service.metrics.frames.labels(model.name, "answered" if good else "failed").inc()
            service.metrics.frames.labels(model.name, "dropped").inc(len(dropped))
            service.metrics.frame_s.labels(model.name).observe(took_s)
            head = f'{{"frame": {n}, "ms": {1000 * took_s:.3f}, "dropped": {json.dumps(dropped)}, '
            await socket.send_text(head + said + "}")
    except (WebSocketDisconnect, RuntimeError):  # the client has gone while its answer was made
        return answered


def _one(
    session: Session, data: bytes, layout: Layout | None, name: str, place: Path, modality: str | None
) -> tuple[str, bool]:
    """Return one frame's answer as the members of a JSON object, and whether there is one."""
    try:
        image = replace(frame(data, layout, place), modality=modality)
        answer = session.step(Case(name, {"image": image}))
    except VesaliusError as error:
        return (
            f'"error": {json.dumps({k: v and v.replace(str(place), "a frame") for k, v in error_body(error).items()})}',
            False,
        )
    except Exception as error:  # noqa: BLE001 - one frame must not end the cine
        log_unexpected(_LOG, "a frame could not be answered", error)
        return '"error": "an internal error"', False
    summary, outside = json.dumps(results.summary(answer)), json.dumps(answer.outside)
    return f'"answer": {encoding.as_text(answer)}, "summary": {summary}, "outside": {outside}', True


def frame(data: bytes, layout: Layout | None, place: Path) -> Image:
    """Return a message as an image. Raises DataError for what is neither a picture nor pixels as they were declared.

    A picture passes through a file beside `place`, so that there is one decoder, with its bounds.
    """
    suffix = next((s for magic, s in _PICTURES if data.startswith(magic)), None)
    if suffix is not None:
        path = place.with_suffix(suffix)
        path.write_bytes(data)
        try:
            return formats.read(Ref((path,)))
        finally:
            path.unlink(missing_ok=True)
    if layout is None:
        raise DataError(
            "a frame that is no PNG and no JPEG", hint="first its height, width, channels and dtype"
        )
    dtype = np.dtype(layout.dtype).newbyteorder("<")
    expected = layout.height * layout.width * layout.channels * dtype.itemsize
    if len(data) != expected:
        raise DataError("a frame of another size than declared", found=f"{len(data):,} of {expected:,} bytes")
    pixels: Any = np.frombuffer(data, dtype).reshape(layout.height, layout.width, layout.channels)
    array = np.ascontiguousarray(np.moveaxis(pixels, -1, 0)[:, None])  # (C, 1, Y, X)
    spacing = None if layout.spacing_mm is None else (*layout.spacing_mm, 1.0)
    names = COLOURS if layout.channels == 3 else ()
    return Image(array.astype(layout.dtype, copy=False), spacing_mm=spacing, channels=names)
