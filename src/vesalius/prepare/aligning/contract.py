"""The contract of a way of registering two images of one patient rigidly: one file in `prepare/aligning/`.

A literal RANK says which way is taken where nobody names one: the highest of those that are `ready`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from vesalius.core.image import Array


@dataclass(frozen=True, eq=False)
class Field:
    """One channel with its place: `array` `(Z, Y, X)` float32, `affine` from the index `(x, y, z)` to millimetres.

    Where nothing says a pixel's size the affine's unit is a pixel. A picture has Z == 1 and lies in the plane z = 0.
    """

    array: Array
    affine: Array

    @property
    def flat(self) -> bool:
        """Whether this is a single plane."""
        return bool(self.array.shape[0] == 1)

    @property
    def spacing(self) -> Array:
        """Voxel sizes `(x, y, z)`."""
        return np.asarray(np.sqrt((self.affine[:3, :3] ** 2).sum(axis=0)))

    @cached_property
    def span(self) -> tuple[float, float]:
        """The values between which all but one voxel in a hundred lie."""
        flat = self.array.ravel()
        low, high = np.percentile(flat[:: max(1, flat.size // 100_000)], (0.5, 99.5))
        return float(low), float(high)

    @property
    def middle(self) -> Array:
        """Where the middle of the image lies, `(x, y, z)` in the affine's unit."""
        index = [(n - 1) / 2 for n in self.array.shape[::-1]]
        return np.asarray(self.affine[:3, :3] @ index + self.affine[:3, 3])


class Aligner(ABC):
    """A way of registering; a file of this kind ends in `ALIGNER = …()`."""

    def ready(self) -> bool:
        """Return whether what it needs is installed."""
        return True

    @abstractmethod
    def align(self, later: Field, earlier: Field) -> Array:
        """Return `(4, 4)` that takes places of `later` to those of `earlier`, a rotation and a shift.

        The same two images have the same registration. In a plane only x and y are turned and shifted. Raises
        MissingExtra where a library is missing, DataError where nothing can be found.
        """


def rigid(angles: Array, shift: Array, centre: Array) -> Array:
    """Return `(4, 4)` that turns by `angles` (radians, about x, then y, then z) about a centre, then shifts."""
    (cx, sx), (cy, sy), (cz, sz) = ((np.cos(a), np.sin(a)) for a in angles)
    about_x = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_z = np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
    found = np.eye(4)
    found[:3, :3] = about_z @ about_y @ about_x
    found[:3, 3] = centre + shift - found[:3, :3] @ centre
    return found
