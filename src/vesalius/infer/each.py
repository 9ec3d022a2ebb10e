"""Case after case: what a predictor answers to each, a faulty one by its error."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from vesalius.core.answers import Answer
from vesalius.core.case import Case
from vesalius.core.errors import DataError, VesaliusError
from vesalius.core.progress import Progress
from vesalius.infer.predictor import Predictor


def answers(
    predictor: Predictor, cases: Sequence[Case], *, progress: Progress
) -> Iterator[tuple[Case, Answer | VesaliusError]]:
    """Answer case after case; a faulty one gives its error instead of stopping the rest."""
    progress.start("predict", len(cases))
    try:
        for case in cases:
            try:
                yield case, predictor(case)
            except DataError as error:
                yield case, error
            progress.advance("predict")
    finally:
        progress.finish("predict")
