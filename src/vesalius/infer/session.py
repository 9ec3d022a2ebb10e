"""Sessions: a case that is asked about again and again, as frames, clicks or words are added to it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Protocol

from vesalius.core.answers import Answer
from vesalius.core.case import Case
from vesalius.core.errors import DataError
from vesalius.core.image import Image
from vesalius.core.words import listed
from vesalius.prepare.batch import Example
from vesalius.prepare.case import load

# how frames that come one by one are answered: each by itself, after those before it, or not at all
EACH, STREAM, WHOLE = "each", "stream", "whole"


class Answering(Protocol):
    """What answers a case: a Predictor. `over_frames` is EACH, STREAM or WHOLE; the rest is for sessions of frames."""

    def __call__(self, case: Case) -> Answer:
        """Return the answer to a case."""

    @property
    def over_frames(self) -> str:
        """How frames that come one by one are answered."""

    def encoded(self, case: Case) -> Any:
        """Return a case prepared. Raises what answering it would raise before a model sees it."""

    def seen(self, example: Example, before: Any) -> tuple[Any, Any, Any]:
        """Return the raw outputs after further steps, what is remembered then, and what was heard of the models."""

    def said(self, raw: Any, of: Any, heard: Any) -> Answer:
        """Return the answer that raw outputs about a prepared case, and what was heard of the models, mean."""

    def admit(self, case: Case, reference: Image | None = None) -> tuple[str, ...] | None:
        """Return in what a case lies outside of what was learned from."""


class Session(Protocol):
    """One open case. A run that keeps a state between steps (a recurrent net's, a text so far) brings its own."""

    def step(self, more: Case | None = None) -> Answer:
        """Return the answer, now that `more` is known of the case; without it, the next answer to what is known."""


class Anew:
    """A session without a state: each step answers everything that is known by then, anew.

    `whole` says that the model sees whole cines, of which no single frame is one.
    """

    def __init__(self, answer: Callable[[Case], Answer], case: Case, *, whole: bool = False) -> None:
        self.answer, self.case, self.whole = answer, case, whole

    def step(self, more: Case | None = None) -> Answer:
        """Return the answer to the case as it is known now. Raises DataError for a frame where cines are needed."""
        if more is not None:
            if self.whole:
                _assert_cines(more)
            self.case = with_more(self.case, more)
        return self.answer(self.case)


def _assert_cines(more: Case) -> None:
    """Raise DataError for images of one frame each, which a model of cines would take for cines that end with it."""
    frames = {name: len(load(item).times_s or (0.0,)) for name, item in more.images.items()}
    if frames and max(frames.values()) < 2:
        raise DataError(
            "the model sees whole cines: later frames change what it says of earlier ones",
            found=f"a single frame of {listed(list(frames), 4)}",
            hint="the whole cine in one step, or a bundle of fit --set sources.causal=true",
        )


def with_more(case: Case, more: Case) -> Case:
    """Return a case with what is new of it: later images, texts and covariates replace, prompts are added.

    Its id and its reference are those of `more`.
    """
    return replace(
        case,
        id=more.id,
        reference=more.reference,
        images={**case.images, **more.images},
        covariates={**case.covariates, **more.covariates},
        texts={**case.texts, **more.texts},
        prompts=(*case.prompts, *more.prompts),
    )
