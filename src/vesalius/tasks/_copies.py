"""A covariate that is the target in other words, which makes any model look perfect."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vesalius.core.case import Case
from vesalius.core.cohort import Cohort, TargetInfo
from vesalius.core.words import counted
from vesalius.tasks import _numbers

FEWEST = 10  # of fewer cases a straight line may be chance
SAME = 0.999  # correlation from which on two columns are one, such as an age in years and in whole months


def copied(cohort: Cohort, cases: Sequence[Case], target: TargetInfo) -> tuple[str, ...]:
    """Return what is missing where a covariate that will be learned from is a straight line of a number to learn.

    These are the covariates that a person named and, where there are no images, all of them if nobody named any.
    """
    bare = not any(case.images for case in cases)
    names = cohort.covariates or (dict.fromkeys(n for c in cases for n in c.covariates) if bare else ())
    for info in _numbers.infos(target):
        there = [
            (c.covariates, held[info.name])
            for c in cases
            if info.name in (held := _numbers.held(c, target.name))
        ]
        for name in names:
            pairs = [(x, float(y)) for own, y in there if isinstance(x := own.get(name), int | float)]
            if len(pairs) >= FEWEST and _one_line(np.array(pairs, dtype=np.float64)):
                many = counted(len(pairs), "case")
                return (
                    f"covariates that are not the target: '{name}' says '{info.name}' itself in {many} "
                    "(--column covariate=A,B names those to learn from)",
                )
    return ()


def _one_line(pairs: np.ndarray) -> bool:
    if not np.isfinite(pairs).all() or not pairs.std(axis=0).all():
        return False
    return bool(abs(np.corrcoef(pairs.T)[0, 1]) > SAME)
