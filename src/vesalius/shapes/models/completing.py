"""Completing: the whole surface that goes with a part of it, with a band in which it lies."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vesalius.core.answers.surface import Surface
from vesalius.core.errors import DataError
from vesalius.core.image import Array
from vesalius.shapes.models.aligning import Pose
from vesalius.shapes.models.cloud import Cloud, cloud_of
from vesalius.shapes.models.fitting import Fit, fit
from vesalius.shapes.models.model import ShapeModel
from vesalius.shapes.models.posterior import Columns

FLAT = 0.03  # of the area: a plane of so much is taken for a cut
ALIKE = 0.995  # cosine of the angle between normals of one plane
THICK = 0.02  # of the size: how thick a plane is


@dataclass(frozen=True, eq=False)
class Completion:
    """A whole surface in LPS mm: `surface`, which of its vertices were `seen` `(V,)`, and the band around it.

    The true surface lies within `band_mm` `(V,)` of a vertex along its normal at the share of places that `level` says;
    None where the model holds no promise. `missing` is the share of vertices that were not seen, `off_mm` how far what
    was seen is from the surface on average, and `notes` say what must be read first.
    """

    surface: Surface
    seen: Array
    spread_mm: Array
    band_mm: Array | None
    level: float
    missing: float
    off_mm: float
    pose: Pose
    weights: Array
    notes: tuple[str, ...]


def complete(
    model: ShapeModel,
    surface: Surface,
    seen: Array | None = None,
    *,
    whole: bool = False,
    columns: Columns | None = None,
) -> Completion:
    """Return the whole surface that most likely goes with what is seen of one.

    `seen` `(V',)` says which vertices of the given surface are anatomy; others, as where a mask is cut by the image's
    edge, say nothing. Large planes are taken for cuts, too. Pose and shape go by the seen part alone.

    Raises DataError where too little is seen, the mirror image fits better, or units differ.
    """
    given = _seen_part(surface, seen)
    cloud = cloud_of(given, samples=min(3000, max(1000, 4 * len(model.mean_mm))))
    flat = np.zeros(len(cloud.points_mm), dtype=bool) if whole else planes(cloud)
    _assert_units(model, cloud)
    found = fit(model, cloud.only(~flat), whole=whole, columns=columns)
    return completion_of(model, found, flat=float(flat.mean()))


def completion_of(model: ShapeModel, found: Fit, *, flat: float = 0.0) -> Completion:
    """Return what a fit says of the whole surface. Raises DataError where the mirror image fits better."""
    if found.mirrored:
        raise DataError(
            "the mirror image of the surface fits the model clearly better",
            found="left and right, or the image's directions, may be mixed",
            hint="the model of the other side",
        )
    promised = model.promised
    factor = promised.get("factor")
    missing = float(1 - found.seen.mean())
    notes = []
    if flat > 0:
        notes.append(f"A plane of {flat:.0%} of the surface was taken for a cut.")
    if factor is not None and missing > float(promised["missing"][1]) + 0.05:
        notes.append(
            f"{missing:.0%} is missing; the band was measured with at most {float(promised['missing'][1]):.0%} missing."
        )
    if found.unsure:
        notes.append("Another place on the model fits as well: the part does not say where it belongs.")
    if found.off_mm > 3 * max(float(promised.get("off_mm", np.inf)), 1e-9):
        notes.append(f"What is seen is {found.off_mm:.1f} mm from the model: it may be another anatomy.")
    return Completion(
        Surface(vertices_mm=found.points_mm, faces=model.faces),
        found.seen,
        found.spread_mm,
        None if factor is None else float(factor) * found.spread_mm,
        float(promised.get("level", 0.0)),
        missing,
        found.off_mm,
        found.pose,
        found.weights,
        tuple(notes),
    )


def planes(cloud: Cloud) -> Array:
    """Return which points `(N,)` lie in a large plane, as a cut leaves it: much area in one direction and one place."""
    random = np.random.default_rng(0)
    found = np.zeros(len(cloud.points_mm), dtype=bool)
    thick = THICK * cloud.size_mm
    for k in random.choice(len(found), min(200, len(found)), replace=False):
        if found[k]:
            continue
        near = np.abs((cloud.points_mm - cloud.points_mm[k]) @ cloud.normals[k]) < thick
        one = near & (cloud.normals @ cloud.normals[k] > ALIKE)
        if one.mean() < FLAT:
            continue
        away = (cloud.points_mm[one] - cloud.points_mm[one].mean(axis=0)) @ cloud.normals[one].mean(axis=0)
        if np.std(away) < 0.15 * thick:
            found |= one
    return found


def _seen_part(surface: Surface, seen: Array | None) -> Surface:
    """Return the faces whose corners are all seen. Raises DataError where there is none."""
    points = np.asarray(surface.vertices_mm, dtype=np.float64)
    faces = np.asarray(surface.faces)
    if not np.isfinite(points).all():
        raise DataError("a surface with vertices that are not finite", hint="another mesh")
    if seen is None:
        return surface
    if len(seen) != len(points):
        raise DataError("one word a vertex is needed on what is seen", found=f"{len(seen)} of {len(points)}")
    kept = np.asarray(seen, dtype=bool)[faces].all(axis=1)
    if not kept.any():
        raise DataError("nothing of the surface is seen", hint="a larger part")
    return Surface(vertices_mm=points, faces=faces[kept])


def _assert_units(model: ShapeModel, cloud: Cloud) -> None:
    """Raise DataError where the surface is so large or so small that it cannot be in the model's mm."""
    ratio = float(np.ptp(cloud.points_mm, axis=0).max() / np.ptp(model.mean_mm, axis=0).max())
    if not model.sizes and not 0.02 < ratio < 5:
        raise DataError(
            "the surface has another size than the model's shapes",
            found=f"{ratio:.3g} times",
            hint="a mesh in mm",
        )
