"""Ranking: other cases, the nearest first."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from vesalius.answers._asking import number_place
from vesalius.answers.contract import Handling
from vesalius.answers.drawing.lines import Line
from vesalius.core.answers.ranking import Ranking
from vesalius.core.ask import Ask
from vesalius.core.image import Array
from vesalius.core.marks import Mark, digest, fields_of
from vesalius.metrics import Rows


class RankingHandling(Handling[Ranking]):
    """What is done with a ranking."""

    kind = Ranking
    headlines = ("recall@1", "recall@5", "recall@10", "map@10", "map", "ndcg@10", "accuracy")
    metric_names: ClassVar[Mapping[str, str]] = {
        "map": "mean average precision",
        "map@10": "mean average precision at 10",
        "ndcg@10": "nDCG at 10",
        "accuracy": "accuracy of the label by the nearest",
    }
    left_out: ClassVar[Mapping[str, str]] = {"nothing to be found": "no case that should be found"}
    baseline = "all cases equally near, so in any order"
    compared = ("recall@1", "map@10", "ndcg@10")
    asks = ("neighbour",)
    error = "1 less the nDCG at 10"

    def columns(self, answer: Ranking) -> dict[str, Any]:
        """Return no column: the cases are in the answer's JSON."""
        return {}

    def marks(self, answer: Ranking) -> list[Mark]:
        """Return the distances, and the order of the cases, whose ids no bundle may hold, as a hash."""
        order = Mark("order of the cases", digest("\n".join(answer.case_ids)))
        compared = [] if answer.among is None else [Mark("cases compared", float(answer.among))]
        same = [] if answer.same is None else fields_of(answer.same, "chances to share a label")
        return [order, *compared, *fields_of(answer.distances, "distances"), *same]

    def lines(self, answer: Ranking) -> list[Line]:
        """Return the cases with their distances, the nearest first, and how likely each shares a label."""
        same = (
            [""] * len(answer.case_ids) if answer.same is None else [f"; same {p:.2f}" for p in answer.same]
        )
        rows = zip(answer.case_ids, answer.distances, same, strict=True)
        return [Line(case, f"{far:.4g}{p}") for case, far, p in rows]

    def ask(self, answer: Ranking, of: str, which: str | None) -> Ask:
        """Return the k-th case of the ranking; by default the nearest."""
        place = number_place(which, len(answer.case_ids), what=of)
        among = place if answer.places is None else answer.places[place]
        return Ask(of, among, words=f"the likeness to {answer.case_ids[place]}")

    def each(self, rows: Rows) -> Array:
        """Return the discounted gain of the nearest 10 of each query, NaN where nothing is to be found."""
        return rows["ndcg@10"]

    def losses(self, rows: Rows) -> Array:
        """Return how much of the gain is missing."""
        return 1 - self.each(rows)


HANDLING = RankingHandling()
