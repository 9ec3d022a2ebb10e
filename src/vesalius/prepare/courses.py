"""Time courses made ready for a network: read where only their place is known, their columns in the learned order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from vesalius.core import course_io
from vesalius.core.case import Case, Ref
from vesalius.core.course import Course
from vesalius.core.errors import DataError
from vesalius.core.shown import some
from vesalius.core.words import counted


def load_course(item: Ref | Course) -> Course:
    """Return the time course itself, read where only its place is known. Raises FormatError, DataError."""
    return course_io.read(item).course if isinstance(item, Ref) else item


def course_of(case: Case, name: str, names: Sequence[str], columns: int) -> Course | None:
    """Return a case's time course of that name, its columns in the order of `names`; None where the case has none.

    `columns` is how many there are where they have no names. Raises DataError, naming the case, where its file cannot
    be read or holds other columns.
    """
    item = case.courses.get(name)
    if item is None:
        return None
    try:
        return matched(load_course(item), tuple(names), columns)
    except DataError as error:
        what = f"case {case.id}: '{name}': {error.what}"
        raise type(error)(what, found=error.found, hint=error.hint) from error


def matched(course: Course, names: tuple[str, ...], columns: int) -> Course:
    """Return a time course with its columns in the order of `names`, whatever their order in the file.

    Without names on both sides columns are told by their order, and there must be as many. Raises DataError for columns
    other than these.
    """
    if not names and not course.names:
        if course.values.shape[1] != columns:
            raise DataError(
                f"{counted(columns, 'column')} without names are needed", found=str(course.values.shape[1])
            )
        return course
    if set(course.names) != set(names) or len(course.names) != len(names):
        raise DataError(
            "the columns of a time course are others",
            found=_difference(course.names, names),
            hint=f"columns called {some(names, len(names))}" if names else "columns without names",
        )
    order = [course.names.index(name) for name in names]
    return replace(course, values=np.ascontiguousarray(course.values[:, order]), names=tuple(names))


def _difference(found: tuple[str, ...], wanted: tuple[str, ...]) -> str:
    lacking = [n for n in wanted if n not in found]
    more = [n for n in found if n not in wanted]
    parts = [f"no '{lacking[0]}'" if lacking else "", f"'{more[0]}', which is unknown" if more else ""]
    return " and ".join(p for p in parts if p) or counted(len(found), "column")
