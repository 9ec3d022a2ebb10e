"""The contract of a look: a file in `reliability/looks/` that finds one sort of thing in a cohort.

A look's name is its file's stem, which `--silence` takes, and its description the first line of its docstring. The file
declares, as a literal that is read without importing it:

    ORDER = 40              where its findings stand among those that are as bad

and has

    find(seen) -> Iterable[Finding]         what is found over all cases; `seen` is a Seen
    measure(sight) -> Any                   what it keeps of one good case in the one pass, a few numbers; may be absent

`measure` is not called for cases without an image, and what it returns as None is not kept. `seen.kept` holds the rest
by case. A look that compares cases says nothing of fewer than it can compare.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from vesalius.cohorts import Decoded
from vesalius.core.cohort import Cohort
from vesalius.core.image import Array, Image
from vesalius.reliability.finding import Place

if TYPE_CHECKING:  # what looks at pixels loads scipy, which lists of names need not
    from vesalius.reliability._records import CaseRecord
    from vesalius.reliability._survey import Survey
    from vesalius.reliability.duplicates import Duplicate
    from vesalius.reliability.geometry import Misfit
    from vesalius.reliability.leakage import Leak
    from vesalius.reliability.summary import Summary

PLANES = 5  # of a volume that are looked at
TextReader = Callable[[Array], Sequence[Place]]  # finds text in a grey plane `(Y, X)`


@dataclass(frozen=True, eq=False)
class Sight:
    """One decoded case as a look measures it. `read_text` finds text in a picture, where something can."""

    decoded: Decoded
    reference: Image
    read_text: TextReader | None = None

    @cached_property
    def grey(self) -> Array:
        """The reference `(Z, Y, X)` in float32: its channels' mean, its first time, 0 for what is not finite."""
        first = self.reference.array if self.reference.times_s is None else self.reference.array[0]
        mean = first[0].astype(np.float32) if len(first) == 1 else first.mean(axis=0, dtype=np.float32)
        found: Array = mean if np.isfinite(mean.sum()) else np.nan_to_num(mean, posinf=0.0, neginf=0.0)
        return found

    @cached_property
    def planes(self) -> Array:
        """At most PLANES slices `(N, Y, X)` of `grey`, evenly spread over the middle half of a volume."""
        depth = len(self.grey)
        found: Array = self.grey[np.unique(np.linspace(depth // 4, (3 * depth) // 4, PLANES).astype(int))]
        return found

    @cached_property
    def span(self) -> tuple[float, float]:
        """The 1st and the 99th percentile of `planes`."""
        low, high = np.percentile(self.planes, (1, 99))
        return float(low), float(high)


@dataclass(frozen=True, eq=False)
class Seen:
    """A cohort after the one pass: what was measured of each case, and what the room knows of all together.

    `target` is the one to be learned, where it was named. `others` are further cohorts by their folder or file, each
    after a pass of its own. `kept` is what a look measured, by its name and then by case.
    """

    survey: Survey
    summary: Summary
    twins: tuple[Duplicate, ...]
    leaks: tuple[Leak, ...]
    misfits: tuple[Misfit, ...]
    target: str | None = None
    others: Mapping[Path, Survey] = field(default_factory=dict)

    @property
    def cohort(self) -> Cohort:
        """The checked cohort."""
        return self.survey.cohort

    @property
    def good(self) -> tuple[CaseRecord, ...]:
        """The records of the cases that can be used."""
        return self.survey.good

    def kept(self, look: str) -> dict[str, Any]:
        """Return what a look measured of the cases that can be used, by case."""
        return {f.case: f.looked[look] for f in self.good if look in f.looked}
