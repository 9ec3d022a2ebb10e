"""Trial: patients, what each was given and what became of each; randomised or not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vesalius.core.errors import DataError, UnknownName
from vesalius.core.image import Array
from vesalius.core.words import counted, listed
from vesalius.survival.observed import Observed

FEWEST = 10  # patients of an arm: with fewer nothing is said of it


@dataclass(frozen=True, eq=False)
class Trial:
    """N patients, one row each, of whom F things were known before treatment.

    `x` `(N, F)`: what was known, finite; `names` its F names. `arm` `(N,)`: places in `arms`, of what each was given.
    `randomised`: whether chance alone decided on that; None where nobody says, and then it is taken as not
    randomised, which is right in either case. An event of any cause ends the time.
    """

    x: Array
    names: tuple[str, ...]
    arm: Array
    arms: tuple[str, ...]
    observed: Observed
    randomised: bool | None = None

    def __len__(self) -> int:
        return len(self.arm)

    def code(self, arm: str) -> int:
        """Return an arm's place in `arms`. Raises UnknownName."""
        if arm not in self.arms:
            raise UnknownName("arm", arm, self.arms)
        return self.arms.index(arm)

    def given(self, arm: str) -> Array:
        """Return who was given this arm, `(N,)` of bits. Raises UnknownName."""
        return np.asarray(self.arm == self.code(arm))

    def where(self, index: Array) -> Trial:
        """Return the patients at these places, or where these bits are set."""
        return Trial(
            self.x[index],
            self.names,
            self.arm[index],
            self.arms,
            self.observed.where(index),
            self.randomised,
        )


def trial(
    x: Array,
    arm: Sequence[str] | Array,
    observed: Observed,
    *,
    names: Sequence[str],
    arms: Sequence[str] = (),
    randomised: bool | None = None,
) -> Trial:
    """Return patients with what each was given, checked.

    `x` `(N, F)`, `arm` N names of arms. `arms` are the names in their order, by default those that occur, sorted.

    Raises DataError where shapes differ, something of `x` is missing, an arm is not among `arms`, one of them was
    given to fewer than 10 patients, or somebody entered late.
    """
    table = np.asarray(x, np.float64)
    given = [str(a) for a in arm]
    if table.ndim != 2 or len(table) != len(given) or len(given) != len(observed):
        raise DataError(
            "need a row, an arm and a time for each patient",
            found=f"{table.shape} of x, {counted(len(given), 'arm')}, {counted(len(observed), 'time')}",
        )
    if table.shape[1] != len(names):
        raise DataError("need a name for each column", found=f"{len(names)} for {table.shape[1]}")
    for k, name in enumerate(names):
        if not np.isfinite(table[:, k]).all():
            raise DataError(f"'{name}' is not known of every patient", hint="fill it in, or leave it out")
    known = tuple(arms) or tuple(sorted(set(given)))
    odd = sorted(set(given) - set(known))
    if odd:
        raise DataError(f"the arm '{odd[0]}' is not among those that are known", found=listed(known))
    if (observed.entry_days > 0).any():
        raise DataError(
            "what a treatment changes is not told from patients who entered late",
            found=f"{int((observed.entry_days > 0).sum())} of {len(observed)}",
            hint="time counted from the treatment, without entry",
        )
    code = np.array([known.index(a) for a in given], np.int64)
    _assert_given(code, known)
    return Trial(table, tuple(names), code, known, observed, randomised)


def _assert_given(code: Array, arms: tuple[str, ...]) -> None:
    """Raise DataError where there is one arm only, or one was given to hardly anybody."""
    if len(arms) < 2:
        raise DataError("one arm only: nothing to compare", found=listed(arms))
    for k, name in enumerate(arms):
        n = int((code == k).sum())
        if n < FEWEST:
            raise DataError(
                f"the arm '{name}' was {'never given' if not n else 'given to too few patients'}",
                found=f"{n} of {len(code)} patients",
                hint=f"{FEWEST} or more of each arm, or the others alone",
            )
