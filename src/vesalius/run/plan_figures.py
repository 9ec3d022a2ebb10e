"""What one plan came to on held-out folds, with its scores on drawn patients, and whether plans can be compared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from vesalius.core.errors import PlanError
from vesalius.core.image import Array
from vesalius.core.seeds import seed_of
from vesalius.learn.validate import LOSS

DRAWS = 400  # of patients, for intervals


@dataclass(frozen=True)
class PlanScore:
    """What one plan came to on one group of folds, larger is better.

    `draws` are its scores on patients drawn with replacement: the k-th draw is of the same patients for every plan, so
    that the differences of two plans' draws are paired; one that is not defined is None. `by` says what was scored by.
    """

    score: float
    draws: tuple[float | None, ...]
    by: str
    steps: int
    seconds: float
    cases: int
    patients: int
    parameters: int

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON takes it."""
        return {**asdict(self), "draws": list(self.draws)}


def comparable(scores: Sequence[PlanScore], *, losses: bool) -> None:
    """Raise PlanError where scores are by the loss, and `losses` that differ between plans are searched, too.

    Also where plans were scored by different things.
    """
    by = sorted({one.by for one in scores})
    if len(by) > 1:
        raise PlanError(
            "the plans were scored by different things, which cannot be compared", found=", ".join(by)
        )
    if by == [LOSS] and losses:
        raise PlanError(
            "the task's primary figure is not defined on the validation cases, and losses of different kinds cannot "
            "be compared",
            hint="a --space without loss.* (--dry-run prints the usual one), or more validation cases",
        )


def patients_drawn(patients: Sequence[str], seed: int) -> list[Array]:
    """Return the places of the cases of patients drawn with replacement, as many as there are, DRAWS times."""
    cases: dict[str, list[int]] = {}
    for place, patient in enumerate(patients):
        cases.setdefault(patient, []).append(place)
    each = [np.array(places) for places in cases.values()]
    rng = np.random.default_rng(seed_of(seed, "draws", *sorted(cases)))
    return [np.concatenate([each[k] for k in rng.integers(len(each), size=len(each))]) for _ in range(DRAWS)]
