"""Scores: a probability for each label of an image."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from vesalius.core.answers import Answer
from vesalius.core.cohort import Label
from vesalius.core.image import Array
from vesalius.core.shown import some


@dataclass(frozen=True, eq=False, kw_only=True)
class Scores(Answer):
    """A probability for each label. `exclusive` ones sum to one; `threshold` was fixed on validation data."""

    labels: tuple[Label, ...]
    p: Array  # (K,) float64 in [0, 1]
    kind: Literal["exclusive", "multilabel", "ordinal"] = "exclusive"
    positive: str | None = None
    thresholds: Mapping[str, float] = field(default_factory=dict)

    def _says(self) -> Iterable[str]:
        pairs = sorted(zip(self.labels, self.p.tolist(), strict=True), key=lambda pair: -pair[1])
        yield some((f"{label.name} {p:.3f}" for label, p in pairs), len(pairs))
