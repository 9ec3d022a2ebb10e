"""Where DICOM planes lie: from each plane's position and orientation to one order and one LPS affine.

Source: PS3.3 C.7.6.2.1.1 (equation C.7.6.2.1-1), with the slice step measured between positions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from vesalius.core.errors import GeometryError
from vesalius.core.image import Array, Triple

_SAME_DIRECTION = 1e-3  # of a unit vector's coordinate
_EVEN = 0.02  # of the slice step
_LEAST_MM = 0.01


@dataclass(frozen=True)
class Plane:
    """One plane's geometry, as far as it is said. `spacing_mm` is (x, y); `thickness_mm` along the normal."""

    position: tuple[float, ...] | None
    orientation: tuple[float, ...] | None
    spacing_mm: tuple[float, float] | None
    spacing_at: Literal["patient", "detector"] = "patient"
    thickness_mm: float | None = None

    @property
    def placed(self) -> bool:
        """Whether it is known where in the patient the plane lies."""
        return self.position is not None and self.orientation is not None and self.spacing_mm is not None


def stack(planes: Sequence[Plane]) -> tuple[list[int], Array | None, Triple | None]:
    """Order along the normal, the affine of index (x, y, z) to LPS mm, and a spacing where there is no affine.

    A single plane of unknown place has its spacing alone, of 1 along z where no thickness is said.
    Raises GeometryError: planes that are not parallel, uneven, at the same place, or without a place.
    """
    first = planes[0]
    if not first.placed:
        if len(planes) > 1:
            raise GeometryError("several planes without position or orientation", hint="read them one by one")
        if first.spacing_mm is None:
            return [0], None, None
        return [0], None, (*first.spacing_mm, first.thickness_mm or 1.0)
    assert_same(planes)
    x, y = np.array(first.orientation[:3]), np.array(first.orientation[3:])  # type: ignore[index]
    normal = np.cross(x, y)
    if abs(np.linalg.norm(x) - 1) > 0.01 or abs(np.linalg.norm(y) - 1) > 0.01 or abs(float(x @ y)) > 0.01:
        raise GeometryError(
            "an orientation that is not two perpendicular unit vectors", found=str(first.orientation)
        )
    positions = np.array([p.position for p in planes], np.float64)  # (N, 3)
    along = positions @ normal
    order = [int(i) for i in np.argsort(along, kind="stable")]
    positions = positions[order]
    if len(planes) == 1:
        step = normal * (first.thickness_mm or 1.0)
    else:
        step = (positions[-1] - positions[0]) / (len(planes) - 1)
        _check_even(positions, along[order], step)
    affine = np.eye(4)
    dx, dy = first.spacing_mm or (1.0, 1.0)
    affine[:3, 0], affine[:3, 1], affine[:3, 2], affine[:3, 3] = x * dx, y * dy, step, positions[0]
    return order, affine, None


def assert_same(planes: Sequence[Plane]) -> None:
    """Raises GeometryError unless all planes are placed, parallel and of one spacing."""
    first = planes[0]
    for plane in planes[1:]:
        if not plane.placed:
            raise GeometryError(
                "a plane without position, orientation or spacing among others that have them"
            )
        if not np.allclose(plane.orientation, first.orientation, atol=_SAME_DIRECTION):  # type: ignore[arg-type]
            raise GeometryError("planes of several orientations", hint="one reference for each orientation")
        if not np.allclose(plane.spacing_mm, first.spacing_mm, rtol=1e-3):  # type: ignore[arg-type]
            raise GeometryError("planes of several pixel spacings", hint="one reference for each spacing")


def _check_even(positions: Array, along: Array, step: Array) -> None:
    gaps = np.diff(along)
    usual = float(np.median(gaps))
    if gaps.min() < _LEAST_MM:
        hint = "one reference for each time, echo or b-value"
        raise GeometryError("several planes at one position", found=f"{len(along)} planes", hint=hint)
    allowed = max(_EVEN * usual, _LEAST_MM)
    if np.abs(gaps - usual).max() > allowed:
        at = int(np.abs(gaps - usual).argmax())
        raise GeometryError(
            "slices are missing or unevenly spaced",
            found=f"a gap of {gaps[at]:.3f} mm after slice {at + 1}, usually {usual:.3f} mm",
        )
    straight = positions[0] + np.arange(len(along))[:, None] * step
    if np.abs(positions - straight).max() > allowed * 2:
        raise GeometryError("slices that do not lie on one line")
