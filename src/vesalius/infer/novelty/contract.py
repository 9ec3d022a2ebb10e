"""The contract of a detector of images unlike those of training: one file in `infer/novelty/`, found by its name."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from vesalius.core.image import Array

FEWEST = 5  # cases that a stored mean is of, so that no number in a bundle is a single patient's


@dataclass(frozen=True, eq=False)
class Seen:
    """What the layers of a model show of `n` cases: each layer `(n, D)`, the finest first.

    `groups` `(n,)` says by a number from 0 which group each case belongs to, all 0 where there are none. `logits`
    `(n, K)` are those of classes that exclude one another; None where the raw output is something else. Of cases that
    are only scored `groups` is None.
    """

    layers: Sequence[Array]
    groups: Array | None = None
    logits: Array | None = None

    def __len__(self) -> int:
        return len(self.layers[0])


class Detector(ABC):
    """A way of telling how strange a case is. Instances hold nothing; a file ends in `DETECTOR = …`.

    What is fitted is arrays by name, kept in the bundle; none of them may be the features of fewer than `FEWEST` cases.
    How layers are joined and from where on a case is strange is not the detector's business (`infer/alarm.py`).
    """

    @abstractmethod
    def fit(self, seen: Seen) -> Mapping[str, Array]:
        """Return what is learned of training cases, `FEWEST` at least, as arrays by name."""

    @abstractmethod
    def scores(self, fitted: Mapping[str, Array], seen: Seen) -> Array:
        """Return how strange each case is to each layer, `(n, L)`; larger is stranger.

        The scale is one on which ordinary cases lie evenly about their mean, such as the logarithm of a distance.
        """
