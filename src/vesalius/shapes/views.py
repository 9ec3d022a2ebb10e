"""Views: the directions from which a surface is looked at, and how millimetres of the patient become pixels."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from vesalius.core.errors import DataError, UnknownName
from vesalius.core.image import Array

Direction = str | tuple[float, float]

# what lies to the right of the picture and upwards in it, in LPS; what lies away from the viewer follows
_STANDARD = {
    "anterior": ((1, 0, 0), (0, 0, 1)),
    "posterior": ((-1, 0, 0), (0, 0, 1)),
    "left": ((0, 1, 0), (0, 0, 1)),
    "right": ((0, -1, 0), (0, 0, 1)),
    "superior": ((-1, 0, 0), (0, -1, 0)),
    "inferior": ((1, 0, 0), (0, -1, 0)),
}
VIEWS = tuple(_STANDARD)
_LETTERS = (("R", "L"), ("A", "P"), ("I", "S"))
PLAIN = math.cos(
    math.radians(15)
)  # an axis of the picture nearer than this to one of the body has its letter
MARGIN = 0.08  # of the picture's shorter side, on each side of what is shown


@dataclass(frozen=True, eq=False)
class Camera:
    """How points are laid onto a picture: `axes` are its right, its down and away from the viewer in LPS, as rows.

    `middle_mm` is the point in the middle of the picture; `per_mm` how many pixels a millimetre has; `shape` the
    picture's height and width. It shows without perspective, so that a length is the same wherever it lies.
    """

    axes: Array
    middle_mm: Array
    per_mm: float
    shape: tuple[int, int]

    def laid(self, points_mm: Array) -> Array:
        """Return columns, rows and depths in pixels of points in LPS millimetres, `(V, 3)`; less depth is nearer."""
        found: Array = (points_mm - self.middle_mm) @ self.axes.T * self.per_mm
        found[:, :2] += [(self.shape[1] - 1) / 2, (self.shape[0] - 1) / 2]
        return found

    def letters(self) -> dict[str, str]:
        """Return the letters of the patient at the picture's left, right, top and bottom; none where it is oblique."""
        found = {}
        for name, sign, row in (("left", -1, 0), ("right", 1, 0), ("top", -1, 1), ("bottom", 1, 1)):
            direction = sign * self.axes[row]
            k = int(np.argmax(np.abs(direction)))
            if abs(direction[k]) >= PLAIN:
                found[name] = _LETTERS[k][int(direction[k] > 0)]
        return found


def axes_of(view: Direction) -> Array:
    """Return a view's axes as rows `(3, 3)` in LPS: the picture's right, its down, and away from the viewer.

    A pair of numbers is an azimuth and an elevation in degrees: (0, 0) looks from the front, (90, 0) from the patient's
    left, (0, 90) from above. Raises UnknownName for a name that is no view, DataError for angles that are no numbers.
    """
    if isinstance(view, str):
        if view not in _STANDARD:
            raise UnknownName("view of a surface", view, VIEWS)
        right, up = (np.array(x, dtype=np.float64) for x in _STANDARD[view])
    else:
        azimuth, elevation = (math.radians(x) for x in view)
        if not math.isfinite(azimuth + elevation):
            raise DataError("a view's angles are not numbers", found=str(view), hint="(azimuth, elevation)")
        right = np.array([math.cos(azimuth), math.sin(azimuth), 0])
        level = np.array([math.sin(azimuth), -math.cos(azimuth), 0])  # from the patient to the viewer
        up = np.array([0, 0, math.cos(elevation)]) - math.sin(elevation) * level
    found: Array = np.stack([right, -up, np.cross(up, right)])
    return found


def camera_of(points_mm: Array, view: Direction, shape: tuple[int, int], *, edge: int = 0) -> Camera:
    """Return the camera that shows all points, as large as they fit above `edge` pixels at the foot of a picture."""
    axes = axes_of(view)
    laid = points_mm @ axes.T
    low, high = laid.min(axis=0), laid.max(axis=0)
    free = np.array([shape[1], shape[0] - edge]) - 2 * MARGIN * min(shape)
    extent = np.maximum((high - low)[:2], 1e-6)
    per_mm = float((free / extent).min())
    middle = (low + high) / 2
    middle[1] += edge / 2 / per_mm
    return Camera(axes, middle @ axes, per_mm, shape)


def bar_of(per_mm: float, longest: float) -> tuple[float, int]:
    """Return a scale bar's length in mm, 1, 2 or 5 times a power of ten, and in pixels, at most `longest` of these."""
    most = longest / per_mm
    ten = 10.0 ** math.floor(math.log10(most))
    length = next(n * ten for n in (5, 2, 1) if n * ten <= most * (1 + 1e-9))
    return length, round(length * per_mm)
