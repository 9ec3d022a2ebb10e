"""Scores: a probability for each label of an image."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from vesalius.core import grades
from vesalius.core.answers import Answer
from vesalius.core.cohort import Label
from vesalius.core.image import Array
from vesalius.core.shown import some


@dataclass(frozen=True, eq=False, kw_only=True)
class Scores(Answer):
    """A probability for each label. `exclusive` ones sum to one; `threshold` was fixed on validation data.

    The labels of an `ordinal` one are grades, the lowest first. Its `decision` says which of them is called: the
    `median`, which is the least far from the truth on average, or where it is None the likeliest. `uncalibrated` are
    the names of the labels whose probability nobody calibrated, of a task that calibrates each label by itself.
    """

    labels: tuple[Label, ...]
    p: Array  # (K,) float64 in [0, 1]
    kind: Literal["exclusive", "multilabel", "ordinal"] = "exclusive"
    positive: str | None = None
    thresholds: Mapping[str, float] = field(default_factory=dict)
    decision: Literal["median"] | None = field(default=None, metadata={"stored": "where given"})
    uncalibrated: tuple[str, ...] = field(default=(), metadata={"stored": "where given"})

    @property
    def ordered(self) -> bool:
        """Whether the labels are grades."""
        return self.kind == "ordinal"

    @property
    def called(self) -> int:
        """The place of the label that is called, of labels that exclude one another.

        By the operating point of two, the median of grades that are called so, else the likeliest.
        """
        names = [x.name for x in self.labels]
        if len(names) == 2 and self.positive in self.thresholds and self.positive in names:
            k = names.index(self.positive)
            return k if self.p[k] >= self.thresholds[self.positive] else 1 - k
        return int(grades.median(self.p) if self.decision else self.p.argmax())

    @property
    def called_names(self) -> tuple[str, ...]:
        """The names of the labels that are called: of several at once each from its threshold on, else the one."""
        if self.kind == "multilabel":
            named = zip(self.labels, self.p.tolist(), strict=True)
            return tuple(x.name for x, p in named if p >= self.thresholds.get(x.name, 0.5))
        return (self.labels[self.called].name,)

    def _says(self) -> Iterable[str]:
        pairs = sorted(zip(self.labels, self.p.tolist(), strict=True), key=lambda pair: -pair[1])
        yield some((f"{label.name} {p:.3f}" for label, p in pairs), len(pairs))
        if self.uncalibrated:
            yield f"not calibrated: {some(self.uncalibrated, len(self.uncalibrated))}"
