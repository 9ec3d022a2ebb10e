"""The contract of a kind of thing that annotators are asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from vesalius.core.cohort import Label
from vesalius.core.errors import DataError
from vesalius.core.grids import Gridded

Drawings = Callable[[str], Path]  # from what a reading keeps of a drawing to the file that holds it


@dataclass(frozen=True, eq=False)
class Compared:
    """One thing that experts are compared in: what it is called, and what a reading says of it.

    `value` gives the name of a class of what a reading keeps, or of what is `drawn` the file of a mask.
    """

    name: str
    drawn: bool
    labels: tuple[Label, ...]
    value: Callable[[Any, Drawings], str | Path]


class AskKind:
    """What is asked of one kind: what annotators may say, how readings are compared, and how they differ.

    `name` is how it is called in a project and in what is sent. `placed`: it lies on the image, so that the image must
    be one plane or one volume, no cine. `drawn`: what is sent becomes a file, and a reading keeps the file's hash.
    """

    name: ClassVar[str]
    placed: ClassVar[bool] = False
    drawn: ClassVar[bool] = False
    fewest: ClassVar[int] = 1  # labels

    def checked(self, said: Any, labels: Sequence[Label], grid: Gridded) -> Any:
        """Return what an annotator says as a reading keeps it, as JSON takes it. Raises DataError."""
        raise NotImplementedError

    def cells(self, said: Any, labels: Sequence[Label], path: str) -> dict[str, Any]:
        """Return the cells of a case in a cohort's table; `path` is of what was drawn, from the table on."""
        return {self.name: path if self.drawn else said}

    def told(self, said: Any, labels: Sequence[Label], path: str) -> dict[str, Any]:
        """Return the cells of one reading in the table of all readings, by default those of a cohort's table."""
        return self.cells(said, labels, path)

    def compared(self, labels: tuple[Label, ...]) -> Iterator[Compared]:
        """Yield what experts are compared in, as `vesalius consensus` joins it; nothing of what it does not join."""
        return iter(())

    def differ(
        self, said: Mapping[str, Any], labels: Sequence[Label], drawings: Drawings, *, below: float
    ) -> dict[str, Any] | None:
        """Return in what readings by annotator differ, so that a third must decide; None where they agree.

        `below` is the share of overlap under which what lies on the image counts as another.
        """
        said_of = {name: value for name, value in said.items() if value is not None}
        return None if len(set(map(str, said_of.values()))) < 2 else {"said": said_of}


def label_of(labels: Sequence[Label], name: Any, what: str) -> Label:
    """Return the label of a name. Raises DataError."""
    found = next((x for x in labels if x.name == name), None)
    if found is None:
        known = ", ".join(x.name for x in labels)
        raise DataError(f"{what}: no such label", found=repr(name)[:80], hint=f"one of {known}")
    return found
