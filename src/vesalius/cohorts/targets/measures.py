"""Several numbers of one case, each with its name: what `--target a,b` makes of two columns of numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from vesalius.cohorts.targets._strata import by_fifth
from vesalius.cohorts.targets.contract import TargetKind
from vesalius.core.case import Target
from vesalius.core.cohort import TargetInfo
from vesalius.core.image import Image

ROLES = ()  # it lies in several columns, each of which is a target of its own
JOINS = "number"  # the kind of the targets that it is made of


class Measures(TargetKind):
    """A value is a mapping of numbers by the names of their targets; one that is not known is absent."""

    name: ClassVar[str] = "measures"
    in_every_fold: ClassVar[bool] = False

    def describe_joined(self, parts: Sequence[TargetInfo]) -> TargetInfo:
        """Return the target that these make together."""
        name = ",".join(part.name for part in parts)
        return TargetInfo(name, self.name, reason="several numbers at once, as named", parts=tuple(parts))

    def joined(self, values: Mapping[str, Target]) -> dict[str, float] | None:
        """Return the numbers of a case by their targets' names; None where it has none of them."""
        held = {n: float(v) for n, v in values.items() if isinstance(v, int | float)}
        return held or None

    def given(self, value: Any, *, classes: Sequence[str], image: Image) -> None:
        """Return nothing: an item's numbers are targets of their own."""
        return

    def strata(self, values: Mapping[str, Target]) -> dict[str, str]:
        """Return in which fifth of all cases each one's first number lies; '' where that is not known."""
        first = next((name for v in values.values() if isinstance(v, Mapping) for name in v), "")
        held = {
            case: float(number)
            for case, v in values.items()
            if isinstance(v, Mapping) and isinstance(number := v.get(first), int | float)
        }
        return dict.fromkeys(values, "") | by_fifth(held)


KIND = Measures()
