"""Case after case: what a predictor answers to each, a faulty one by its error."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sized
from dataclasses import dataclass, replace

from vesalius.core.answers import Answer
from vesalius.core.case import Case
from vesalius.core.errors import DataError, VesaliusError
from vesalius.core.image import Image
from vesalius.core.progress import Progress
from vesalius.infer.given import Asked
from vesalius.infer.guard import together
from vesalius.infer.predictor import Predictor
from vesalius.prepare.case import with_reference

Change = Callable[[Case], Case]


@dataclass(eq=False)
class Answered:
    """A case, its answer or what was wrong, and its reference image as it was decoded for the answer.

    `reference` is there until the next case is asked for, so that pixels of one case at a time are in memory; it is
    None where there is no answer. `seconds` is how long the answer took, reading included.
    """

    case: Case
    answer: Answer | VesaliusError
    reference: Image | None
    seconds: float = 0.0


def answers(
    predictor: Predictor,
    cases: Iterable[Case | Asked],
    *,
    progress: Progress,
    change: Change | None = None,
) -> Iterator[Answered]:
    """Answer case after case, of a generator each when it comes; a faulty one gives its error and stops no other.

    `change` makes of a case, whose reference image is read, the one that is asked about in its place, such as a worse
    one; what is yielded names the case as it came, and has the reference image that was asked about.
    """
    progress.start("predict", len(cases) if isinstance(cases, Sized) else None)
    try:
        for case in cases:
            found = _answered(predictor, case if isinstance(case, Asked) else Asked(case.id, case), change)
            yield found
            found.reference = None
            progress.advance("predict")
    finally:
        progress.finish("predict")


def _answered(predictor: Predictor, asked: Asked, change: Change | None) -> Answered:
    case = asked.case
    if isinstance(case, VesaliusError):
        return Answered(Case(asked.id, {}), case, None)
    try:
        began = time.perf_counter()
        held = with_reference(case)
        held = held if change is None else change(held)
        answer = predictor(held)
        took = time.perf_counter() - began
        if asked.assumed:
            answer = replace(answer, outside=together(answer.outside, asked.assumed))
        return Answered(case, answer, predictor.reference_of(held), took)
    except DataError as error:
        return Answered(case, error, None)
