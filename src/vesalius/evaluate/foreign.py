"""Any tool's predictions as answers, of the kind that belongs to the target they are scored against."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from vesalius.answers import contract
from vesalius.answers.contract import ForeignAnswers
from vesalius.cohorts.targets import contract as kinds
from vesalius.core.answers import Answer
from vesalius.core.case import Case
from vesalius.core.cohort import TargetInfo
from vesalius.core.errors import DataError
from vesalius.core.image import Image
from vesalius.plan.positive import positive_of


def foreign_answers(path: Path, cases: Sequence[Case], target: TargetInfo) -> ForeignAnswers:
    """Return answers by case id. Masks are matched by file name, rows of a table by the column that names the case.

    Raises DataError where there is none, where a case is answered twice, and for a table that cannot be read.
    """
    handling = contract.for_target(target.kind)
    return handling.foreign(path, cases, target, positive=positive_class(cases, target))


def assert_drawn_on(reference: Image, answer: Answer, case_id: str) -> None:
    """Raise DataError where another tool's answer does not lie on the image that it answers."""
    fault = contract.of(answer).misplaced(answer, reference)
    if fault is not None:
        raise DataError(f"case {case_id}: the answer lies on another grid than its image", found=fault)


def positive_class(cases: Sequence[Case], target: TargetInfo) -> str | None:
    """Return the class that sensitivity speaks of where there are two, by the rule that plans follow.

    A CSV names none.
    """
    names = [x.name for x in target.labels]
    if not kinds.of(target.kind).nominal or len(names) != 2:
        return None
    seen = Counter(str(c.targets.get(target.name)) for c in cases)
    return positive_of({name: seen[name] for name in names})
