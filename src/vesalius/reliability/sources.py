"""What cases bring beside one picture: frames, earlier visits, time courses, and images that some lack."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from vesalius.core.case import role_of
from vesalius.core.course import Course
from vesalius.core.shown import some
from vesalius.core.words import counted
from vesalius.reliability.reports import ReportRecord
from vesalius.reliability.spread import Spread, spread


@dataclass(frozen=True, slots=True)
class CourseRecord:
    """One time course of a case: how many rows, the columns' names or their number, and how many cells are empty."""

    rows: int
    columns: tuple[str, ...]
    empty: int
    constant: bool
    tree: bool = False


@dataclass(frozen=True, slots=True)
class CourseSummary:
    """The time courses of one name: in how many cases, their lengths in rows, columns, and the share of empty cells."""

    name: str
    cases: int
    rows: Spread
    columns: tuple[str, ...]
    empty: float


@dataclass(frozen=True, slots=True)
class Sources:
    """What a cohort brings beside one picture a case; what it brings not is None or empty.

    `visits` are earlier visits of each case, `days` those between two of a patient, `frames` those of images with time.
    `lacking` says in how many cases each image is missing that others have, and `apart` how many have it on a grid of
    its own. `texts` is in how many cases each text is.
    """

    visits: Spread | None = None
    with_visits: int = 0
    days: Spread | None = None
    frames: Spread | None = None
    courses: tuple[CourseSummary, ...] = ()
    lacking: Mapping[str, int] | None = None
    apart: Mapping[str, int] | None = None
    texts: Mapping[str, int] | None = None

    def words(self, cases: int) -> list[tuple[str, str]]:
        """Return what there is as names and words; `cases` is how many there are in all."""
        found: list[tuple[str, str]] = []
        if self.visits is not None and self.days is not None:
            text = f"{self.with_visits} of {counted(cases, 'case')} know some, {self.visits.high:g} at most"
            found.append(("earlier visits", f"{text}, {_three(self.days)} days apart"))
        if self.frames is not None:
            found.append(("frames", _three(self.frames)))
        for one in self.courses:
            width = counted(len(one.columns), "column")
            shown = width if one.columns[0].isdigit() else f"{width} ({some(one.columns, len(one.columns))})"
            text = f"in {one.cases} of {counted(cases, 'case')}, rows of {shown}: {_three(one.rows)}"
            empty = f", {one.empty:.1%} of cells empty" if one.empty else ""
            found.append((f"time course {one.name}", text + empty))
        found += [
            (f"image {n}", f"missing in {k} of {counted(cases, 'case')}")
            for n, k in (self.lacking or {}).items()
        ]
        found += [
            (f"image {n}", f"on a grid of its own in {k} of {counted(cases, 'case')}")
            for n, k in (self.apart or {}).items()
        ]
        found += [(f"text {n}", f"in {k} of {counted(cases, 'case')}") for n, k in (self.texts or {}).items()]
        return found


@dataclass(frozen=True, slots=True)
class Brought:
    """What one case brings beside one picture; `days` are those from each earlier visit to the next, and to its own."""

    images: tuple[str, ...] = ()
    reference: str | None = None
    apart: tuple[str, ...] = ()
    courses: Mapping[str, CourseRecord] | None = None
    days: tuple[float, ...] = ()
    texts: tuple[str, ...] = ()
    frames: int = 1
    report: ReportRecord | None = None


NOTHING = Brought()


def course_record(course: Course) -> CourseRecord:
    """Return what is kept of a time course."""
    values = course.values
    columns = [c[np.isfinite(c)] for c in values.T]
    names = course.names or tuple(str(k + 1) for k in range(values.shape[1]))
    return CourseRecord(
        rows=len(values),
        columns=names,
        empty=int(np.isnan(values).sum()),
        constant=len(values) > 1 and all(len(np.unique(c)) < 2 for c in columns),
        tree=bool(course.parents),
    )


def sources_of(found: Sequence[Brought]) -> Sources:
    """Return what all cases bring together."""
    visits = [len(b.days) for b in found]
    days = [d for b in found for d in b.days]
    frames = [b.frames for b in found if b.frames > 1]
    images = Counter(name for b in found for name in b.images)
    apart = Counter(name for b in found for name in b.apart)
    texts = Counter(name for b in found for name in b.texts)
    courses: dict[str, list[CourseRecord]] = {}
    for name, one in (pair for b in found for pair in (b.courses or {}).items()):
        courses.setdefault(name, []).append(one)
    lacking = {n: len(found) - k for n, k in images.items() if k < len(found) and role_of(n) == n}
    return Sources(
        visits=_spread(visits) if days else None,
        with_visits=sum(n > 0 for n in visits),
        days=_spread(days),
        frames=_spread(frames),
        courses=tuple(_summary(name, held) for name, held in courses.items()),
        lacking=lacking,
        apart=dict(apart),
        texts=dict(texts),
    )


def _summary(name: str, held: Sequence[CourseRecord]) -> CourseSummary:
    cells = sum(c.rows * len(c.columns) for c in held)
    rows = spread(np.array([c.rows for c in held], np.float64))
    return CourseSummary(name, len(held), rows, held[0].columns, sum(c.empty for c in held) / cells)


def _spread(values: Sequence[float]) -> Spread | None:
    return spread(np.array(values, np.float64)) if values else None


def _three(one: Spread) -> str:
    return (
        f"{one.median:.4g}" if one.low == one.high else f"{one.low:.4g} – {one.median:.4g} – {one.high:.4g}"
    )
