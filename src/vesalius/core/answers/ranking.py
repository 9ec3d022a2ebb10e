"""Ranking: other cases, the nearest first."""

from __future__ import annotations

from dataclasses import dataclass

from vesalius.core.answers import Answer
from vesalius.core.image import Array


@dataclass(frozen=True, eq=False, kw_only=True)
class Ranking(Answer):
    """Other cases by distance, nearest first."""

    case_ids: tuple[str, ...]
    distances: Array  # (N,)
