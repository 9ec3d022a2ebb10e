"""Patients and pictures that two cohorts share."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace

from vesalius.core.words import counted, listed
from vesalius.reliability import duplicates
from vesalius.reliability._records import CaseRecord
from vesalius.reliability.finding import Finding
from vesalius.reliability.looks.contract import Seen

ORDER = 31
HERE, THERE = "here", "there"


def find(seen: Seen) -> Iterator[Finding]:
    """Yield what each further cohort shares with this one."""
    for root, other in seen.others.items():
        yield from _pictures(seen.good, other.good, root.name)
        yield from _patients(seen.good, other.good, root.name)


def _pictures(mine: Sequence[CaseRecord], theirs: Sequence[CaseRecord], name: str) -> Iterator[Finding]:
    """Yield pictures that are the same, or nearly; a patient's name of one cohort is not taken for the other's."""
    marked = [
        replace(
            f,
            case=f"{side}\0{f.case}",
            split=None,
            patient=None if f.patient is None else f"{side}\0{f.patient}",
        )
        for side, records in ((HERE, mine), (THERE, theirs))
        for f in records
    ]
    if len(marked) > duplicates.LIMIT:
        both = f"{len(marked)} cases here and in {name}"
        text = f"{both} are too many to compare in pairs: near duplicates were not looked for"
        yield Finding("note", "near shared picture", (), text, "exact ones were, by their hash")
    for twin in duplicates.find(marked):
        here, there = (
            [case.partition("\0")[2] for case in twin.cases if case.startswith(f"{side}\0")]
            for side in (HERE, THERE)
        )
        if here and there:
            same = "the same picture" if twin.exact else f"nearly the same picture ({twin.similarity:.3f})"
            apart = ", under different labels" if twin.contradicts else ""
            text = f"{same} stands here ({listed(here, 4)}) and in {name} ({listed(there, 4)}){apart}"
            hint = "test on one cohort what learned from the other only without it"
            yield Finding(
                "warning", "shared picture" if twin.exact else "near shared picture", tuple(here), text, hint
            )


def _patients(mine: Sequence[CaseRecord], theirs: Sequence[CaseRecord], name: str) -> Iterator[Finding]:
    cases: dict[str, list[str]] = defaultdict(list)
    for f in mine:
        if f.patient is not None:
            cases[f.patient.strip().casefold()].append(f.case)
    shared = {f.patient.strip().casefold() for f in theirs if f.patient is not None} & set(cases)
    if shared:
        found = tuple(c for patient in sorted(shared) for c in cases[patient])
        text = f"{counted(len(shared), 'name')} of patients also in {name}: {listed(sorted(shared), 6)}"
        hint = "the same people, or names that only happen to be alike (1, 2, 3): look, and keep each on one side"
        yield Finding("warning", "shared patient", found, text, hint)
