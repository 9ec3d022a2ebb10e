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
_EVEN = 0.04  # of the slice step
_ROUNDED = 0.1, 0.2  # mm, and of the slice step: how far positions that were rounded may lie off
LEAST_MM = 0.01


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
        """Whether the plane's position in the patient is known."""
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
    x, y, normal = axes(first)
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


def axes(plane: Plane) -> tuple[Array, Array, Array]:
    """Return unit vectors along a placed plane's rows and columns, and their normal.

    What was rounded is made of length 1 again, as SimpleITK does. Raises GeometryError beyond rounding.
    """
    x, y = np.array(plane.orientation[:3]), np.array(plane.orientation[3:])  # type: ignore[index]
    long = float(np.linalg.norm(x)), float(np.linalg.norm(y))
    if abs(long[0] - 1) > 0.01 or abs(long[1] - 1) > 0.01 or abs(float(x @ y)) > 0.01:
        raise GeometryError(
            "an orientation that is not two perpendicular unit vectors", found=str(plane.orientation)
        )
    x, y = x / long[0], y / long[1]
    normal = np.cross(x, y)
    return x, y, normal / np.linalg.norm(normal)


def assert_same(planes: Sequence[Plane]) -> None:
    """Raise GeometryError unless all planes are placed, parallel and of one spacing."""
    first = planes[0]
    for plane in planes[1:]:
        if not plane.placed:
            raise GeometryError(
                "a plane without position, orientation or spacing among others that have them"
            )
        if (plane.orientation, plane.spacing_mm) == (first.orientation, first.spacing_mm):
            continue
        if not np.allclose(plane.orientation, first.orientation, atol=_SAME_DIRECTION):  # type: ignore[arg-type]
            raise GeometryError("planes of several orientations", hint="one reference for each orientation")
        if not np.allclose(plane.spacing_mm, first.spacing_mm, rtol=1e-3):  # type: ignore[arg-type]
            raise GeometryError("planes of several pixel spacings", hint="one reference for each spacing")


def spread(along: Array) -> Literal["even", "uneven", "doubled"]:
    """Return how planes lie along their normal, in order: evenly (but for rounding), unevenly, or several at one
    place.
    """
    if len(along) < 2:
        return "even"
    if float(np.diff(along).min()) < LEAST_MM:
        return "doubled"
    step = float(along[-1] - along[0]) / (len(along) - 1)
    off = np.abs(along - along[0] - step * np.arange(len(along)))
    return "even" if float(off.max()) <= _allowed(step) else "uneven"


def _allowed(step: float) -> float:
    """Return how many mm a plane may miss its evenly spaced position; a missing slice is half a step off and
    more.
    """
    return max(_EVEN * step, min(_ROUNDED[0], _ROUNDED[1] * step))


def _check_even(positions: Array, along: Array, step: Array) -> None:
    state = spread(along)
    if state == "doubled":
        hint = "export it again with the time, echo or b-value of each frame"
        raise GeometryError("several planes at one position", found=f"{len(along)} planes", hint=hint)
    if state == "uneven":
        gaps = np.diff(along)
        usual = float(np.median(gaps))
        at = int(np.abs(gaps - usual).argmax())
        raise GeometryError(
            "slices are missing or unevenly spaced",
            found=f"a gap of {gaps[at]:.3f} mm after slice {at + 1}, usually {usual:.3f} mm",
        )
    straight = positions[0] + np.arange(len(along))[:, None] * step
    if np.abs(positions - straight).max() > _allowed(float(along[-1] - along[0]) / (len(along) - 1)):
        raise GeometryError("slices that do not lie on one line")


def tilt(affine: Array, count: int) -> tuple[float, float] | None:
    """Return how far, in pixels of x and y, each slice of a tilted gantry lies beside the one before.

    It is None if it is upright.
    Upright is what drifts by less than half a pixel from the first slice to the last.
    """
    x, y, step = affine[:3, 0], affine[:3, 1], affine[:3, 2]
    beside = float(step @ x / (x @ x)), float(step @ y / (y @ y))
    drift = max(abs(beside[0]), abs(beside[1])) * (count - 1)
    return beside if drift > 0.5 else None


def upright(
    affine: Array, shape: tuple[int, int, int], beside: tuple[float, float]
) -> tuple[Array, tuple[int, int, int]]:
    """Return the affine and the shape `(Z, Y, X)` of the upright box that holds every slice of a tilted stack."""
    z, y, x = shape
    drift = np.array(beside) * (z - 1)
    low = np.floor(np.minimum(drift, 0)).astype(int)
    high = np.ceil(np.maximum(drift, 0)).astype(int)
    straight = affine.copy()
    straight[:3, 2] -= affine[:3, 0] * beside[0] + affine[:3, 1] * beside[1]
    straight[:3, 3] += affine[:3, 0] * low[0] + affine[:3, 1] * low[1]
    return straight, (z, y + int(high[1] - low[1]), x + int(high[0] - low[0]))


def shifted(plane: Array, shape: tuple[int, int], by: tuple[float, float], fill: float) -> Array:
    """Return a slice moved within a larger one by `by` pixels of (x, y), linearly interpolated.

    `fill` stands where it does not reach, and at an edge that it covers only in part: nothing is invented there.
    """
    whole = int(np.floor(by[0])), int(np.floor(by[1]))
    part = by[0] - whole[0], by[1] - whole[1]
    moved = plane.astype(np.float32)
    out = np.full(shape, fill, np.float32)
    if part[0] > 1e-6:
        moved = moved[:, :-1] * part[0] + moved[:, 1:] * (1 - part[0])
    if part[1] > 1e-6:
        moved = moved[:-1] * part[1] + moved[1:] * (1 - part[1])
    at = whole[1] + (part[1] > 1e-6), whole[0] + (part[0] > 1e-6)
    out[at[0] : at[0] + moved.shape[0], at[1] : at[1] + moved.shape[1]] = moved
    return out
