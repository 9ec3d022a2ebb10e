"""A picture of where a mask's surface lies outside and inside of the truth's, in mm."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from vesalius.core.answers.surface import Surface
from vesalius.core.cohort import Label
from vesalius.core.image import Array, Image
from vesalius.shapes.extract import surface_of_bits
from vesalius.shapes.outward import outward
from vesalius.shapes.picture import row_of
from vesalius.shapes.scale import scale_of

SIZE = (220, 220)
VIEWS = ("anterior", "left")
MOST_LABELS = 6  # the largest
MOST_POINTS = 6000  # vertices of a label whose distance is measured; of larger ones every so many-th


def solid_errors(
    labels: Sequence[Label], bits: Callable[[int], tuple[Array, Array]], image: Image
) -> Array | None:
    """Return a picture `(H, W, 3)` of the answered labels' surfaces, coloured by how far they are from the truth's.

    `bits` gives where the label at a place is in the answer and in the truth. Orange lies outside of the truth, blue
    inside, grey is a label of which there is none in the truth. None of a picture, without a place, and where nothing
    was answered.
    """
    if image.affine is None or image.is_2d or image.array.ndim != 4:
        return None
    sizes = sorted(((int(np.count_nonzero(bits(k)[0])), k) for k in range(len(labels))), reverse=True)
    surfaces: list[Surface] = []
    far: list[Array] = []
    for size, place in sizes[:MOST_LABELS]:
        if size == 0:
            continue
        mine, real = bits(place)
        surface = surface_of_bits(mine, image.affine)
        surfaces.append(surface)
        far.append(_apart(surface, real, image.affine))
    if not surfaces:
        return None
    known = np.concatenate(far)
    if not np.isfinite(known).any():
        return None
    scale = scale_of(
        far, "outside the truth" if (known[np.isfinite(known)] >= 0).all() else "from the truth", "mm"
    )
    return row_of(surfaces, views=VIEWS, colours=far, scale=scale, size=SIZE)


def _apart(surface: Surface, real: Array, affine: Array) -> Array:
    """Return how far each vertex lies outside of the true surface; NaN where there is none."""
    points = np.asarray(surface.vertices_mm, dtype=np.float64)
    if not real.any():
        return np.full(len(points), np.nan)
    truth = surface_of_bits(real, affine)
    step = int(np.ceil(len(points) / MOST_POINTS))
    found = outward(points[::step], truth)
    if step == 1:
        return found
    from scipy.spatial import cKDTree

    spread: Array = found[cKDTree(points[::step]).query(points)[1]]
    return spread
