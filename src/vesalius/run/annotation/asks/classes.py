"""Several findings of a case, any of which may hold together, or none."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, ClassVar

from vesalius.core.cohort import Label
from vesalius.core.errors import DataError
from vesalius.core.grids import Gridded
from vesalius.run.annotation.asks.contract import AskKind, Compared, Drawings, label_of

YES, NO = "yes", "no"


class Classes(AskKind):
    """What is said is a list of labels' names, in the order of the labels, each once."""

    name: ClassVar[str] = "classes"

    def checked(self, said: Any, labels: Sequence[Label], grid: Gridded) -> list[str]:
        """Return the labels' names."""
        if not isinstance(said, list):
            raise DataError(f"{self.name} is a list of labels", found=repr(said)[:80])
        held = {label_of(labels, name, self.name).name for name in said}
        return [x.name for x in labels if x.name in held]

    def cells(self, said: Any, labels: Sequence[Label], path: str) -> dict[str, Any]:
        """Return 1 or 0 for each label."""
        return {x.name: int(x.name in said) for x in labels}

    def told(self, said: Any, labels: Sequence[Label], path: str) -> dict[str, Any]:
        """Return 1 or 0 for each label, called as what is compared is."""
        return {f"{self.name} {name}": held for name, held in self.cells(said, labels, path).items()}

    def compared(self, labels: tuple[Label, ...]) -> Iterator[Compared]:
        """Yield yes or no for each label."""
        answers = (Label(0, NO), Label(1, YES))
        for label in labels:
            yield Compared(f"{self.name} {label.name}", False, answers, partial(_holds, label.name))


def _holds(name: str, said: Any, drawings: Drawings) -> str:
    return YES if name in said else NO


KIND = Classes()
