"""Boxes: where things lie in an image, as boxes with labels."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

from vesalius.core.answers import Answer
from vesalius.core.answers.numbers import Numbers
from vesalius.core.answers.value import Value
from vesalius.core.case import Box
from vesalius.core.cohort import Label
from vesalius.core.image import Array
from vesalius.core.shown import some
from vesalius.core.words import counted

COUNTS = "counts"  # the part of an answer that says how many boxes of each label are called


@dataclass(frozen=True, eq=False, kw_only=True)
class Boxes(Answer):
    """Boxes in index coordinates of the reference image, with a label and a probability each.

    All that may be something are there, so that figures can be made over every threshold. Those that are called reach
    the threshold of their label in `thresholds`, fixed on validation cases; a label without one has all called.
    """

    boxes: tuple[Box, ...]
    p: Array  # (N,)
    labels: tuple[Label, ...]
    thresholds: Mapping[str, float] | None = field(default=None, metadata={"stored": "where given"})

    @property
    def called(self) -> tuple[int, ...]:
        """The places of the boxes that are called, the surest first."""
        limits = self.thresholds or {}
        order = np.argsort(-np.asarray(self.p), kind="stable").tolist()
        return tuple(k for k in order if self.p[k] >= limits.get(self.boxes[k].label, 0.0))

    def _says(self) -> Iterable[str]:
        pairs = [(self.boxes[k], float(self.p[k])) for k in self.called]
        yield counted(len(pairs), "box", "boxes")
        if pairs:
            yield some((f"{box.label} {p:.3f}" for box, p in pairs), len(pairs))


def counts_of(answer: Boxes) -> Numbers:
    """Return how many boxes of each label are called, for the part `counts`: a `Value` a label, in the labels' order.

    A label of which nothing is called counts 0. The unit is "1", a number of things.
    """
    called = [answer.boxes[k].label for k in answer.called]
    return Numbers(
        case_id=answer.case_id,
        source=answer.source,
        bundle=answer.bundle,
        parts={
            label.name: Value(
                x=float(called.count(label.name)), unit="1", quantity=f"{label.name} count", least=0.0
            )
            for label in answer.labels
        },
    )
