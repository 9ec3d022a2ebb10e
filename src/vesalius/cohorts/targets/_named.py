"""What all kinds share whose values are names of labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from vesalius.cohorts.targets._strata import by_name
from vesalius.cohorts.targets.contract import TargetKind
from vesalius.core.case import Target
from vesalius.core.cohort import TargetInfo
from vesalius.core.words import counted


class Named(TargetKind):
    """A target whose values are names: one, or a tuple of several."""

    named: ClassVar[bool] = True

    def strata(self, values: Mapping[str, Target]) -> dict[str, str]:
        """Return the rarest name of each case."""
        return by_name({case: self.names_in(value) for case, value in values.items()})

    def names_in(self, value: Target) -> tuple[str, ...]:
        """Return the names."""
        if isinstance(value, str):
            return (value,)
        return tuple(v for v in value if isinstance(v, str)) if isinstance(value, tuple) else ()

    def word(self, value: Target) -> str | None:
        """Return the name, or the names in order with bars between them."""
        return "|".join(sorted(self.names_in(value)))


class OneName(Named):
    """A kind of target whose value is the name of one label."""

    def nothing_to_learn(self, info: TargetInfo, held: Sequence[Target]) -> tuple[str, str] | None:
        """Return the class, where all cases have the same."""
        if len(set(map(str, held))) > 1:
            return None
        found = f"one class only, '{held[0]}', in all {counted(len(held), 'case')}"
        return found, "at least two classes, or another --target"
