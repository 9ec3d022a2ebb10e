"""Later: the same patient at a later visit, with lesions that have grown, lying otherwise in the scanner."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from vesalius.core.errors import DataError
from vesalius.core.image import Array, Triple
from vesalius.phantom.abdomen.lesions import Lesion


@dataclass(frozen=True)
class Later:
    """A later visit: `growth` of every lesion's volume, days after the first, and how the patient lies otherwise.

    The patient is turned by `turned_deg` about x, y and z through the scanner's middle, then shifted by `shift_mm`.
    """

    growth: float = 1.0
    days: int = 90
    shift_mm: Triple = (0.0, 0.0, 0.0)
    turned_deg: Triple = (0.0, 0.0, 0.0)

    def __post_init__(self) -> None:
        if not 0 < self.growth <= 20:
            raise DataError(
                "a lesion's growth is a factor of its volume", found=f"{self.growth:g}", hint="1.5"
            )
        if not 0 < self.days < 40_000:
            raise DataError("a later visit is after the first", found=f"{self.days} days")

    @property
    def matrix(self) -> Array:
        """Return `(4, 4)` that takes places of the later scan to those of the first one, both LPS mm."""
        (cx, sx), (cy, sy), (cz, sz) = ((np.cos(a), np.sin(a)) for a in np.deg2rad(self.turned_deg))
        about_x = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
        about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
        about_z = np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
        there = np.eye(4)
        there[:3, :3] = about_z @ about_y @ about_x
        there[:3, 3] = self.shift_mm
        return np.asarray(np.linalg.inv(there))

    @property
    def turned_total(self) -> float:
        """By how many degrees the patient is turned, about whichever axis."""
        return float(np.degrees(np.arccos(np.clip((np.trace(self.matrix[:3, :3]) - 1) / 2, -1, 1))))

    def seen(self, points: Array) -> Array:
        """Return where voxels of the later scan lie in the patient as the first scan has it, `(3, …)` in LPS mm."""
        matrix = self.matrix.astype(points.dtype)
        turned = np.tensordot(matrix[:3, :3], points, axes=1)
        return np.asarray(turned + matrix[:3, 3].reshape(3, *[1] * (points.ndim - 1)))

    def grown(self, lesions: tuple[Lesion, ...]) -> tuple[Lesion, ...]:
        """Return lesions whose volume is so many times as large, in their places and of their shape."""
        factor = float(self.growth ** (1 / 3))
        return tuple(replace(one, radius_mm=round(one.radius_mm * factor, 3)) for one in lesions)
