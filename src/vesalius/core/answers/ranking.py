"""Ranking: other cases, the nearest first."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from vesalius.core.answers import Answer
from vesalius.core.image import Array
from vesalius.core.shown import cut, some


@dataclass(frozen=True, eq=False, kw_only=True)
class Ranking(Answer):
    """Other cases by distance, nearest first."""

    case_ids: tuple[str, ...]
    distances: Array  # (N,)

    def _says(self) -> Iterable[str]:
        pairs = zip(self.case_ids, self.distances.tolist(), strict=True)
        yield "nearest: " + some((f"{cut(case)} {far:.3g}" for case, far in pairs), len(self.case_ids))
