"""Ranking: other cases, the nearest first."""

from __future__ import annotations

from typing import Any

from vesalius.answers.contract import Handling
from vesalius.answers.drawing.lines import Line
from vesalius.core.answers.ranking import Ranking


class RankingHandling(Handling[Ranking]):
    """What is done with a ranking."""

    kind = Ranking

    def columns(self, answer: Ranking) -> dict[str, Any]:
        """Return no column: the cases are in the answer's JSON."""
        return {}

    def lines(self, answer: Ranking) -> list[Line]:
        """Return the cases with their distances, the nearest first."""
        return [Line(case, f"{far:.4g}") for case, far in zip(answer.case_ids, answer.distances, strict=True)]


HANDLING = RankingHandling()
