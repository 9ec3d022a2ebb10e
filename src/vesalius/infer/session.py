"""Sessions: a case that is asked about again and again, as frames, clicks or words are added to it."""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol

from vesalius.core.answers import Answer
from vesalius.core.case import Case


class Answering(Protocol):
    """What answers a case: a Predictor."""

    def __call__(self, case: Case) -> Answer:
        """Return the answer to a case."""


class Session(Protocol):
    """One open case. A run that keeps a state between steps (a recurrent net's, a text so far) brings its own."""

    def step(self, more: Case | None = None) -> Answer:
        """Return the answer, now that `more` is known of the case; without it, the next answer to what is known."""


class Anew:
    """A session without a state: each step answers everything that is known by then, anew."""

    def __init__(self, answer: Answering, case: Case) -> None:
        self.answer, self.case = answer, case

    def step(self, more: Case | None = None) -> Answer:
        """Return the answer to the case as it is known now."""
        if more is not None:
            self.case = with_more(self.case, more)
        return self.answer(self.case)


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
