"""Begin a session of clicks, and compute in it: images are read beside, models take turns."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from starlette.concurrency import run_in_threadpool

from vesalius.core.errors import DataError, VesaliusError
from vesalius.core.guidance import Stroke
from vesalius.core.image import Image
from vesalius.prepare.case import load_reference
from vesalius.serve.http.audit import Details
from vesalius.serve.http.catalogue import ServedModel
from vesalius.serve.http.clicks import sessions
from vesalius.serve.http.clicks.flips import flipped
from vesalius.serve.http.clicks.schemas import BeginRequest
from vesalius.serve.http.clicks.session import ClickSession
from vesalius.serve.http.keys import Caller
from vesalius.serve.http.problems import Problem
from vesalius.serve.http.service import Service
from vesalius.serve.http.study import StoredCase, UploadedStudy

T = TypeVar("T")


async def begun(asked: BeginRequest, service: Service, caller: Caller) -> tuple[ClickSession, dict[str, Any]]:
    """Begin a session and answer its first strokes. Raises Problem and what the model raises; then nothing is kept."""
    model = service.models.get(asked.model)
    study = await run_in_threadpool(service.studies.get, asked.study, caller)
    session = await on_case(
        service, caller, model, study, study.case(asked.case), asked.frame, accept=asked.accept_mismatch
    )
    try:
        if asked.start:
            bits = await run_in_threadpool(flipped, None, asked.start, session.shape)
            await turn(service, model, lambda: session.start(bits), count=False)
        body = await changed(service, session, [s.stroke() for s in asked.strokes])
    except BaseException:
        service.clicks.end(session)
        raise
    return session, body


async def on_case(
    service: Service,
    caller: Caller,
    model: ServedModel,
    study: UploadedStudy,
    case: StoredCase,
    frame: int = 0,
    *,
    accept: bool = False,
) -> ClickSession:
    """Begin a session on a frame of a stored image. Raises Problem and what the model raises."""

    def read() -> Image:
        with service.studies.in_use(study):
            return frame_of(load_reference(case.case), frame)

    async with service.clicks.opening:
        image = await run_in_threadpool(read)
        return await on_image(
            service, caller, model, image, accept=accept, study=study.id, case=case.id, frame=frame
        )


async def on_image(
    service: Service, caller: Caller, model: ServedModel, image: Image, *, accept: bool = False, **of: Any
) -> ClickSession:
    """Begin a session on an image, and write it down. Raises Problem and what the model raises."""
    made = await turn(
        service, model, lambda: sessions.clicks_on(model, image, accept_mismatch=accept), count=False
    )
    session = service.clicks.begin(caller.name, model, image, made, accepted=accept, **of)
    about: Details = {"model": model.bundle.hash[:16]}
    if session.study is not None:
        about["study"] = session.study
    if accept:
        about["accept_mismatch"] = 1
    try:
        service.audit.add(caller.name, "clicks", about)
    except VesaliusError:  # what cannot be written down is not done
        service.clicks.end(session)
        raise
    return session


async def changed(
    service: Service,
    session: ClickSession,
    strokes: Sequence[Stroke],
    *,
    seen: int | None = None,
    further: bool = False,
) -> dict[str, Any]:
    """Answer strokes in place of those that there are, or `further` ones after them; each when its turn comes.

    Where `seen` is the newest version, the answer is what changed since; else the whole mask. How long it took, its
    wait for others among it, counts as one click of `/metrics`, where there was anything to compute. Raises Problem 409
    for further strokes where it is another one, and 422 for one that cannot be answered; then all is as before.
    """
    came = time.perf_counter()
    async with session.lock:
        began, known, before = time.perf_counter(), session.version, session.bits
        if further and seen is not None and seen != known:
            raise Problem(
                409,
                "this session has gone on since",
                found=f"version {known}, not {seen}",
                hint="send all strokes",
            )
        wanted = (*session.strokes, *strokes) if further else strokes
        _assert_few(service, wanted)
        held, steps = session.strokes, session.steps(wanted)
        try:
            for step in steps:
                await turn(service, session.model, step)
        except VesaliusError:  # such as a stroke that removes from nothing: no half of the change stays
            for step in session.steps(held):
                await turn(service, session.model, step, count=False)
            raise
        took_s = time.perf_counter() - began
        service.clicks.settle(session)
        since, against = (before, known) if seen == known else (None, 0)
        body = await run_in_threadpool(session.body, since, against=against, took_s=took_s)
        if steps:
            service.metrics.latency.observe("click", session.model.name, time.perf_counter() - came)
        return body


def _assert_few(service: Service, strokes: Sequence[Stroke]) -> None:
    most = service.bounds.click_strokes
    if len(strokes) > most:
        raise Problem(
            413, "too many strokes about one object", found=str(len(strokes)), hint=f"at most {most}"
        )


async def turn(service: Service, model: ServedModel, act: Callable[[], T], *, count: bool = True) -> T:
    """Compute when it is this one's turn, and count how long the caller waited for it."""
    came, good = time.perf_counter(), False
    try:
        found = await asyncio.get_running_loop().run_in_executor(service.realtime, act)
        good = True
        return found
    finally:
        if count:
            service.metrics.clicks.labels(model.name, "answered" if good else "failed").inc()
            service.metrics.click_s.labels(model.name).observe(time.perf_counter() - came)


def frame_of(image: Image, frame: int) -> Image:
    """Return one frame of a cine as an image of its own; an image without times has one. Raises DataError."""
    count = 1 if image.times_s is None else len(image.times_s)
    if frame >= count:
        raise DataError("the image has no such frame", found=str(frame), hint=f"0 to {count - 1}")
    return image if image.times_s is None else replace(image, array=image.array[frame], times_s=None)


def kept_in_order(session: ClickSession, wanted: Sequence[Stroke]) -> tuple[Stroke, ...]:
    """Return the strokes of a client that tells no order: first those that are there already, as they came."""
    left = list(wanted)
    first = []
    for stroke in session.strokes:
        if stroke not in left:
            break
        left.remove(stroke)
        first.append(stroke)
    return (*first, *left)
