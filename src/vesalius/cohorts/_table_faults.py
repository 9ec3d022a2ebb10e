"""Why a table cannot be that of a cohort: in words, from what its columns hold."""

from __future__ import annotations

from pathlib import Path

from vesalius.cohorts._build import some
from vesalius.cohorts._index import Index
from vesalius.cohorts._roles import Roles, called_like_files, distinct
from vesalius.core.delimited import Table
from vesalius.core.errors import DataError


def cannot(error: DataError, path: Path) -> str:
    what = error.what.removeprefix(str(path)).strip()
    return f"{what} ({error.found})" if error.found else what


def no_images(table: Table, index: Index) -> str:
    """Return why a table cannot be used, from what its columns hold."""
    why = nearly(table, index)
    return (
        why
        or f"none of its columns ({some(table, 6)}) names image files; --column image=NAME says which does"
    )


def is_of_reports(table: Table, roles: Roles, index: Index) -> bool:
    """Return whether a table holds reports and names no images, be they here or not."""
    return bool(roles.all("report")) and nearly(table, index) is None


def nearly(table: Table, index: Index) -> str | None:
    """Return what is wrong with a column that looks as if it named images; None where none does."""
    for column, cells in table.items():
        sample = distinct(cells)[:40]
        unsure = [c for c in sample if index.is_unsure(c)]
        if unsure and 2 * len(unsure) >= len(sample):
            return f"most cells of its '{column}' could mean several files: {index.fault(unsure[0])}"
        if called_like_files(cells):
            return f"none of the files that its '{column}' names is here, such as '{sample[0]}'"
    return None
