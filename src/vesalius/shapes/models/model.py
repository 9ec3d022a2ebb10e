"""ShapeModel: a mean surface, the modes in which shapes differ from it, and what it can promise of its answers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from vesalius.core.answers.surface import Surface
from vesalius.core.errors import DataError
from vesalius.core.image import Array
from vesalius.core.shown import Shown
from vesalius.core.words import counted


@dataclass(frozen=True, eq=False, kw_only=True)
class ShapeModel(Shown):
    """How the surface of one anatomy differs between people; corresponding vertices in mm, centred, axes as in LPS.

    `mean_mm` is `(V, 3)`, `faces` `(F, 3)`; `modes` `(K, V, 3)` are orthonormal and `variances` `(K,)` theirs in mm²,
    the greatest first, of which `sound` stand out from chance. `smooth` `(V, R)` are columns of further smooth
    movements, the same for each axis, and `smooth_variances` `(R,)` theirs: what left-out shapes did beyond the modes.
    `noise_mm` is the standard deviation of what is left of each coordinate.

    `weights` `(n, K)` are the shapes that it was learned from, in no order that could tell whose. `sizes` says whether
    size was taken out, so that a shape is found at any size. `turned` says whether directions were unknown.
    `promised` are the figures of left-out shapes that bands and p-values go by; see `calibrating.py`.
    """

    mean_mm: Array
    faces: Array
    modes: Array
    variances: Array
    sound: int
    smooth: Array
    smooth_variances: Array
    noise_mm: float
    weights: Array
    label: str = ""
    sizes: bool = False
    turned: bool = False
    residual_mm: float = 0.0
    promised: Mapping[str, Any] = field(default_factory=dict)
    figures: Mapping[str, Any] = field(default_factory=dict)
    data_hash: str = ""
    hash: str = ""

    @property
    def shapes(self) -> int:
        """How many shapes it was learned from."""
        return len(self.weights)

    @property
    def size_mm(self) -> float:
        """The root mean square distance of the mean's vertices from their middle."""
        return float(np.sqrt(((self.mean_mm - self.mean_mm.mean(axis=0)) ** 2).sum(axis=1).mean()))

    def points(self, deviations: Array | None = None) -> Array:
        """Return vertices `(V, 3)` in mm that lie so many standard deviations along the first modes; none is the mean.

        Raises DataError for more deviations than modes.
        """
        if deviations is None:
            return self.mean_mm
        b = np.asarray(deviations, dtype=np.float64)
        if b.ndim != 1 or len(b) > len(self.variances):
            raise DataError(
                f"the model has {counted(len(self.variances), 'mode')}", found=f"{b.size} deviations"
            )
        own = b * np.sqrt(self.variances[: len(b)])
        return np.asarray(self.mean_mm + np.tensordot(own, self.modes[: len(b)], axes=1))

    def surface(self, deviations: Array | None = None) -> Surface:
        """Return the mesh so many standard deviations along the first modes."""
        return Surface(vertices_mm=self.points(deviations), faces=self.faces)

    def _words(self) -> Iterable[str]:
        yield self.label or "one label"
        yield counted(self.shapes, "shape")
        yield f"{counted(len(self.variances), 'mode')}, {self.sound} beyond chance"
        yield f"{len(self.mean_mm)} vertices"
