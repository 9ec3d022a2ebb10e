"""What each thing that is known of a patient counts for: the answer with it and without it, as fair shares.

Without it means: with the average of training cases, or their most frequent word, in its place. What is left when all
are so is the image's and whatever else the model sees.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from vesalius.answers import contract
from vesalius.core.arms import UnderArms
from vesalius.core.case import Case
from vesalius.core.errors import DataError
from vesalius.core.image import Array
from vesalius.core.known import word
from vesalius.infer.predictor import Predictor
from vesalius.run.advice.result import Contribution

EXACT = {False: 6, True: 3}  # factors whose shares are exact, of cases without images and with
AVERAGE, IMAGE = "average patient", "image and whatever else is seen"


def contributions(
    predictor: Predictor, case: Case, usual: Mapping[str, float | str]
) -> tuple[tuple[Contribution, ...], bool]:
    """Return what each factor counts for, and whether they add up; first what is left without any of them.

    Shapley values of up to 6 factors (3 where there are images), which add up to the risk and to the benefit. Of more
    factors each is left out by itself, and what they share is in none.
    """
    names = [n for n in usual if case.covariates.get(n) is not None]
    exact = len(names) <= EXACT[bool(case.images)]

    def said(kept: Sequence[bool]) -> Array:
        away = {n: usual[n] for n, k in zip(names, kept, strict=True) if not k}
        return _numbers(_told(predictor, replace(case, covariates={**case.covariates, **away})))

    n = len(names)
    none = said([False] * n)
    whole = said([True] * n) if n else none
    shares = _shapley(said, n) if exact else np.stack([whole - said(_but(n, k)) for k in range(n)])
    arms = [g.arm for g in _told(predictor, case).gains]
    rows = [_row(IMAGE if case.images else AVERAGE, "", none, arms)]
    for k in np.argsort(-np.abs(shares[:, 0]), kind="stable") if n else ():
        rows.append(_row(names[k], word(case.covariates[names[k]]), shares[k], arms))
    return tuple(rows), exact


def _shapley(said: Callable[[Sequence[bool]], Array], n: int) -> Array:
    """Return the fair shares `(n, K)` of all that is said, by asking about every choice of factors."""
    answers = {kept: said(kept) for kept in itertools.product((False, True), repeat=n)}
    values = np.zeros((n, len(answers[(False,) * n])))
    for kept, without in answers.items():
        size = sum(kept)
        for k in range(n):
            if not kept[k]:
                weight = math.factorial(size) * math.factorial(n - size - 1) / math.factorial(n)
                values[k] += weight * (answers[(*kept[:k], True, *kept[k + 1 :])] - without)
    return values


def _but(n: int, k: int) -> list[bool]:
    return [j != k for j in range(n)]


def _told(predictor: Predictor, case: Case) -> UnderArms:
    answer = predictor(case)
    found = contract.of(answer).under_arms(answer)
    if found is None:
        raise DataError(f"case {case.id}: the answer tells of no benefit")
    return found


def _numbers(told: UnderArms) -> Array:
    risk = np.nan if told.risk is None else told.risk
    return np.array([risk, *(g.survival[0] for g in told.gains)], np.float64)


def _row(name: str, value: str, numbers: Array, arms: Sequence[str]) -> Contribution:
    risk = float(numbers[0]) if np.isfinite(numbers[0]) else None
    return Contribution(name, value, risk, {a: float(v) for a, v in zip(arms, numbers[1:], strict=True)})
