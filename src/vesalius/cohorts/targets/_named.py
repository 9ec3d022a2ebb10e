"""What all kinds share whose values are names of labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from vesalius.cohorts.targets._strata import by_name
from vesalius.cohorts.targets.contract import TargetKind
from vesalius.core.case import Target
from vesalius.core.cohort import TargetInfo
from vesalius.core.errors import DataError
from vesalius.core.image import Image
from vesalius.core.words import counted, listed


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

    def given(self, value: Any, *, classes: Sequence[str], image: Image) -> str | None:
        """Return a text, or the name of the class of a whole number. Raises DataError for a number without a class."""
        if isinstance(value, str):
            return value
        if isinstance(value, np.ndarray) and value.ndim == 0 and value.dtype.kind in "iub":
            return class_name(int(value), classes)
        return None

    def nothing_to_learn(self, info: TargetInfo, held: Sequence[Target]) -> tuple[str, str] | None:
        """Return the class, where all cases have the same."""
        if len(set(map(str, held))) > 1:
            return None
        found = f"one class only, '{held[0]}', in all {counted(len(held), 'case')}"
        return found, "at least two classes, or another --target"


def class_name(number: int, classes: Sequence[str]) -> str:
    """Return the name of a class by its number; the number itself where none has a name. Raises DataError."""
    if not classes:
        return str(number)
    if not 0 <= number < len(classes):
        raise DataError(f"no class has the number {number}", found=f"{len(classes)}: {listed(classes, 5)}")
    return classes[number]
