"""Targets that are made of outlines, such as masks of things, where a file has them and they are asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from vesalius import formats
from vesalius.cohorts._box_settle import numbered
from vesalius.cohorts.targets.contract import Outlined, TargetKind
from vesalius.core.case import Case, Ref, Target
from vesalius.core.cohort import Cohort, SetAside, TargetInfo
from vesalius.core.errors import DataError, VesaliusError


def with_outlines(
    cohort: Cohort, kind: TargetKind, things: Mapping[str, Sequence[Outlined]], *, reason: str
) -> Cohort:
    """Return the cohort with what a kind of target makes of the outlines of each case, under the kind's name.

    A case whose outlines are no such thing, or are of a picture of another size, is set aside.
    """
    cases, aside = list[Case](), list[SetAside]()
    for case in cohort.cases:
        try:
            value = _value(case, kind, things[case.id]) if case.id in things else None
        except (VesaliusError, OSError) as error:
            aside.append(SetAside(case.id, str(error)))
            continue
        cases.append(case if value is None else replace(case, targets={**case.targets, kind.name: value}))
    names = dict.fromkeys(thing.label for held in things.values() for thing in held)
    info = TargetInfo(kind.name, kind.name, numbered(list(names)), reason)
    return replace(
        cohort,
        cases=tuple(cases),
        targets={**cohort.targets, kind.name: info},
        set_aside=(*cohort.set_aside, *aside),
    )


def _value(case: Case, kind: TargetKind, things: Sequence[Outlined]) -> Target | None:
    """Return what outlines make in the picture of a case. Raises DataError."""
    image = case.image
    if image is None:
        return None
    rows, columns = (formats.header(image) if isinstance(image, Ref) else image).shape[1:]
    for k, thing in enumerate(things, start=1):
        if thing.size is not None and thing.size != (rows, columns):
            raise DataError(
                f"outline {k} is of a picture of another size than its case's",
                found=f"{thing.size[0]}×{thing.size[1]} there, {rows}×{columns} here",
            )
    return kind.of_outlines(things, (rows, columns))
