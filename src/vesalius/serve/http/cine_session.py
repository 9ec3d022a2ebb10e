"""A cine as one model sees it: which frames its answers stand on, when these were, and where another cine begins."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from vesalius.core.answers import Answer
from vesalius.core.case import Case
from vesalius.core.image import Image
from vesalius.infer.predictor import Predictor
from vesalius.infer.session import STREAM
from vesalius.serve.http.cine_frames import Frame

GAP = 100  # intervals between frames that were learned from, after which another cine begins


class CineSession:
    """A session of one cine after the other: which frames the state stands on, and when they were.

    Its frames count in no drift: they are of one patient, and as many as others' studies of a day.
    `gap_s` is the pause after which another cine begins, 0 for none; by default a hundred of the intervals between the
    frames that were learned from.
    """

    def __init__(self, predictor: Predictor, gap_s: float | None = None) -> None:
        self.predictor = predictor.listening(_unheard)
        self.streams = predictor.over_frames == STREAM
        self.gap_s = (gap_of(predictor) if gap_s is None else gap_s) if self.streams else 0.0
        self._begin()

    def _begin(self) -> None:
        self.session = self.predictor.open(Case("cine", {}, reference=None))
        self._covariates: dict[
            str, float | str | None
        ] = {}  # of one patient, so that another cine has none of them
        self._since: int | None = None  # the number of the first frame
        self._seen, self._first_s, self._last_s, self._arrived_s = 0, 0.0, 0.0, 0.0

    def step(self, frame: Frame, image: Image) -> tuple[Answer, dict[str, Any]]:
        """Return a frame's answer, and what is said of how it was seen. A frame that raises is not seen."""
        at_s = self._time_s(frame)
        if frame.told.reset or (self._since is not None and 0 < self.gap_s < at_s - self._last_s):
            self._begin()
            at_s = self._time_s(frame)
        self._covariates |= frame.told.covariates
        name, begun = f"frame-{frame.number}", self._since is not None
        if not self.streams:
            answer = self.session.step(Case(name, {"image": image}, covariates=self._covariates))
            return answer, {"sees": "frame"}
        first_s = self._first_s if begun else at_s
        timed = replace(image, array=image.array[None], times_s=(at_s - first_s,))
        answer = self.session.step(Case(name, {"image": timed}, covariates=self._covariates))
        self._since = self._since if begun else frame.number
        self._seen += 1
        self._first_s, self._last_s, self._arrived_s = first_s, at_s, frame.since_s
        return answer, {"sees": "frames", "since": self._since, "seen": self._seen, "time_s": at_s - first_s}

    def _time_s(self, frame: Frame) -> float:
        """Return when a frame was: as told, or as long after the last one that was seen as it arrived after it."""
        if frame.told.time_s is not None:
            return frame.told.time_s
        return 0.0 if self._since is None else self._last_s + frame.since_s - self._arrived_s


def _unheard(case: object, bins: object) -> None:
    """Take in nothing of where a frame lies beside what was learned from."""


def gap_of(predictor: Predictor) -> float:
    """Return a hundred of the intervals between frames that were learned from, in seconds; 0 where none is known."""
    times = predictor.stages[-1].stage.plan.fingerprint.get("times") or {}
    return GAP * float(times.get("interval_s") or 0.0)
