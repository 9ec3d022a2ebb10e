"""Files of time courses that a table or a folder names: how arrays stand, what was taken for times, who has others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from vesalius.cohorts._layout import AXES, Options
from vesalius.core import course_io
from vesalius.core.case import Case, Ref
from vesalius.core.cohort import Cohort, SetAside
from vesalius.core.course import Course
from vesalius.core.errors import DataError
from vesalius.core.shown import some
from vesalius.core.words import counted

_AS = {"TF": "rows are times", "FT": "columns are times"}
_LOOKED = 200  # arrays of which the header is opened to see how they stand


def assert_axes(options: Options) -> None:
    """Raise DataError where it was said in another way than `TF` or `FT` how arrays of time courses stand."""
    said = options.columns.get(AXES)
    if said is not None and said not in _AS:
        raise DataError(
            f"--column {AXES} says how arrays of time courses stand",
            found=said,
            hint=f"{AXES}=TF for (times, quantities), {AXES}=FT for (quantities, times)",
        )


def names_courses(cells: Sequence[str | None]) -> bool:
    """Return whether cells are called like tables of time courses; arrays are images where nobody says otherwise."""
    held = list(dict.fromkeys(c for c in cells if c is not None))[:40]
    return bool(held) and all(c.casefold().endswith(course_io.TABLES) for c in held)


def with_courses_read(cohort: Cohort, options: Options) -> Cohort:
    """Return the cohort with notes of how its files of time courses are read, and arrays `(F, T)` marked as such.

    Nothing but the headers of arrays and the first table of each name is opened.
    """
    names = dict.fromkeys(name for case in cohort.cases for name in case.courses)
    notes: list[str] = []
    turned: set[str] = set()
    for name in names:
        refs = [item for c in cohort.cases if isinstance(item := c.courses.get(name), Ref)]
        arrays = [r for r in refs if r.paths[0].suffix.lower() in course_io.ARRAYS]
        if arrays:
            transposed, why = _axes(arrays[:_LOOKED], options.columns.get(AXES))
            notes.append(f"{name}: {why}")
            if transposed:
                turned.add(name)
        table = next((r for r in refs if r not in arrays), None)
        if table is not None:
            notes += [f"{name}: {text}" for text in _said(table)]
    cases = tuple(_turned(case, turned) for case in cohort.cases) if turned else cohort.cases
    return replace(cohort, cases=cases, notes=(*cohort.notes, *notes))


def _turned(case: Case, names: set[str]) -> Case:
    def one(name: str, item: Ref | Course) -> Ref | Course:
        array = isinstance(item, Ref) and item.paths[0].suffix.lower() in course_io.ARRAYS
        return replace(item, member=course_io.TRANSPOSED) if array and name in names else item  # type: ignore[arg-type]

    earlier = tuple(replace(v, case=_turned(v.case, names)) for v in case.earlier)
    return replace(case, courses={n: one(n, item) for n, item in case.courses.items()}, earlier=earlier)


def _said(ref: Ref) -> tuple[str, ...]:
    """Return how one table is read, as an example; nothing of one that cannot be, which is set aside later."""
    try:
        found = course_io.read(ref)
    except DataError:
        return ()
    course = found.course
    columns = f"{counted(course.values.shape[1], 'quantity', 'quantities')}"
    named = f"{columns}: {some(course.names, len(course.names))}" if course.names else columns
    return (f"{named}, by {ref.paths[0].name}", *found.said)


def _axes(arrays: Sequence[Ref], said: str | None) -> tuple[bool, str]:
    """Return whether arrays are `(quantities, times)`, and why: as told, or as their axes differ between cases."""
    shapes = []
    for ref in arrays:
        try:
            shapes.append(course_io.shape_of(ref))
        except DataError:
            continue  # it is set aside when it is decoded
    flat = [s for s in shapes if len(s) == 2]
    if said is not None:
        return said == "FT", f"in arrays {_AS[said]}, as told"
    if not flat:
        return False, f"in arrays {_AS['TF']}"
    rows, columns = {s[0] for s in flat}, {s[1] for s in flat}
    if len(columns) == 1 and len(rows) > 1:
        return (
            False,
            f"in arrays {_AS['TF']}: all have {counted(next(iter(columns)), 'column')}, and rows differ",
        )
    if len(rows) == 1 and len(columns) > 1:
        return True, f"in arrays {_AS['FT']}: all have {counted(next(iter(rows)), 'row')}, and columns differ"
    t, f = flat[0]
    shape = f"{counted(t, 'time')} of {counted(f, 'quantity', 'quantities')}"
    return False, f"in arrays {_AS['TF']}, taken so ({shape}); --column {AXES}=FT if columns are"


def strangers(courses: Mapping[str, Mapping[str, Course]]) -> list[SetAside]:
    """Return the cases whose time courses have other columns than those of most cases, with the reason.

    `courses` are by name, then by case. The order of named columns is no difference.
    """
    found: dict[str, SetAside] = {}
    for name, held in courses.items():
        kinds = {case: _columns(course) for case, course in held.items()}
        if len(set(kinds.values())) < 2:
            continue
        usual = Counter(kinds.values()).most_common(1)[0][0]
        for case, kind in kinds.items():
            if kind != usual:
                found.setdefault(case, SetAside(case, f"'{name}' has {_differs(kind, usual)}"))
    return list(found.values())


_Columns = tuple[int, tuple[str, ...], bool]


def _columns(course: Course) -> _Columns:
    return course.values.shape[1], tuple(sorted(course.names)), bool(course.parents)


def _differs(kind: _Columns, usual: _Columns) -> str:
    """Return in words how the columns of a time course differ from those of most."""
    if kind[2] != usual[2]:
        return (
            "rows that are times, where those of most cases are a tree"
            if usual[2]
            else "rows that are a tree"
        )
    lacking = [n for n in usual[1] if n not in kind[1]]
    more = [n for n in kind[1] if n not in usual[1]]
    if not kind[1] or not usual[1]:
        columns = counted(kind[0], "column")
        own = f"{columns} {'with' if kind[1] else 'without'} names"
        return f"{own}, where most cases have {usual[0]} {'with' if usual[1] else 'without'} names"
    parts = [f"no column '{some(lacking, len(lacking))}'" if lacking else ""]
    parts += [f"a column '{some(more, len(more))}', which most cases lack" if more else ""]
    return " and ".join(p for p in parts if p)


def read_course(item: Ref | Course) -> Course:
    """Return a time course, read where only its place is known. Raises DataError."""
    return course_io.read(item).course if isinstance(item, Ref) else item
