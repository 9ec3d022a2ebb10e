"""How far annotators agree, and on which cases they differ, as JSON has it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from vesalius.core.interval import Interval
from vesalius.core.numbers import finite
from vesalius.run.annotation.agreeing import Dispute, Figures, complete, readers_of
from vesalius.run.annotation.project import Project
from vesalius.run.annotation.reading import Reading


def agreement_json(
    project: Project,
    figures: Sequence[Figures],
    disputes: Sequence[Dispute],
    newest: Mapping[str, Sequence[Reading]],
) -> dict[str, Any]:
    """Return figures and disputed cases, these by key and name; of a thing without figures `why` there are none."""
    standings = complete(project, newest)
    names = {one.key: one.id for one in project.cases}
    return {
        "cases": len(standings),
        "readers": list(readers_of(standings.values())),
        "asks": [_figures(one) for one in figures],
        "disputed": [
            {
                "case": one.case,
                "name": names[one.case],
                "asks": [{"kind": kind, **finite(what)} for kind, what in one.differ.items()],
                "adjudicated": one.adjudicated,
            }
            for one in disputes
        ],
    }


def _figures(one: Figures) -> dict[str, Any]:
    found = one.agreement
    pairs = {} if found is None else found.pairs
    return {
        "kind": one.name,
        "cases": one.cases,
        "all": {} if found is None else {name: _interval(v) for name, v in found.all.items()},
        "pairs": [
            {
                "readers": [one.readers[i], one.readers[j]],
                "figures": {name: _interval(v) for name, v in each.items()},
            }
            for (i, j), each in pairs.items()
        ],
        "why": one.why or None,
    }


def _interval(found: Interval) -> dict[str, Any]:
    made: dict[str, Any] = finite(asdict(found))
    return made
