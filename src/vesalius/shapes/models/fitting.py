"""A model laid on a surface, whole or in part, that does not correspond to it yet: pose and shape, turn by turn."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from vesalius.core.errors import DataError
from vesalius.core.image import Array
from vesalius.shapes.models.aligning import CLEARLY, Pose, procrustes, rigid, turns
from vesalius.shapes.models.cloud import Cloud, vertex_normals
from vesalius.shapes.models.model import ShapeModel
from vesalius.shapes.models.posterior import Columns, Posterior, columns_of, posterior

ROUNDS = 25
WIDE, NARROW = 0.25, 0.03  # of the size: how far a vertex looks for its place, at first and at last
FEW = 400  # vertices that are looked at while it is searched
FINE = 3000  # points of the observed surface that are looked at
COUNTS = 100  # observations that count as one each; more of them say little more, as neighbours err together
AGREE = 0.5  # cosine of the angle between normals, from which two places can be the same
NEIGHBOURS, RIM = (
    24,
    0.33,
)  # points that tell an edge, and how far to one side of their reach their middle lies there
LEAST = 0.05  # of the vertices that must be seen


@dataclass(frozen=True, eq=False)
class Fit:
    """A model on a surface: `points_mm` `(V, 3)` in the surface's place, which vertices are `seen` `(V,)`.

    `spread_mm` `(V,)` is the posterior's standard deviation along the normal, `pose` leads from the model's frame to
    the surface's place, `weights` `(K,)` are standard deviations along the modes, `off_mm` is how far the observed
    surface is from the model's, on average, and `mirrored` says that the mirror image fits clearly better.
    """

    points_mm: Array
    seen: Array
    spread_mm: Array
    pose: Pose
    weights: Array
    off_mm: float
    mirrored: bool = False
    unsure: bool = False


def fit(
    model: ShapeModel, surface: Cloud, *, whole: bool, columns: Columns | None = None, mirrors: bool = True
) -> Fit:
    """Return a model on a surface. With `whole`, the surface is all there; else any part of it may be missing.

    Without `mirrors` it is not asked whether the mirror image fits better, which takes a third of the time.

    Raises DataError where too little of the surface fits to say anything.
    """
    columns = columns or columns_of(model)
    observed = surface.thinned(FINE)
    sought = _searched(model, observed, whole=whole)
    tried = [_fitted(model, columns, observed, pose, whole=whole) for pose in sought[:2]]
    tried.sort(key=lambda one: one.off_mm)
    best = tried[0]
    if best.seen.mean() < LEAST:
        raise DataError(
            "too little of the surface lies on the model",
            found=f"{best.seen.mean():.0%} of its vertices",
            hint="a larger part, or the model of this anatomy",
        )
    mirrored = mirrors and _mirror_fits(model, observed, sought[0], whole=whole)
    apart = float(np.linalg.norm(tried[0].points_mm - tried[-1].points_mm, axis=1).mean())
    unsure = apart > 0.1 * model.size_mm and tried[-1].off_mm < 1.1 * best.off_mm
    return Fit(
        best.points_mm,
        best.seen,
        best.spread_mm,
        best.pose,
        best.weights,
        best.off_mm,
        mirrored,
        unsure,
    )


def _mirror_fits(model: ShapeModel, observed: Cloud, pose: Pose, *, whole: bool) -> bool:
    """Return whether the mirror image of a surface, from left to right, is clearly nearer to the mean than it is."""
    normals, other = vertex_normals(model.mean_mm, model.faces), observed.mirrored()
    mirror = _off(model.mean_mm, normals, other, _searched(model, other, whole=whole)[0])
    return mirror < CLEARLY * _off(model.mean_mm, normals, observed, pose)


def _searched(model: ShapeModel, observed: Cloud, *, whole: bool) -> list[Pose]:
    """Return poses of the mean on a surface, the best first, by how far the surface is from the mean in each."""
    normals = vertex_normals(model.mean_mm, model.faces)
    mean = Cloud(model.mean_mm, normals)
    if whole:
        return [rigid(mean, observed, turned=model.turned, sizes=model.sizes)[0]]
    few = observed.thinned(FEW)
    found = []
    for start in _starts(model, mean, few):
        pose = _onto(model, normals, few, start)
        found.append((_off(model.mean_mm, normals, few, pose), pose))
    found.sort(key=lambda one: one[0])
    first = found[0][1]
    others = [
        pose
        for far, pose in found[1:]
        if np.linalg.norm(pose(model.mean_mm) - first(model.mean_mm), axis=1).mean() > 0.1 * model.size_mm
    ]
    return [first, *others]


def _starts(model: ShapeModel, mean: Cloud, observed: Cloud) -> list[Pose]:
    """Return where to begin: the part's middle on the middle of the mean, or of either side of it along each axis."""
    middles = [mean.middle_mm]
    for axis in range(3):
        for share in (0.35, 0.65):
            bound = np.quantile(mean.points_mm[:, axis], share)
            middles.append(mean.points_mm[mean.points_mm[:, axis] < bound].mean(axis=0))
            middles.append(mean.points_mm[mean.points_mm[:, axis] > bound].mean(axis=0))
    each = turns(mean, observed, turned=model.turned)
    return [Pose(turn, observed.middle_mm - turn @ middle) for turn in each for middle in middles]


def _onto(model: ShapeModel, normals: Array, observed: Cloud, start: Pose, *, rounds: int = 8) -> Pose:
    """Return the pose in which the observed points lie on the mean: they pull alone, as the rest may be missing."""
    weight = 0.2 * model.size_mm
    tree = cKDTree(np.concatenate([model.mean_mm, weight * normals], axis=1))
    pose = start
    for _ in range(rounds):
        back = pose.cloud_back(observed)
        far, near = tree.query(np.concatenate([back.points_mm, weight * back.normals], axis=1))
        kept = far <= np.quantile(far, 0.9)
        pose = procrustes(model.mean_mm[near[kept]], observed.points_mm[kept], sizes=model.sizes)
    return pose


def _off(points: Array, normals: Array, observed: Cloud, pose: Pose) -> float:
    """Return the trimmed mean distance of observed points from the model's, in mm, places with other normals apart."""
    back = pose.cloud_back(observed.thinned(FEW))
    weight = 0.2 * float(np.sqrt(((points - points.mean(axis=0)) ** 2).sum(axis=1).mean()))
    far = cKDTree(np.concatenate([points, weight * normals], axis=1)).query(
        np.concatenate([back.points_mm, weight * back.normals], axis=1)
    )[0]
    return float(np.sort(far)[: max(1, int(0.9 * len(far)))].mean()) * pose.scale


def _fitted(model: ShapeModel, columns: Columns, observed: Cloud, pose: Pose, *, whole: bool) -> Fit:
    """Return the model fitted from a pose: closest points, then the posterior, from wide to narrow."""
    size, v = model.size_mm, len(model.mean_mm)
    points = model.mean_mm
    every = np.arange(v)
    few = np.linspace(0, v - 1, min(FEW, v)).astype(int)
    thin = observed.thinned(FEW)
    step = observed.step_mm / pose.scale
    rim = np.zeros(len(observed.points_mm), dtype=bool) if whole else rims(observed)
    found: Posterior | None = None
    seen = np.zeros(v, dtype=bool)
    for k, reach in enumerate(size * np.geomspace(WIDE, NARROW, ROUNDS)):
        last = k >= ROUNDS - 2
        reach = max(reach, 3 * model.noise_mm, 2 * step)
        back = pose.cloud_back(observed)
        normals = vertex_normals(points, model.faces)
        own, aim, upright = _back(points, normals, pose.cloud_back(thin), reach)
        looked = every if last else few
        near, fits = _near(points[looked], normals[looked], back, reach, whole=whole)
        fits &= ~rim[near]
        own = np.concatenate([own, looked[fits]])
        if len(own) < 10:
            break
        aim = np.concatenate([aim, back.points_mm[near[fits]]])
        upright = np.concatenate([upright, back.normals[near[fits]]])
        gap = ((aim - points[own]) * upright).sum(axis=1)
        doubt = 1.0 / (1.0 + (gap / reach) ** 2)
        noise = max(model.noise_mm, 0.1 * step, 0.0 if last else reach / 6)
        counts = doubt * min(1.0, COUNTS / len(own))
        found = posterior(model, columns, own, aim, upright, noise_mm=noise, weights=counts)
        seen = np.zeros(v, dtype=bool)
        seen[looked[fits]] = True
        pose, points = _settled(model, columns, found, pose)
    if found is None:
        raise DataError("the surface does not lie on the model anywhere", hint="the model of this anatomy")
    normals = vertex_normals(points, model.faces)
    spread = found.spread_mm(normals, model.noise_mm) * pose.scale
    far = Cloud(points, normals).distance_mm(pose.back(observed.points_mm))
    off = pose.scale * float(np.sort(far)[: max(1, int(0.9 * len(far)))].mean())
    return Fit(pose(points), seen, spread, pose, found.weights[: columns.modes], off)


def _back(points: Array, normals: Array, observed: Cloud, reach: float) -> tuple[Array, Array, Array]:
    """Return of each observed point its nearest vertex, its place and its normal; not of those turned away."""
    weight = max(2 * reach, 0.1 * observed.size_mm)
    tree = cKDTree(np.concatenate([points, weight * normals], axis=1))
    own = tree.query(np.concatenate([observed.points_mm, weight * observed.normals], axis=1))[1]
    alike = (normals[own] * observed.normals).sum(axis=1) > AGREE
    return own[alike], observed.points_mm[alike], observed.normals[alike]


def rims(cloud: Cloud) -> Array:
    """Return which points `(N,)` lie at the edge of what is seen: their neighbours are all on one side."""
    neighbours = min(NEIGHBOURS, len(cloud.points_mm))
    far, near = cloud.tree.query(cloud.points_mm, k=neighbours)
    away = cloud.points_mm[near].mean(axis=1) - cloud.points_mm
    away = away - (away * cloud.normals).sum(axis=1, keepdims=True) * cloud.normals
    return np.asarray(np.linalg.norm(away, axis=1) > RIM * far[:, -1])


def _near(points: Array, normals: Array, surface: Cloud, reach: float, *, whole: bool) -> tuple[Array, Array]:
    """Return the place of each vertex on a surface, by number, and whether it can be: near, and turned alike."""
    weight = 2 * reach
    tree = cKDTree(np.concatenate([surface.points_mm, weight * surface.normals], axis=1))
    near = tree.query(np.concatenate([points, weight * normals], axis=1))[1]
    alike = (normals * surface.normals[near]).sum(axis=1) > AGREE
    far = np.linalg.norm(points - surface.points_mm[near], axis=1)
    return near, np.asarray(alike & ((far < 4 * reach) if whole else (far < reach)))


def _settled(model: ShapeModel, columns: Columns, found: Posterior, pose: Pose) -> tuple[Pose, Array]:
    """Return the pose with the shifts and turns that were found within it, and the shape without them."""
    at = columns.modes + columns.smooth
    shaped = model.mean_mm + (columns.matrix[:, :at] @ found.weights[:at]).reshape(-1, 3)
    turn = procrustes(shaped, found.points_mm, sizes=model.sizes)
    joined = Pose(pose.rotation @ turn.rotation, pose(turn.shift_mm[None])[0], pose.scale * turn.scale)
    return joined, shaped


__all__ = ["Fit", "fit"]
