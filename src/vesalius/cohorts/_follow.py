"""Following patients through the rows of a table: when each case was, and which cases came before it."""

from __future__ import annotations

from collections.abc import Mapping

from vesalius.cohorts._build import some
from vesalius.cohorts._cells import Rows
from vesalius.cohorts._views import differs
from vesalius.cohorts._visits import Days, days_in, side_of, sides_in, untaken, with_visits
from vesalius.core.case import Case
from vesalius.core.cohort import TargetInfo


def visit_days(seen: Rows, notes: list[str]) -> Days | None:
    """Return the days of the visits, where a column says them. Raises DataError for one that does not."""
    column = seen.roles.first("visit")
    if column is None:
        taken = {c for role, columns in seen.roles.columns.items() if role != "covariate" for c in columns}
        rows = list(_rows_of_patients(seen).values())
        notes.extend(untaken(seen.table, [c for c in seen.table if c not in taken], rows))
        return None
    days = days_in(column, seen.table[column])
    notes.append(f"visits are told apart by '{column}': {days.said}")
    return days


def followed(
    cases: list[Case],
    seen: Rows,
    *,
    groups: Mapping[str, list[int]],
    days: Days | None,
    infos: Mapping[str, TargetInfo],
    notes: list[str],
) -> list[Case]:
    """Return the cases with the earlier visits of their patients, where a column says when each was."""
    column, patient = seen.roles.first("visit"), seen.roles.first("patient")
    if days is None or column is None or patient is None:
        return cases
    side = sides_in(seen.table, list(_rows_of_patients(seen).values()), seen.roles.all("view"))
    if side is not None and any(differs(seen.table[side], listed) for listed in groups.values()):
        side = None  # the images of one visit show both
    if side is not None:
        notes.append(f"visits are followed by '{side}', each by itself")

    def first(case: Case, name: str) -> str | None:
        return seen.table[name][groups[case.id][0]]

    when = {c.id: days.by_cell.get(first(c, column) or "") for c in cases}
    sides = {c.id: None if side is None else side_of(first(c, side)) for c in cases}
    if untold := [c.id for c in cases if side is not None and sides[c.id] is None]:
        notes.append(f"without a '{side}', and so followed apart from the rows that have one: {some(untold)}")
    return with_visits(cases, days=when, sides=sides, infos=infos, notes=notes)


def _rows_of_patients(seen: Rows) -> dict[str, list[int]]:
    """Return the rows of each patient; none where no column names patients."""
    rows: dict[str, list[int]] = {}
    for k, name in enumerate(seen.table.get(seen.roles.first("patient") or "", ())):
        if name is not None:
            rows.setdefault(name, []).append(k)
    return rows
