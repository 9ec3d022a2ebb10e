"""Scores: a probability for each label of an image."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from vesalius.core.answers import Answer
from vesalius.core.cohort import Label
from vesalius.core.image import Array


@dataclass(frozen=True, eq=False, kw_only=True)
class Scores(Answer):
    """A probability for each label. `exclusive` ones sum to one; `threshold` was fixed on validation data."""

    labels: tuple[Label, ...]
    p: Array  # (K,) float64 in [0, 1]
    kind: Literal["exclusive", "multilabel", "ordinal"] = "exclusive"
    positive: str | None = None
    thresholds: Mapping[str, float] = field(default_factory=dict)
