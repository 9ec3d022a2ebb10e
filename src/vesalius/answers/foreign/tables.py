"""Another tool's predictions in a table: one row a case, found by the column that names it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from vesalius.answers.contract import ForeignAnswers
from vesalius.answers.foreign.naming import Names
from vesalius.cohorts import TABLE_SUFFIXES, read_cells
from vesalius.core.answers import Answer
from vesalius.core.case import Case
from vesalius.core.errors import DataError

CASE_COLUMNS = ("case", "case_id", "id", "name", "image", "file", "filename")
WITHHELD = "withheld"  # a column of ours that says why there is no answer
ANSWER_COLUMNS = ("answer", "prediction", "predicted", "pred", "class", "label", "value")


@dataclass(frozen=True, eq=False)
class Row:
    """One row of a table of predictions: its cells by column, and the case that it answers."""

    table: Path
    case: str
    cells: Mapping[str, str | None]
    key: str  # the column that names the case

    def columns(self) -> dict[str, str]:
        """Return the columns by their names in lower case without blanks around them."""
        return {c.strip().lower(): c for c in self.cells}

    def answer_column(self) -> str | None:
        """Return the column that holds what was answered; None where there is none."""
        lower = self.columns()
        return next((lower[c] for c in ANSWER_COLUMNS if c in lower and lower[c] != self.key), None)

    def number(self, column: str) -> float:
        """Return the number in a column. Raises DataError where there is none."""
        try:
            return float(str(self.cells[column]))
        except ValueError as error:
            raise DataError(
                f"{self.table}: case {self.case} has no number", found=repr(self.cells[column])
            ) from error


def row_answers(path: Path, cases: Sequence[Case], answer_of: Callable[[Row], Answer]) -> ForeignAnswers:
    """Return what `answer_of` makes of each row of the table at `path` that names a case.

    Raises DataError where no row does, where two rows answer a case differently, or for a table that cannot be read.
    """
    table = table_at(path)
    cells = read_cells(table)
    columns = list(cells)
    key = next((c for c in columns if c.strip().lower() in CASE_COLUMNS), None)
    if key is None:
        raise DataError(
            f"{table} has no column that names the case", found=", ".join(columns), hint="a column 'case'"
        )
    case_of = Names(cases)
    found: dict[str, Answer] = {}
    rows: dict[str, dict[str, str | None]] = {}
    for values in zip(*cells.values(), strict=True):
        row = dict(zip(columns, values, strict=True))
        case = case_of(row[key] or "")
        if case is not None and not (row.get(WITHHELD) or "").strip():
            if rows.setdefault(case, row) != row:
                raise DataError(
                    f"{table} holds two different answers to case {case}",
                    found=str(row[key]),
                    hint="one row a case",
                )
            found[case] = answer_of(Row(table, case, row, key))
    if not found:
        raise DataError(
            f"no row of {table} names a case", found=str(cells[key][0]), hint=f"names such as {cases[0].id}"
        )
    return ForeignAnswers(found)


def table_at(path: Path) -> Path:
    """Return the table at a path: itself, `answers.csv` in a folder, or the only one there. Raises DataError."""
    if path.is_file():
        return path
    if (path / "answers.csv").is_file():
        return path / "answers.csv"
    tables = [p for p in sorted(path.iterdir()) if p.suffix.lower() in TABLE_SUFFIXES]
    if not tables:
        raise DataError(f"no CSV of predictions in {path}", hint="a CSV with a column 'case' and one a class")
    if len(tables) > 1:
        listed = ", ".join(p.name for p in tables[:4]) + (" …" if len(tables) > 4 else "")
        raise DataError(f"several tables in {path} could hold the predictions", found=listed, hint="its path")
    return tables[0]
