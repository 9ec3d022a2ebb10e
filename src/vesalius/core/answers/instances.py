"""Instances: a mask for each thing, touching ones too, as ids over an image, with the label and the surety of each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Literal

import numpy as np

from vesalius.core.answers import ImageAnswer
from vesalius.core.answers.numbers import Numbers
from vesalius.core.answers.value import Value
from vesalius.core.case import Instance
from vesalius.core.cohort import Label
from vesalius.core.image import Array
from vesalius.core.shown import some
from vesalius.core.words import counted

DICOM = "dicom_seg"
COUNTS = "counts"  # the part that says how many things of each label are called


@dataclass(frozen=True, eq=False, kw_only=True)
class Instances(ImageAnswer):
    """Things on the grid of the reference image: `image.array` is `(1, Z, Y, X)` of ids, 0 where nothing is.

    `things` say what each id is, and `labels` are the sorts that there may be. All that may be something are there, so
    that figures can be made over every threshold. Those that are called reach the threshold of their label in
    `thresholds`, fixed on cases that the models never saw; a label without one has all called.
    """

    holds: ClassVar[Literal["labels", "values", "picture"]] = "labels"
    things: tuple[Instance, ...]
    labels: tuple[Label, ...]
    thresholds: Mapping[str, float] | None = field(default=None, metadata={"stored": "where given"})

    @property
    def called(self) -> tuple[int, ...]:
        """The places of the things that are called, the surest first."""
        limits = self.thresholds or {}
        order = np.argsort([-thing.p for thing in self.things], kind="stable").tolist()
        return tuple(k for k in order if self.things[k].p >= limits.get(self.things[k].label, 0.0))

    def called_ids(self) -> Array:
        """Return the ids `(Z, Y, X)` of the things that are called, 0 elsewhere."""
        table = self.table({self.things[k].id: self.things[k].id for k in self.called})
        found: Array = table[self.image.array[0]]
        return found

    def sorts(self) -> Array:
        """Return where the called things of each label are, `(Z, Y, X)`: 0 for nothing, k for the k-th of `labels`."""
        place = {label.name: k for k, label in enumerate(self.labels, start=1)}
        called = (self.things[k] for k in self.called)
        found: Array = self.table({thing.id: place.get(thing.label, 0) for thing in called})[
            self.image.array[0]
        ]
        return found

    def table(self, values: Mapping[int, int]) -> Array:
        """Return an array by which ids are looked up: the value of each in `values`, 0 for the others."""
        highest = max(int(self.image.array.max()) if self.image.array.size else 0, *values, 0)
        found = np.zeros(highest + 1, dtype=np.min_scalar_type(max([1, *values.values()])))
        for thing, value in values.items():
            found[thing] = value
        return found

    def counts(self) -> Numbers:
        """Return how many things of each label are called, for the part `counts`: a `Value` a label, in their order."""
        called = [self.things[k].label for k in self.called]
        return Numbers(
            case_id=self.case_id,
            source=self.source,
            bundle=self.bundle,
            parts={
                label.name: Value(x=float(called.count(label.name)), unit="1", quantity=f"{label.name} count")
                for label in self.labels
            },
        )

    def _holds(self) -> Iterable[str]:
        called = [self.things[k] for k in self.called]
        yield counted(len(called), "thing")
        if called:
            yield some((f"{thing.label} {thing.p:.3f}" for thing in called), len(called))
