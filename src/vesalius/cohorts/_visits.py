"""Visits: the rows of one patient by their days, so that a case knows the visits before its own and nothing later."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from vesalius.cohorts._build import some
from vesalius.cohorts.targets import contract as kinds
from vesalius.core import dates
from vesalius.core.case import Case, Visit
from vesalius.core.cohort import Cohort, TargetInfo
from vesalius.core.errors import DataError
from vesalius.core.lapse import SECONDS, unit_in
from vesalius.core.words import counted

_DAY = SECONDS["days"]
_WHAT = r"(visit|exam|examination|study|scan|series|acquisition|imaging|image|session|content)?[ _.-]?"
CALLED = re.compile(
    rf"{_WHAT}(date|datetime|day|days|offset|months|weeks|years)([ _.-]?(taken|of[ _.-]?visit|visit))?|visit|"
    r"(days?|weeks?|months?|years?)[ _.-]?(since|from|after|to)[ _.-].*|offset[ _.-]?(days?|weeks?|months?|years?)",
    re.I,
)
_SIDES = re.compile(r"(.*[ _.-])?(eye|side|laterality|image ?laterality)", re.I)
_SPELLED = {"od": "right", "r": "right", "re": "right", "rt": "right", "dexter": "right"}
_SPELLED |= {"os": "left", "l": "left", "le": "left", "lt": "left", "sinister": "left"}
_TOO_MANY = 200_000  # days, beyond any life: such numbers count seconds
HINT = "--column visit=NAME of a column of dates, or of days such as visit_days"


@dataclass(frozen=True)
class Days:
    """The day of each different cell of a column, counted from a day that is the same for all, and how it was read."""

    by_cell: Mapping[str, float]
    said: str


def days_in(column: str, cells: Sequence[str | None]) -> Days:
    """Return the days that a column of visits says, as dates or as numbers in the unit that its name has.

    Raises DataError for what is neither, for dates whose day and month cannot be told apart, for years, for seconds,
    and for numbers that only count visits: nobody would know how far these lie apart.
    """
    held = list(dict.fromkeys(c for c in cells if c is not None))
    if not held:
        raise DataError(f"the column '{column}' is empty", hint=HINT)
    numbers = [_number(c) for c in held]
    if dates.are_dates(held) or any(x is None for x in numbers):
        days, said = dates.days_of(held, f"the column '{column}'")
        return Days(dict(zip(held, days, strict=True)), f"dates, {said}")
    values = [x for x in numbers if x is not None]
    unit = unit_in(column)
    if unit is None and all(1850 <= v <= 2150 and v.is_integer() for v in values):
        raise DataError(f"the column '{column}' holds years, not days", found=f"'{held[0]}'", hint=HINT)
    if max(map(abs, values)) * SECONDS[unit or "days"] / _DAY > _TOO_MANY:
        raise DataError(f"the column '{column}' holds no days", found=f"'{held[0]}'", hint=HINT)
    if unit is None and _only_counts(column, values):
        raise DataError(
            f"the column '{column}' only counts visits, and nothing says how many days they lie apart",
            found=", ".join(held[:4]),
            hint=HINT,
        )
    factor = SECONDS[unit or "days"] / _DAY
    how = f"in {unit}" if unit is not None else "taken as days, as its name has no unit"
    return Days({c: v * factor for c, v in zip(held, values, strict=True)}, f"numbers, {how}")


def _number(cell: str) -> float | None:
    try:
        value = float(cell)
    except ValueError:
        return None
    return value if value == value and abs(value) != float("inf") else None


def _only_counts(column: str, values: Sequence[float]) -> bool:
    """Return whether numbers are 1, 2, 3 …, in a column whose name does not speak of an offset.

    Some may be missing, as of a visit to which no one came: numbers that fill a third of their range count.
    """
    whole = set(values)
    counts = all(v.is_integer() and v >= 0 for v in whole) and max(whole) <= 3 * len(whole)
    return counts and "offset" not in column.casefold()


def find_column(
    table: Mapping[str, Sequence[str | None]], free: Sequence[str], rows_of_patients: Sequence[Sequence[int]]
) -> tuple[str, str] | None:
    """Return the column that says when each row of a patient was, with the reason; None where none does.

    It is called so, holds dates or days, and tells rows of patients with several apart. Dates are preferred to numbers.
    """
    several = [rows for rows in rows_of_patients if len(rows) > 1]
    found: list[tuple[int, str, str]] = []
    for column in free if several else ():
        cells = table[column]
        if not CALLED.fullmatch(column.strip()):
            continue
        apart = [rows for rows in several if len({cells[k] for k in rows} - {None}) > 1]
        known = sum(cells[k] is not None for rows in several for k in rows)
        if not apart or 2 * known < sum(map(len, several)):
            continue
        try:
            days = days_in(column, cells)
        except DataError:
            continue
        worth = 2 * known + days.said.startswith("dates")
        found.append(
            (
                worth,
                column,
                f"by its name, and it differs between the rows of {counted(len(apart), 'patient')}",
            )
        )
    if not found:
        return None
    _, column, why = max(found, key=lambda item: item[0])
    return column, why


def untaken(
    table: Mapping[str, Sequence[str | None]], free: Sequence[str], rows_of_patients: Sequence[Sequence[int]]
) -> list[str]:
    """Return in words of each column that is called like a day and differs between rows of a patient why it is none.

    One cell that is no date is enough for a column not to be taken, which must not pass unseen.
    """
    found = []
    for column in (c for c in free if CALLED.fullmatch(c.strip())):
        if not any(len({table[column][k] for k in rows} - {None}) > 1 for rows in rows_of_patients):
            continue
        try:
            days_in(column, table[column])
        except DataError as error:
            why = error.what if error.found is None else f"{error.what} ({error.found})"
            found.append(f"no visits are followed: {why}; {error.hint}")
    return found


def sides_in(
    table: Mapping[str, Sequence[str | None]], rows_of_patients: Sequence[Sequence[int]], told: Sequence[str]
) -> str | None:
    """Return the column of sides by which visits are followed, such as the eye; None where patients have one each."""
    columns = [c for c in (*told, *table) if _SIDES.fullmatch(c.strip())]
    for column in dict.fromkeys(columns):
        if any(len({side_of(table[column][k]) for k in rows} - {None}) > 1 for rows in rows_of_patients):
            return column
    return None


def side_of(cell: str | None) -> str | None:
    """Return which side a cell means, however it is spelled: `OD`, `R` and `right eye` are one."""
    if cell is None:
        return None
    text = re.sub(r"[ _.-]*eye$", "", cell.strip().casefold()).strip()
    return _SPELLED.get(text, text)


def with_visits(
    cases: Sequence[Case],
    *,
    days: Mapping[str, float | None],
    sides: Mapping[str, str | None],
    infos: Mapping[str, TargetInfo],
    notes: list[str],
) -> list[Case]:
    """Return cases that know the visits of their patient before their own day, the earliest first.

    `days` and `sides` are by case. Visits on one day know nothing of each other, and a case whose day is not known has
    no earlier visits and is none. An earlier visit keeps what was known then: its images, covariates and texts, and
    those of its targets that lie in its own image or differ between visits of a patient. A target that is the same in
    all visits of each patient, or that says what is still to come, is the same fact as that of the case, and is left
    out.
    """
    groups: dict[tuple[str, str | None], list[Case]] = {}
    for case in cases:
        if case.patient is not None and days.get(case.id) is not None:
            groups.setdefault((case.patient, sides.get(case.id)), []).append(case)
    keep, told = _known_then(list(groups.values()), infos)
    made: dict[str, Case] = {}
    for group in groups.values():
        ordered = sorted(group, key=lambda c: (days[c.id] or 0.0, c.id))
        for case in ordered:
            own = days[case.id] or 0.0
            earlier = tuple(
                Visit(replace(c, targets={n: t for n, t in c.targets.items() if n in keep}), own - day)
                for c in ordered
                if (day := days[c.id] or 0.0) < own
            )
            made[case.id] = replace(case, earlier=earlier)
    done = [made.get(c.id, c) for c in cases]
    counts = Counter(len(c.earlier) for c in done)
    with_some = sum(n for k, n in counts.items() if k)
    notes.append(
        f"{counted(with_some, 'case knows', 'cases know')} earlier visits of its patient, {max(counts)} at most"
        if with_some == 1
        else f"{with_some} of {counted(len(done), 'case')} know earlier visits of their patients, {max(counts)} at most"
    )
    lost = [c.id for c in cases if c.patient is None or days.get(c.id) is None]
    if lost:
        notes.append(f"without a patient or a day, and so without earlier visits: {some(lost)}")
    same = sum(len({days[c.id] for c in g}) < len(g) for g in groups.values())
    if same:
        notes.append(
            f"{counted(same, 'patient has', 'patients have')} several rows on one day, which know nothing of each other"
        )
    notes.extend(told if with_some else [])
    return done


def _known_then(
    groups: Sequence[Sequence[Case]], infos: Mapping[str, TargetInfo]
) -> tuple[set[str], list[str]]:
    """Return the targets that earlier visits keep, and in words why they keep or lack each."""
    keep: set[str] = set()
    told: list[str] = []
    for name, info in infos.items():
        kind = kinds.of(info.kind)
        values = [[c.targets[name] for c in group if name in c.targets] for group in groups]
        varies = any(any(v != some_[0] for v in some_[1:]) for some_ in values if some_)
        if kind.drawn or kind.spelled:
            keep.add(name)
        elif kind.ahead:
            told.append(f"'{name}' says what is still to come: earlier visits do not know it")
        elif varies:
            keep.add(name)
            told.append(f"'{name}' differs between the visits of a patient: earlier visits keep theirs")
        else:
            told.append(
                f"'{name}' is the same in all visits of each patient, an outcome of the patient: earlier visits do not "
                "know it"
            )
    return keep, told


def settled_visits(cohort: Cohort) -> Cohort:
    """Return the cohort whose earlier visits are what became of their cases: with the same labels, without faulty ones.

    What was set aside is no earlier visit of any case, and a note says of how many it was one.
    """
    if not any(case.earlier for case in cohort.cases):
        return cohort
    good = {c.id: c for c in cohort.cases}
    bad = {s.case for s in cohort.set_aside}
    missing: Counter[str] = Counter()
    cases = []
    for case in cohort.cases:
        kept = []
        for visit in case.earlier:
            one = good.get(visit.case.id)
            if one is not None and one.images == visit.case.images and one.courses == visit.case.courses:
                targets = {n: one.targets[n] for n in visit.case.targets if n in one.targets}
                kept.append(replace(visit, case=replace(one, targets=targets, earlier=())))
            elif one is None and visit.case.id in bad:
                missing[visit.case.id] += 1
            else:
                kept.append(visit)
        cases.append(replace(case, earlier=tuple(kept)))
    notes = [
        f"'{name}' was set aside, and {counted(n, 'later case knows', 'later cases know')} nothing of it"
        for name, n in missing.items()
    ]
    return replace(cohort, cases=tuple(cases), notes=(*cohort.notes, *notes))
