"""Which cases of a cohort some weights learned from, and the places that this leaves for them in a new split."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from vesalius.core.errors import LeakError

TEST = -1


@dataclass(frozen=True)
class Overlap:
    """Which cases of some data are known from training, and from the test set of the same weights.

    `of` names the weights ("bundle 0123…"). `trained` gives the fold where the weights' own run knows it, else None.
    `by_patient` are those of `trained` that only their patient's id gives away. `folds` is how many folds that run had.
    """

    of: str = ""
    trained: Mapping[str, int | None] = field(default_factory=dict)
    tested: frozenset[str] = frozenset()
    by_patient: frozenset[str] = frozenset()
    folds: int = 0

    def fold(self, cases: Sequence[str]) -> int | None:
        """The fold that these cases, which may not be parted, had; None where they were in none or it is not known."""
        return next((k for c in cases if (k := self.trained.get(c)) is not None), None)

    def side(self, cases: Sequence[str]) -> int | None:
        """1 if any of these cases was trained on, TEST if any was tested on and none trained on, None for new ones."""
        if any(c in self.trained for c in cases):
            return 1
        return TEST if any(c in self.tested for c in cases) else None

    def kept_apart(self, test: Sequence[str], by: str) -> str:
        """What to add to the reason of a declared split. Raises LeakError where its test cases were trained on."""
        leaking = [c for c in test if c in self.trained]
        if leaking:
            alone = sum(c in self.by_patient for c in leaking)
            raise LeakError(
                f"{len(leaking)} of the {len(test)} test cases were trained on by {self.of}, which --init names",
                found=by + (f"; {alone} of them known by their patient alone" if alone else ""),
                hint="a split whose test cases it was not trained on, such as that of its own run, or another --init",
            )
        turned = len(self.tested.difference(test))
        added = f"; {self.of} was trained on none of the test cases"
        return added + (f", and {turned} that it was tested on are now trained on" if turned else "")
