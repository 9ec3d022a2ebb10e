"""Click to segment over a WebSocket: strokes go in, masks come back as what changed; frames of a live source, too.

The client sends one JSON a message (`ClickMessage`): `{"begin": {"study", "case", …}}` or `{"session": …}` first,
then `{"add": [stroke, …], "version"}` or, to undo and to delete, `{"strokes": [all], "version"}`. A picture (PNG, JPEG;
or bare pixels after `{"height", "width", "channels", "dtype"}`, as over `/api/cine`) begins a session on itself in
place of a stored image: a live source is frozen, and clicked on. The server answers each message with one `ClickBody`,
or `{"error", "found", "hint"}`, after which the strokes are as they were before. Messages are answered in their order
and none is dropped. A session on a stored image outlives the socket, until it rests too long; one on a picture ends
with it.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from fastapi import APIRouter, WebSocket, WebSocketDisconnect
from pydantic import ValidationError
from starlette.concurrency import run_in_threadpool

from vesalius.core.errors import DataError, VesaliusError
from vesalius.core.image import Image
from vesalius.serve.http.access import identify, service_of
from vesalius.serve.http.catalogue import ServedModel
from vesalius.serve.http.cine_frames import Layout, image_of
from vesalius.serve.http.clicks.opening import begun, changed, on_image
from vesalius.serve.http.clicks.schemas import ClickMessage
from vesalius.serve.http.clicks.session import ClickSession
from vesalius.serve.http.keys import Caller
from vesalius.serve.http.problems import Problem, log_unexpected, problem_of, validation_problem
from vesalius.serve.http.service import Service
from vesalius.serve.http.sockets import AWAY, LATER, end, key_of, offered_by, refuse

router = APIRouter()
_LOG = logging.getLogger(__name__)


@router.websocket("/api/clicks/live")
async def live(socket: WebSocket, model: str = "", accept_mismatch: bool = False, modality: str = "") -> None:
    """Answer strokes until the client leaves. `modality` says of pictures what they are of, which pixels do not."""
    service, offered = service_of(socket), offered_by(socket)
    try:
        caller = identify(socket, key_of(socket, offered))
        if not caller.may("user"):
            raise Problem(403, "this key may not do that", hint="role user")
        found = service.models.get(model)
        if not found.about["clicks"]:
            raise DataError(f"'{found.name}' takes no clicks")
    except (Problem, VesaliusError) as error:
        await refuse(socket, error, offered)
        return
    if service.sessions >= service.bounds.sessions:
        await refuse(socket, Problem(429, "too many WebSockets at one time"), offered, code=LATER)
        return
    await socket.accept("vesalius" if "vesalius" in offered else None)
    service.sessions += 1
    talk = _Talk(service, caller, found, accept_mismatch, modality or None)
    try:
        await _answer(socket, talk)
    finally:
        service.sessions -= 1
        talk.leave()


class _Talk:
    """What one client and the service are at: a session, and how bare pixels lie."""

    def __init__(
        self, service: Service, caller: Caller, model: ServedModel, accept: bool, modality: str | None
    ) -> None:
        self.service, self.caller, self.model = service, caller, model
        self.accept, self.modality = accept, modality
        self.session: ClickSession | None = None
        self.layout: Layout | None = None

    async def hear(self, text: str) -> dict[str, Any] | None:
        """Return the answer to a message in JSON; None where it only says how pixels lie. Raises Problem and ours."""
        if len(text) > self.service.bounds.text_bytes:
            raise Problem(
                413, "a message that is too large", hint=f"at most {self.service.bounds.text_bytes:,} bytes"
            )
        said = _object(text)
        if "height" in said:
            self.layout = Layout.model_validate(said)
            return None
        asked = ClickMessage.model_validate(said)
        if asked.begin is not None:
            accept = asked.begin.accept_mismatch or self.accept
            wanted = asked.begin.model_copy(update={"model": self.model.name, "accept_mismatch": accept})
            self.leave()
            self.session, body = await begun(wanted, self.service, self.caller)
            return body
        if asked.session is not None:
            self.leave()
            self.session = self.service.clicks.get(asked.session, self.caller.name)
            return await run_in_threadpool(self.session.body)
        if self.session is None:
            raise DataError("no image to click on yet", hint='"begin", "session", or a picture first')
        session = self.service.clicks.get(self.session.id, self.caller.name)
        strokes = [s.stroke() for s in asked.add or asked.strokes or ()]
        return await changed(
            self.service, session, strokes, seen=asked.version, further=asked.add is not None
        )

    async def see(self, data: bytes) -> dict[str, Any]:
        """Begin a session on a picture that came. Raises Problem and ours."""
        self.leave()
        image = await run_in_threadpool(self._picture, data)
        self.session = await on_image(self.service, self.caller, self.model, image, accept=self.accept)
        return await run_in_threadpool(self.session.body)

    def _picture(self, data: bytes) -> Image:
        place = self.service.root / f"clicks-{id(self):x}"
        try:
            return replace(image_of(data, self.layout, place), modality=self.modality)
        except VesaliusError as error:
            raise problem_of(error, lambda text: _plainly(text, place)) from error

    def leave(self) -> None:
        """End a session that nothing could find again."""
        if self.session is not None and self.session.study is None:
            self.service.clicks.end(self.session)
        self.session = None


async def _answer(socket: WebSocket, talk: _Talk) -> None:
    """Answer one message after the other."""
    idle_s = talk.service.bounds.click_idle_s
    try:
        while True:
            try:
                message = await asyncio.wait_for(socket.receive(), idle_s)
            except TimeoutError:
                await end(socket, Problem(408, f"no stroke came for {idle_s:.0f} s"), AWAY)
                return
            if message["type"] == "websocket.disconnect":
                return
            body = await _one(talk, message)
            if body is not None:
                await socket.send_text(json.dumps(body))
    except (WebSocketDisconnect, RuntimeError):  # the client has gone while its answer was made
        return


async def _one(talk: _Talk, message: Any) -> dict[str, Any] | None:
    """Return what is said to one message; an error ends no socket."""
    came = time.perf_counter()
    try:
        text = message.get("text")
        body = await talk.hear(text) if text is not None else await talk.see(message.get("bytes") or b"")
        return None if body is None else {**body, "took_ms": round(1000 * (time.perf_counter() - came), 3)}
    except ValidationError as error:
        first = error.errors()[0]
        said: Any = validation_problem({**first, "loc": ("message", *first["loc"])}).body
        return dict(said)
    except Problem as problem:
        return dict(problem.body)
    except VesaliusError as error:
        return dict(problem_of(error, lambda text: _plainly(text, talk.service.root)).body)
    except WebSocketDisconnect:
        raise
    except Exception as error:  # noqa: BLE001 - one stroke must not end the session
        log_unexpected(_LOG, "a stroke could not be answered", error)
        return {"error": "an internal error", "found": None, "hint": None}


def _plainly(text: str, place: Path) -> str:
    return text.replace(str(place), "the picture")


def _object(text: str) -> dict[str, Any]:
    """Return the JSON object in a message. Raises Problem 422."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        raise Problem(422, "the message is not JSON that can be read") from None
    if not isinstance(found, dict):
        raise Problem(422, "the message is a JSON object", hint='{"begin": …}')
    return found
