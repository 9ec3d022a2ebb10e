"""How far annotators agree, in the figures of `vesalius consensus`, and on which cases they differ.

Only cases of which all readings are done count, so that a blind reading that is not over stays blind.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from vesalius.cohorts import Experts
from vesalius.cohorts.targets import contract as kinds
from vesalius.consensus import agreement as agreements
from vesalius.consensus.agreement import Agreement
from vesalius.consensus.resampling import RESAMPLES
from vesalius.core.case import Case, Ref
from vesalius.core.cohort import Cohort, TargetInfo
from vesalius.core.progress import Silent
from vesalius.run.annotation.asks import kind_of
from vesalius.run.annotation.asks.contract import Compared, Drawings
from vesalius.run.annotation.project import Project
from vesalius.run.annotation.reading import Reading
from vesalius.run.annotation.standing import Standing
from vesalius.run.consensus.reading import said

EXPERT = "expert {}"  # how a column is called in which one expert says something


@dataclass(frozen=True, eq=False)
class Figures:
    """How far readers agree in one thing that is asked; `why` says why there are no figures where there are none."""

    name: str
    readers: tuple[str, ...]
    cases: int
    agreement: Agreement | None
    why: str = ""


@dataclass(frozen=True)
class Dispute:
    """A case on which readers differ, and in what, by the kind of thing that is asked."""

    case: str
    differ: Mapping[str, Mapping[str, Any]]
    adjudicated: bool


def compared_in(project: Project) -> list[Compared]:
    """Return everything that the readers of a project are compared in."""
    return [one for ask in project.asks for one in kind_of(ask.kind).compared(ask.labels)]


def complete(project: Project, newest: Mapping[str, Sequence[Reading]]) -> dict[str, Standing]:
    """Return the cases of which all readings are done, by key, in the project's order."""
    found = {one.key: Standing.of(project, newest.get(one.key, ())) for one in project.cases}
    return {key: standing for key, standing in found.items() if standing.complete}


def readers_of(standings: Iterable[Standing]) -> tuple[str, ...]:
    """Return who did any of these readings, in alphabetical order."""
    return tuple(sorted({r.annotator for s in standings for r in s.done}))


def expert_cells(
    one: Compared, standings: Mapping[str, Standing], drawings: Drawings
) -> dict[str, dict[str, str | Path]]:
    """Return what each reader says of each case in one thing, by case and reader."""
    kind = one.name.split(" ")[0]
    return {
        key: {r.annotator: one.value(r.content[kind], drawings) for r in s.done if kind in r.content}
        for key, s in standings.items()
    }


def agreement_of(
    project: Project,
    cases: Mapping[str, Case],
    newest: Mapping[str, Sequence[Reading]],
    drawings: Drawings,
    *,
    resamples: int = RESAMPLES,
) -> list[Figures]:
    """Return how far readers agree in each thing, as `vesalius consensus` has it of the cohort that is written."""
    standings = complete(project, newest)
    return [
        _figures(one, cases, expert_cells(one, standings, drawings), resamples)
        for one in compared_in(project)
    ]


def _figures(
    one: Compared, cases: Mapping[str, Case], cells: Mapping[str, Mapping[str, str | Path]], resamples: int
) -> Figures:
    names = tuple(sorted({name for row in cells.values() for name in row}))
    several = sum(len(row) > 1 for row in cells.values())
    if not several:
        return Figures(one.name, names, 0, None, "no case has been read by two annotators yet")
    held = {key: row for key, row in cells.items() if row}
    experts = Experts(
        _cohort(one, [cases[key] for key in held], list(held.values()), names),
        {name: EXPERT.format(name) for name in names},
        one.drawn,
    )
    if one.drawn and not any(info.labels for info in experts.infos):
        return Figures(one.name, names, several, None, "every mask is empty")
    patterns = said(experts, experts.cohort, Silent()).patterns
    figure = agreements.of_masks if one.drawn else agreements.of_classes
    return Figures(one.name, names, several, figure(patterns, resamples=resamples, seed=0))


def _cohort(
    one: Compared, cases: Sequence[Case], rows: Sequence[Mapping[str, str | Path]], names: Sequence[str]
) -> Cohort:
    """Return a cohort in which each reader is an expert."""
    made = []
    for case, row in zip(cases, rows, strict=True):
        targets = {EXPERT.format(n): Ref((v,)) if isinstance(v, Path) else v for n, v in row.items()}
        made.append(replace(case, targets=targets))
    kind = kinds.in_role("mask", []).name if one.drawn else kinds.in_role("label", []).name
    infos = {EXPERT.format(n): TargetInfo(EXPERT.format(n), kind, one.labels) for n in names}
    return Cohort(root=Path(), layout="table", cases=tuple(made), targets=infos)


def disputes_of(
    project: Project, newest: Mapping[str, Sequence[Reading]], drawings: Drawings
) -> list[Dispute]:
    """Return the cases on which readers differ, in the project's order."""
    found = []
    for key, standing in complete(project, newest).items():
        differ = differences(project, standing, drawings)
        if differ:
            found.append(Dispute(key, differ, standing.decided is not None))
    return found


def differences(project: Project, standing: Standing, drawings: Drawings) -> dict[str, dict[str, Any]]:
    """Return in what the readings of a case differ, by the kind of thing that is asked."""
    found = {}
    for ask in project.asks:
        each = {r.annotator: r.content.get(ask.kind) for r in standing.done}
        differ = kind_of(ask.kind).differ(each, ask.labels, drawings, below=project.below)
        if differ is not None:
            found[ask.kind] = differ
    return found
