"""Which cases a bundle that makes features learned from: their features look better than those of others will."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from vesalius.core.bundle import Bundle
from vesalius.core.cohort import Cohort
from vesalius.core.feature_table import LEARNED, NO, SPLIT, UNKNOWN, YES
from vesalius.reliability.marks import Marks
from vesalius.run.past import past_of_bundle
from vesalius.tasks import contract as tasks


@dataclass(frozen=True)
class Learned:
    """What is known of the cases that a bundle learned from, by case id; nothing without a bundle.

    `bundled` says whether there is a bundle. `cases` are those that it learned from, None where that cannot be known.
    `freely` says that it learned without a target. `unchecked` is what could not be checked, in words.
    """

    bundled: bool
    cases: frozenset[str] | None = None
    freely: bool = False
    unchecked: str = ""

    @property
    def count(self) -> int | None:
        """How many cases it learned from."""
        return None if self.cases is None else len(self.cases)

    def of(self, case: str) -> Mapping[str, str]:
        """Return what the table says of a case: whether the bundle `learned` from it, and the `split` that follows."""
        if not self.bundled:
            return {}
        if self.cases is None:
            return {LEARNED: UNKNOWN}
        if not self.cases:
            return {LEARNED: NO}
        seen = case in self.cases
        return {LEARNED: YES if seen else NO, SPLIT: "train" if seen else "test"}


def learned_of(bundle: Bundle | None, cohort: Cohort, marks: Marks) -> Learned:
    """Return which cases of a cohort a bundle learned from, as far as its run's folder tells."""
    if bundle is None:
        return Learned(False)
    past = past_of_bundle(bundle)
    overlap, unchecked = past.overlap(cohort, marks), past.unchecked(cohort, marks)
    freely = not tasks.get(bundle.stages[-1].plan.task.name).needs_target
    cases = None if overlap is None else frozenset(overlap.trained)
    return Learned(True, cases, freely, unchecked)
