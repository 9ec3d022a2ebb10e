"""All sessions of clicks of a service: so many, so large, so long at most; each its owner's alone, none on a disk."""

from __future__ import annotations

import asyncio
import secrets
import threading
import time
from collections.abc import Callable
from typing import Any

from vesalius.core.errors import BudgetError, DataError
from vesalius.core.image import Image
from vesalius.infer.clicking import Clicking
from vesalius.serve.http.catalogue import ServedModel
from vesalius.serve.http.clicks.session import Clicks, ClickSession
from vesalius.serve.http.limits import Bounds
from vesalius.serve.http.problems import Problem

RESTED_S = 60.0  # after which a session gives way to another caller's, where all places are taken


class ClickSessions:
    """The sessions by id. `ended` is told of each that goes, whoever ends it."""

    def __init__(self, bounds: Bounds, ended: Callable[[ClickSession], None] = lambda session: None) -> None:
        self.bounds, self._ended = bounds, ended
        self._sessions: dict[str, ClickSession] = {}
        self._lock = threading.RLock()
        self.opening = asyncio.Lock()  # one image on its way into memory at a time

    def __len__(self) -> int:
        return len(self._sessions)

    def stored(self) -> int:
        """Return how many bytes all sessions hold in memory."""
        with self._lock:
            return sum(s.clicks.nbytes for s in self._sessions.values())

    def begin(self, owner: str, model: ServedModel, image: Image, clicks: Clicks, **of: Any) -> ClickSession:
        """Keep a new session. Its owner's longest rested one gives way, where it has as many as it may.

        Raises Problem 429 where all are in use, BudgetError for an image that is too large beside the others.
        """
        made = ClickSession(secrets.token_urlsafe(12), owner, model, image, clicks, **of)
        with self._lock:
            own = self._by_rest(lambda s: s.owner == owner)
            for old in own[: max(0, len(own) + 1 - self.bounds.clicks_each)]:
                self.end(old)
            now = time.monotonic()
            resting = self._by_rest(lambda s: s.owner == owner or now - s.touched > RESTED_S)
            while self._full(made):
                if not resting:
                    self._refuse(made)
                self.end(resting.pop(0))
            self._sessions[made.id] = made
        return made

    def get(self, session: str, owner: str) -> ClickSession:
        """Return a session of an owner's. Raises Problem 404."""
        with self._lock:
            found = self._sessions.get(session)
        if found is None or found.owner != owner:
            raise Problem(
                404,
                "no such session of clicks",
                found="it rested too long, gave way to another, or the service was started anew",
                hint="begin another with its strokes, which the client keeps",
            )
        return found

    def of(
        self, owner: str, model: ServedModel, study: str, case: str, *, accepted: bool = False
    ) -> ClickSession | None:
        """Return the newest session of an owner's about an image, or its first frame, with a model."""
        with self._lock:
            wanted = (owner, model.name, study, case, 0, accepted)
            every = (s for s in self._sessions.values())
            found = [
                s for s in every if (s.owner, s.model.name, s.study, s.case, s.frame, s.accepted) == wanted
            ]
        return found[-1] if found else None

    def settle(self, session: ClickSession) -> None:
        """Let others that rest give way, where a session has come to hold more than all may with the others."""
        now = time.monotonic()
        with self._lock:
            others = self._by_rest(lambda s: s.owner == session.owner or now - s.touched > RESTED_S)
            for old in (s for s in others if s is not session):
                if self.stored() <= self.bounds.click_bytes:
                    return
                self.end(old)

    def end(self, session: ClickSession) -> None:
        """Forget a session."""
        with self._lock:
            gone = self._sessions.pop(session.id, None)
        if gone is not None:
            self._ended(gone)

    def forget(self, study: str) -> None:
        """Forget the sessions about a study."""
        for session in self._by_rest(lambda s: s.study == study):
            self.end(session)

    def expire(self) -> None:
        """Forget the sessions that have rested for too long."""
        now = time.monotonic()
        for session in self._by_rest(lambda s: now - s.touched > self.bounds.click_idle_s):
            self.end(session)

    def _by_rest(self, wanted: Callable[[ClickSession], bool]) -> list[ClickSession]:
        """Return some of the sessions, the longest rested first."""
        with self._lock:
            return sorted(filter(wanted, self._sessions.values()), key=lambda s: s.touched)

    def _full(self, made: ClickSession) -> bool:
        many = len(self._sessions) >= self.bounds.clicks
        return many or self.stored() + made.clicks.nbytes > self.bounds.click_bytes

    def _refuse(self, made: ClickSession) -> None:
        if made.clicks.nbytes > self.bounds.click_bytes:
            raise BudgetError(
                "an image that is too large to click on",
                found=f"{made.clicks.nbytes:,} bytes",
                hint=f"at most {self.bounds.click_bytes:,}",
            )
        raise Problem(
            429,
            "too many sessions of clicks at one time",
            hint=f"end one, or wait {RESTED_S:.0f} s",
            headers={"Retry-After": f"{RESTED_S:.0f}"},
        )


def clicks_on(model: ServedModel, image: Image, *, accept_mismatch: bool = False) -> Clicks:
    """Return a model ready for strokes on an image. Raises DataError for one that takes none, MismatchError."""
    if not model.about["clicks"]:
        raise DataError(
            f"'{model.name}' takes no clicks", hint='a model whose "clicks" are true in /api/models'
        )
    made: Clicks = Clicking(model.predictor(accept_mismatch=accept_mismatch), image)
    return made
