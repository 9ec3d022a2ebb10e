"""Live: frames of a cine handed over one by one in Python, each answered as it comes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from vesalius import cohorts, formats
from vesalius.core.answers import Answer
from vesalius.core.bundle import Bundle
from vesalius.core.case import Case, Ref
from vesalius.core.errors import DataError, PlanError, VesaliusError
from vesalius.core.image import Image
from vesalius.infer.given import asked
from vesalius.infer.guard import together
from vesalius.infer.predictor import Predictor
from vesalius.infer.session import STREAM, WHOLE, Session


class Live:
    """Answers frames as they come; made by `bundle.stream()`.

    A causal model of cines keeps what it has seen, so that each frame costs the same, and its answer is that of a file
    of the frames so far. A model of pictures answers each frame by itself. `streams` says which of the two it is, and
    `seen` is how many frames the last answer stands on. `covariates` and `texts` are what else is known of the patient.

    Raises PlanError for a model that must see all of a cine before it can answer, BundleError, and DataError for a
    covariate that is needed and not given (at the first frame).
    """

    def __init__(
        self,
        bundle: Bundle,
        *,
        covariates: Mapping[str, float | str] | None = None,
        texts: Mapping[str, str] | None = None,
        device: str | None = None,
        accept_mismatch: bool = False,
        refuse_unlike: bool = False,
    ) -> None:
        self._ask = Predictor(
            bundle, device=device, accept_mismatch=accept_mismatch, refuse_unlike=refuse_unlike
        )
        if self._ask.over_frames == WHOLE:
            raise PlanError(
                f"the bundle '{bundle.name}' must see all of a cine before it can answer",
                hint="vs.predict of the whole cine, or a bundle of fit --set sources.causal=true",
            )
        self.streams = self._ask.over_frames == STREAM
        self._known = Case(
            "cine", {}, reference=None, covariates=dict(covariates or {}), texts=dict(texts or {})
        )
        self._session: Session
        self.reset()

    def reset(self) -> None:
        """Forget all frames: the next one begins another cine of the same patient."""
        self._session, self.seen, self._count = self._ask.open(self._known), 0, 0
        self._first_s: float | None = None

    def __call__(self, frame: Any, *, time_s: float | None = None) -> Answer:
        """Return the answer to a frame after those before it.

        `frame` is an `Image`, pixels in memory (NumPy, torch, PIL), the path of a picture, or a mapping of such by an
        image's name. `time_s` is when it was, in seconds of any clock, such as `time.monotonic()`; a model of cines
        needs it, unless the image has its own `times_s`. A frame that raises is not seen, and the next goes on. Raises
        DataError's kinds: for a frame of another size, one that goes back in time, or what `predict` refuses.
        """
        case, assumed = self._case(frame)
        images, first_s = dict(case.images), self._first_s
        if self.streams:
            if time_s is not None:
                first_s = time_s if first_s is None else first_s
            images = {name: self._timed(image, time_s, first_s) for name, image in images.items()}
        more = replace(case, id=f"frame-{self._count}", images=images)
        answer = self._session.step(more)
        self._count, self._first_s = self._count + 1, first_s
        self.seen = getattr(self._session, "seen", 1)
        return replace(answer, outside=together(answer.outside, assumed)) if assumed else answer

    def _case(self, frame: Any) -> tuple[Case, tuple[str, ...]]:
        """Return a frame as a case, and what was assumed of it."""
        if isinstance(frame, str | Path):
            frame = formats.read(Ref((Path(frame),)))
        if isinstance(frame, Case):
            return frame, ()
        accepted = self._ask.accept_mismatch
        (one,) = asked([frame], self._ask.bundle, read=cohorts.read, accept_mismatch=accepted)
        if isinstance(one.case, VesaliusError):
            raise one.case
        return one.case, one.assumed

    def _timed(self, item: Image | Ref, time_s: float | None, first_s: float | None) -> Image:
        """Return a frame with its time after the first one."""
        image = formats.read(item) if isinstance(item, Ref) else item
        if image.times_s is not None:
            if time_s is not None:
                raise DataError("the frame has its own times", found=f"time_s={time_s:g}", hint="no time_s")
            return image
        if time_s is None or first_s is None:
            raise DataError(
                "a model of cines needs to know when each frame was",
                hint="time_s=…, in seconds of any clock, such as time.monotonic()",
            )
        return replace(image, array=image.array[None], times_s=(time_s - first_s,))
