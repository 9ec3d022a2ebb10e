"""Between: what is known of two visits when the answers to them are compared."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from vesalius.core.image import Array, Image
from vesalius.core.scorecard import Scorecard
from vesalius.prepare.registering import Registration, index_map, onto, shown_by


@dataclass(frozen=True, eq=False)
class Between:
    """Two visits' reference images, how they lie upon one another, and what is known of the model's errors.

    `card` is the scorecard of the model that answered; None where there is none of it. `same` says that both images are
    one, voxel by voxel.
    """

    earlier: Image
    later: Image
    registration: Registration
    card: Scorecard | None = None
    same: bool = False

    @property
    def placed(self) -> bool:
        """Whether what lies upon one another may be taken for the same place."""
        return self.registration.fits

    def carried(self, image: Image, *, order: int = 0, fill: float = 0.0) -> Image:
        """Return an image on the earlier visit's grid, as it lies on the later one's."""
        if np.isnan(fill) and image.array.dtype.kind in "ui":
            fill = 0.0
        array = onto(image.array, self.later, self.earlier, self.registration.matrix, order=order, fill=fill)
        return replace(
            image,
            array=_as(array, image.array.dtype),
            affine=self.later.affine,
            spacing_mm=self.later.spacing_mm,
            spacing_at=self.later.spacing_at,
            source=self.later.source,
        )

    def points(self, points: Array) -> Array:
        """Bring points `(…, 3)` of the earlier image, voxel k from k to k + 1, onto the later one's index."""
        index = np.linalg.inv(self._flat())
        middles = np.asarray(points, dtype=np.float64) - 0.5
        return np.asarray(middles @ index[:3, :3].T + index[:3, 3] + 0.5)

    def shared(self) -> tuple[Array, Array]:
        """Return which voxels of the earlier and of the later image lie in what both show, `(Z, Y, X)` of bits each."""
        matrix = self.registration.matrix
        return (
            shown_by(self.earlier, self.later, np.linalg.inv(matrix)),
            shown_by(self.later, self.earlier, matrix),
        )

    def _flat(self) -> Array:
        return index_map(self.later, self.earlier, self.registration.matrix)


def _as(array: Array, kind: np.dtype[Any]) -> Array:
    """Return values in the type that they had, whole numbers rounded."""
    return (
        np.rint(array).astype(kind) if kind.kind in "ui" and array.dtype.kind == "f" else array.astype(kind)
    )
