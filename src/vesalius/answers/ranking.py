"""Ranking: other cases, the nearest first."""

from __future__ import annotations

from typing import Any

from vesalius.answers._asking import number_place
from vesalius.answers.contract import Handling
from vesalius.answers.drawing.lines import Line
from vesalius.core.answers.ranking import Ranking
from vesalius.core.ask import Ask
from vesalius.core.marks import Mark, digest, fields_of


class RankingHandling(Handling[Ranking]):
    """What is done with a ranking."""

    kind = Ranking
    asks = ("neighbour",)

    def columns(self, answer: Ranking) -> dict[str, Any]:
        """Return no column: the cases are in the answer's JSON."""
        return {}

    def marks(self, answer: Ranking) -> list[Mark]:
        """Return the distances, and the order of the cases, whose ids no bundle may hold, as a hash."""
        order = Mark("order of the cases", digest("\n".join(answer.case_ids)))
        return [order, *fields_of(answer.distances, "distances")]

    def lines(self, answer: Ranking) -> list[Line]:
        """Return the cases with their distances, the nearest first."""
        return [Line(case, f"{far:.4g}") for case, far in zip(answer.case_ids, answer.distances, strict=True)]

    def ask(self, answer: Ranking, of: str, which: str | None) -> Ask:
        """Return the k-th case of the ranking; by default the nearest."""
        place = number_place(which, len(answer.case_ids), what=of)
        return Ask(of, place, words=f"the likeness to {answer.case_ids[place]}")


HANDLING = RankingHandling()
