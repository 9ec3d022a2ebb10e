"""The rows of a table as its cases see them: one value of a column for each case, and the files that cells name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from vesalius.cohorts._index import Index
from vesalius.cohorts._roles import Roles, distinct
from vesalius.cohorts._rows import Slots, contradiction
from vesalius.core.case import Ref
from vesalius.core.delimited import Table
from vesalius.core.errors import DataError
from vesalius.core.modalities import of_channel


@dataclass(frozen=True)
class Rows:
    """The table, what its columns are, and where its files are looked for."""

    table: Table
    roles: Roles
    index: Index
    slots: Slots
    doubts: Mapping[str, str]
    modality: str | None = None  # the column that says of what kind the images are
    numbers: frozenset[str] = frozenset()  # the covariates that are numbers in every row

    def declared(self, rows: list[int]) -> tuple[str, ...]:
        """Return the modality of a case, where its column names one that is known, the same in each of its rows."""
        cells = distinct([self.table[self.modality][k] for k in rows]) if self.modality else []
        found = {of_channel(cell) for cell in cells}
        return tuple(m for m in found if m is not None) if len(found) == 1 else ()

    def one(self, rows: list[int], column: str | None) -> str | None:
        """Return the one value of a case in a column. Raises DataError if its rows contradict each other."""
        if column is None:
            return None
        values = distinct([self.table[column][k] for k in rows])
        if len(values) > 1:
            raise contradiction(self.table, self.roles, rows, column, values)
        return values[0] if values else None

    def files(self, cell: str, what: str = "image") -> dict[str, Ref]:
        """Return the files that a cell means. Raises DataError."""
        if cell in self.doubts:
            raise DataError(f"no {what} is sure", found=self.doubts[cell])
        return self.index.find(cell, what=what)

    def file(self, cell: str, what: str) -> Ref:
        """Return the one file that a cell means. Raises DataError."""
        found = self.files(cell, what)
        if len(found) > 1:
            raise DataError(f"no {what} for '{cell}'", found=f"{len(found)} series", hint="one of their ids")
        return next(iter(found.values()))


@dataclass(frozen=True)
class Row:
    """One case's rows, as its targets are read from them."""

    seen: Rows
    rows: list[int]

    def cell(self, column: str) -> str | None:
        """Return the case's one value in a column. Raises DataError."""
        return self.seen.one(self.rows, column)

    def file(self, cell: str, what: str) -> Ref:
        """Return the one file that a cell means. Raises DataError."""
        return self.seen.file(cell, what)

    def columns(self, role: str) -> list[str]:
        """Return the columns that have a role."""
        return self.seen.roles.all(role)
