"""What the deepest map of the earlier stage's net says of the case, as a vector beside the image."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import numpy as np

from vesalius.core.image import Array, Image
from vesalius.infer.handover.contract import Given, Handover, Said, Takes
from vesalius.tasks.contract import Task


class FeatureVector(Handover):
    """What is kept are the features `(F,)` of the stage's first member (`infer/features.py`)."""

    alone: ClassVar[bool] = True
    vector: ClassVar[bool] = True

    def fault(self, task: Task) -> str | None:
        """Return None: every stage with a net on an image has features, and its first answer tells of one without."""
        return None

    def kept(self, said: Said, name: str) -> Array:
        """Return the features."""
        return np.asarray(said.features(), dtype=np.float32)

    def given(self, given: Given, kept: Array, *, name: str, takes: Takes, target: str | None) -> Given:
        """Return the case with these features beside it, under the name of the stage."""
        return replace(given, vectors={**given.vectors, name: kept})

    def blank(self, reference: Image, width: int) -> Array:
        """Return features that are all zero."""
        return np.zeros(width, dtype=np.float32)


HANDOVER = FeatureVector()
