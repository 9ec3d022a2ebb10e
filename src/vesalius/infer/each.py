"""Case after case: what a predictor answers to each, a faulty one by its error."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from vesalius.core.answers import Answer
from vesalius.core.case import Case
from vesalius.core.errors import DataError, VesaliusError
from vesalius.core.image import Image
from vesalius.core.progress import Progress
from vesalius.infer.predictor import Predictor
from vesalius.prepare.case import with_reference


@dataclass(eq=False)
class Answered:
    """A case, its answer or what was wrong, and its reference image as it was decoded for the answer.

    `reference` is there until the next case is asked for, so that pixels of one case at a time are in memory; it is
    None where there is no answer.
    """

    case: Case
    answer: Answer | VesaliusError
    reference: Image | None


def answers(predictor: Predictor, cases: Sequence[Case], *, progress: Progress) -> Iterator[Answered]:
    """Answer case after case; a faulty one gives its error instead of stopping the rest."""
    progress.start("predict", len(cases))
    try:
        for case in cases:
            found = _answered(predictor, case)
            yield found
            found.reference = None
            progress.advance("predict")
    finally:
        progress.finish("predict")


def _answered(predictor: Predictor, case: Case) -> Answered:
    try:
        held = with_reference(case)
        return Answered(case, predictor(held), predictor.reference_of(held))
    except DataError as error:
        return Answered(case, error, None)
