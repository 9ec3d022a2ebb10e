"""Ranking: other cases, the nearest first."""

from __future__ import annotations

from typing import Any

from vesalius.answers.contract import Handling
from vesalius.core.answers.ranking import Ranking


class RankingHandling(Handling[Ranking]):
    """What is done with a ranking."""

    kind = Ranking

    def columns(self, answer: Ranking) -> dict[str, Any]:
        """Return no column: the cases are in the answer's JSON."""
        return {}


HANDLING = RankingHandling()
