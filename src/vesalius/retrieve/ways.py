"""In which way the nearest are found: every case compared, or by a graph where there are many; chosen and measured."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from vesalius.core.errors import MissingExtra
from vesalius.core.index import Index
from vesalius.retrieve.graph import FEWEST, Graph

MANY = 100_000  # cases, from which a graph is made
EXACT, BY_GRAPH = "exact", "graph"


@dataclass(frozen=True)
class Way:
    """A way of searching, `exact` or `graph`, and why.

    `recall` is the share of the nearest cases that a graph was seen to find.
    """

    name: str
    why: str
    recall: float | None = None
    graph: Graph | None = None

    def json(self) -> dict[str, Any]:
        """Return it as JSON holds it."""
        return {"way": self.name, "why": self.why, "recall": self.recall}


def with_way(index: Index, *, many: int = MANY) -> Index:
    """Return an index that says in which way it is searched, with its graph where it has one.

    From `many` cases on a graph is made, and what it finds is held against the exact answer.
    """
    count = len(index.entries)
    if count < many:
        why = f"fewer than {many:,} cases: each is compared"
        return replace(index, search={"way": EXACT, "why": why}, graph=None)
    try:
        made = Graph.built(index.directions)
    except MissingExtra as error:
        return replace(index, search={"way": EXACT, "why": str(error)}, graph=None)
    recall = made.measured(index)
    held = f"{recall.share:.1%} of the nearest {recall.at} of {recall.asked} cases"
    figures = {"recall": recall.share, "at": recall.at, "asked": recall.asked, "reach": recall.reach}
    if recall.share < FEWEST:
        why = f"a graph finds no more than {held}: each case is compared"
        return replace(index, search={"way": EXACT, "why": why, **figures}, graph=None)
    why = f"{many:,} cases or more: a graph, which finds {held}"
    return replace(index, search={"way": BY_GRAPH, "why": why, **figures}, graph=made.bytes())


def way_of(index: Index, *, exact: bool = False) -> Way:
    """Return in which way an index is searched, its graph read. Raises BundleError for a graph of other cases."""
    told = index.search
    if exact:
        return Way(EXACT, "it was asked for")
    if index.graph is None:
        return Way(EXACT, str(told.get("why", "each case is compared")))
    try:
        graph = Graph.read(index.graph, index, int(told["reach"]))
    except MissingExtra as error:
        return Way(EXACT, str(error))
    return Way(BY_GRAPH, str(told["why"]), float(told["recall"]), graph)
