"""Newton's method on a partial likelihood, and the errors of columns and data by which it has no largest value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vesalius.core.errors import DataError
from vesalius.core.image import Array
from vesalius.core.words import listed
from vesalius.survival.partial import Partial

_STEPS = 30
_SMALL = 1e-9  # the largest step, in standard deviations of the columns, at which it has arrived
_HALVED = 20
_ALIKE = 1e-9  # what is left of a column, beside others, that they already tell


@dataclass(frozen=True, eq=False)
class Columns:
    """Columns less their mean and over their standard deviation: `z` `(N, F)`, `centre` and `spread` `(F,)`."""

    z: Array
    centre: Array
    spread: Array


def columns(x: Array, names: Sequence[str], weights: Array) -> Columns:
    """Return standardised columns. Raises DataError where one is not finite, has one value only, or has no name."""
    if x.ndim != 2 or x.shape[1] != len(names) or not x.shape[1]:
        raise DataError("need a name for each column", found=f"{len(names)} names and shape {x.shape}")
    if len(set(names)) < len(names):
        raise DataError("two columns have one name", found=listed(list(names)))
    odd = [n for n, column in zip(names, x.T, strict=True) if not np.isfinite(column).all()]
    if odd:
        raise DataError(
            f"the column '{odd[0]}' holds values that are not finite",
            hint="fill what is missing, or leave it out",
        )
    if len(weights) != len(x) or not weights.sum() > 0:
        raise DataError("need a weight for each patient, some above 0", found=f"{len(weights)} for {len(x)}")
    centre = np.average(x, axis=0, weights=weights)
    spread = np.sqrt(np.average((x - centre) ** 2, axis=0, weights=weights))
    flat = [n for n, s, c in zip(names, spread, centre, strict=True) if s <= 1e-10 * max(abs(c), 1e-290)]
    if flat:
        raise DataError(f"the column '{flat[0]}' has one value in all patients", hint="leave it out")
    return Columns((x - centre) / spread, centre, spread)


def maximise(partial: Partial, names: Sequence[str], *, ridge: float = 0.0) -> tuple[Array, Array]:
    """Return the coefficients `(F,)` at which a penalised likelihood is largest, and its information there `(F, F)`.

    `ridge` is the penalty: half of it, times the sum of squared coefficients, is taken off. Raises DataError where
    columns tell the same thing, or the likelihood grows without end (separation).
    """
    beta = np.zeros(partial.x.shape[1])
    penalty = ridge * np.eye(len(beta))
    value = partial.value(beta)
    step = np.zeros_like(beta)
    for count in range(_STEPS):
        gradient, information = partial.slopes(beta)
        if count == 0:
            _independent(information, names, penalised=ridge > 0)
        step = _solve(information + penalty, gradient - ridge * beta, names, step)
        if np.abs(step).max() < _SMALL:
            return beta, information + penalty
        for _ in range(_HALVED):
            found = partial.value(beta + step) - ridge / 2 * float(((beta + step) ** 2).sum())
            if found >= value - 1e-10 * abs(value):
                break
            step = step / 2
        else:
            break
        beta, value = beta + step, found
    raise _endless(names, step)


def _solve(information: Array, gradient: Array, names: Sequence[str], last: Array) -> Array:
    from scipy.linalg import LinAlgError, cho_factor, cho_solve

    try:
        return np.asarray(cho_solve(cho_factor(information), gradient))
    except (LinAlgError, ValueError) as error:  # ValueError: not finite
        raise _endless(names, last) from error


def _endless(names: Sequence[str], step: Array) -> DataError:
    """Return the error of a likelihood without a largest value; the columns that still move are named."""
    moving = [
        n for n, s in zip(names, np.abs(step), strict=True) if s > max(1e-3 * np.abs(step).max(), _SMALL)
    ]
    return DataError(
        "the likelihood of the Cox model has no largest value: some values of columns divide those with the event from "
        "the others",
        found=f"coefficients that grow without end: {listed(moving or list(names), 5)}",
        hint="join rare values, leave such a column out, or give a penalty",
    )


def _independent(information: Array, names: Sequence[str], *, penalised: bool) -> None:
    """Raise DataError where a column is the same in all who are compared, or told by the others."""
    from scipy.linalg import qr

    own = np.diag(information)
    flat = [n for n, i in zip(names, own, strict=True) if i <= _ALIKE * own.max()]
    if flat:
        raise DataError(
            f"the column '{flat[0]}' is the same in all patients who are compared at an event",
            hint="leave it out",
        )
    if penalised:
        return
    scale = np.sqrt(own)
    triangle, places = qr(information / np.outer(scale, scale), mode="r", pivoting=True)
    alike = [names[p] for p, r in zip(places, np.abs(np.diag(triangle)), strict=True) if r <= _ALIKE]
    if alike:
        raise DataError(
            f"the column '{alike[0]}' is told by the other columns", hint="leave it out, or give a penalty"
        )
