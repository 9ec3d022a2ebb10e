"""What counts as the truth of a case after several have read it: an adjudicator's word, else what all say alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from vesalius.run.annotation.asks import kind_of
from vesalius.run.annotation.asks.contract import Drawings
from vesalius.run.annotation.project import Project
from vesalius.run.annotation.reading import Reading
from vesalius.run.annotation.standing import Standing


@dataclass(frozen=True)
class Truth:
    """What is taken for true of a case, by kind, each from one reading; `open` are the kinds that nobody settled."""

    by_kind: dict[str, tuple[Any, Reading]]
    open: tuple[str, ...]


def truth_of(project: Project, standing: Standing, drawings: Drawings) -> Truth:
    """Return the truth of a case whose readings are all done.

    Where nobody adjudicated, what readers say alike is true; masks are alike only voxel for voxel, as two that are
    nearly so are joined by `vesalius consensus`.
    """
    found: dict[str, tuple[Any, Reading]] = {}
    left = []
    for ask in project.asks:
        decided = standing.decided
        readings = [decided] if decided is not None and ask.kind in decided.content else list(standing.done)
        said = {r.annotator: r.content[ask.kind] for r in readings if ask.kind in r.content}
        kind = kind_of(ask.kind)
        alike = kind.differ(said, ask.labels, drawings, below=1.0) is None
        if kind.drawn:
            alike = len(set(said.values())) == 1
        if said and alike:
            first = next(r for r in readings if ask.kind in r.content)
            found[ask.kind] = (first.content[ask.kind], first)
        else:
            left.append(ask.kind)
    return Truth(found, tuple(left))
