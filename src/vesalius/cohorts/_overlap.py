"""Which cases of a cohort some weights learned from, and the places that this leaves for them in a new split."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from vesalius.core.errors import LeakError
from vesalius.core.words import counted

TEST = -1


@dataclass(frozen=True)
class Overlap:
    """Which cases of some data are known from training, and from the test set of the same weights.

    `of` names the weights ("bundle 0123…"). `trained` gives the fold where the weights' own run knows it, else None.
    `by_patient` are those of `trained` that only their patient's id gives away. `folds` is how many folds that run had.
    `named` is the option that names the weights.
    """

    of: str = ""
    trained: Mapping[str, int | None] = field(default_factory=dict)
    tested: frozenset[str] = frozenset()
    by_patient: frozenset[str] = frozenset()
    folds: int = 0
    named: str = "--init"

    def fold(self, cases: Sequence[str]) -> int | None:
        """Return the fold that these cases, which may not be parted, had; None where they were in none or it is not
        known.
        """
        return next((k for c in cases if (k := self.trained.get(c)) is not None), None)

    def side(self, cases: Sequence[str]) -> int | None:
        """1 if any of these cases was trained on, TEST if any was tested on and none trained on, None for new ones."""
        if any(c in self.trained for c in cases):
            return 1
        return TEST if any(c in self.tested for c in cases) else None

    def alone(self, cases: Iterable[str]) -> str:
        """Return how many of some training cases only their patient's id gives away, to be added to a sentence."""
        n = sum(c in self.by_patient for c in cases)
        return f", {n} of them known by their patient alone" if n else ""

    def others(self, cases: Iterable[str]) -> str:
        """Return what to do where patients only bear the same numbers, to be added to a hint."""
        if not any(c in self.by_patient for c in cases):
            return ""
        return " (where others only bear the same patient ids, --column patient=re:.+ takes each case for a patient)"

    def kept_apart(self, test: Sequence[str], pool: Sequence[str], by: str) -> str:
        """Return what to add to the reason of a declared split.

        Raises LeakError where its test cases were trained on.
        """
        leaking = [c for c in test if c in self.trained]
        if leaking:
            raise LeakError(
                f"{len(leaking)} of the {len(test)} test cases were trained on by {self.of}, which {self.named} names",
                found=f"{by}{self.alone(leaking)}",
                hint="a split whose test cases it was not trained on, such as that of its own run, or another "
                f"{self.named}{self.others(leaking)}",
            )
        turned = len(self.tested.intersection(pool))
        added = f", and what it was tested on is trained on here: {counted(turned, 'case')}" if turned else ""
        return f"; none of its test cases is of the training of {self.of}{added}"
