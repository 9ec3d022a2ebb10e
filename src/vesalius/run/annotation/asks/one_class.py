"""One of several classes of a case."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

from vesalius.core.cohort import Label
from vesalius.core.grids import Gridded
from vesalius.run.annotation.asks.contract import AskKind, Compared, label_of


class OneClass(AskKind):
    """What is said is a label's name."""

    name: ClassVar[str] = "class"
    fewest: ClassVar[int] = 2

    def checked(self, said: Any, labels: Sequence[Label], grid: Gridded) -> str:
        """Return the label's name."""
        return label_of(labels, said, self.name).name

    def compared(self, labels: tuple[Label, ...]) -> Iterator[Compared]:
        """Yield the class."""
        yield Compared(self.name, False, labels, lambda said, drawings: str(said))


KIND = OneClass()
