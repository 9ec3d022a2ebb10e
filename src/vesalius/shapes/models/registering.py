"""Correspondence: a template moved smoothly onto a shape, from coarse to fine, and how far it stays from it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from vesalius.core.image import Array
from vesalius.shapes.models.aligning import CLEARLY, apart, closest, rigid, starts
from vesalius.shapes.models.cloud import Cloud, vertex_normals
from vesalius.shapes.models.kernel import smooth_columns

WIDTHS = {
    0.8: 0.15,
    0.4: 0.08,
    0.2: 0.04,
}  # of the shape's size: width of each kernel, and how far it moves points
COLUMNS = 150
ROUNDS = 30
COARSE, FINE = 0.5, 0.01  # of the shape's size: what a distance counts little against, at first and at last
TANGENTIAL = 0.3  # of the way along the surface, which a closest point says little of


@dataclass(frozen=True, eq=False)
class Template:
    """A mesh whose vertices are moved onto shapes: vertices `(V, 3)` in mm, faces `(F, 3)`, and its smooth columns."""

    vertices_mm: Array
    faces: Array
    columns: Array
    cloud: Cloud

    @property
    def size_mm(self) -> float:
        """The root mean square distance of the vertices from their middle."""
        return self.cloud.size_mm


@dataclass(frozen=True, eq=False)
class Registered:
    """A template on a shape: vertices `(V, 3)` in the shape's own place, and how well it lies there.

    `residual_mm` is the mean distance of both surfaces and `far_mm` its 95 %. `folded` is the share of faces that
    turned over. `mirrored` says that the mirror image of the shape, from left to right, lies clearly nearer.
    """

    vertices_mm: Array
    residual_mm: float
    far_mm: float
    folded: float
    mirrored: bool


def template_of(vertices_mm: Array, faces: Array) -> Template:
    """Return a mesh as a template."""
    cloud = Cloud(vertices_mm, vertex_normals(vertices_mm, faces))
    widths = {w * cloud.size_mm: s * cloud.size_mm for w, s in WIDTHS.items()}
    return Template(vertices_mm, faces, smooth_columns(vertices_mm, widths, COLUMNS), cloud)


def register(template: Template, shape: Cloud, *, turned: bool = False, sizes: bool = False) -> Registered:
    """Return the template on a shape, found rigidly first and then by smooth movements.

    Closest points in both directions, by place and normal, pull the vertices; a Gaussian process on the template gives
    the movement, the more of it the finer the round. Source: Lüthi et al. 2018, section 5; Amberg et al. 2007.
    """
    pose, far = rigid(template.cloud, shape, turned=turned, sizes=sizes)
    other = shape.mirrored()
    start = starts(template.cloud, other, turned=False)[0]
    mirror = apart(template.cloud, other, closest(template.cloud, other, start, sizes=sizes))
    own = pose.cloud_back(shape)
    found = _moved(template, own)
    moved = pose(found)
    folded = _folded(template, found)
    near = shape.distance_mm(moved)
    back = Cloud(moved, vertex_normals(moved, template.faces)).distance_mm(shape.thinned(1500).points_mm)
    both = np.concatenate([near, back])
    residual = float((near.mean() + back.mean()) / 2)
    return Registered(moved, residual, float(np.quantile(both, 0.95)), folded, mirror < CLEARLY * far)


def _moved(template: Template, shape: Cloud) -> Array:
    """Return the template's vertices on a shape that lies where the template does."""
    size, phi = template.size_mm, template.columns
    few = shape.thinned(1500)
    points = template.vertices_mm
    for noise in size * np.geomspace(COARSE, FINE, ROUNDS):
        pull, weight = pulls(points, template.faces, shape, few, turn_mm=max(noise, 0.15 * size))
        aim = points + pull - template.vertices_mm
        gram = phi.T @ (phi * weight[:, None]) + noise**2 * np.eye(phi.shape[1])
        points = template.vertices_mm + phi @ np.linalg.solve(gram, phi.T @ (aim * weight[:, None]))
    pull, _ = pulls(points, template.faces, shape, few, turn_mm=0.15 * size, along=0.0)
    step = np.linalg.norm(pull, axis=1, keepdims=True)
    return np.asarray(points + pull * np.minimum(1.0, 0.05 * size / np.maximum(step, 1e-12)))


def pulls(
    points_mm: Array, faces: Array, shape: Cloud, few: Cloud, *, turn_mm: float, along: float = TANGENTIAL
) -> tuple[Array, Array]:
    """Return how each vertex `(V, 3)` is pulled to a shape in mm, and with what weight `(V,)`.

    A difference of normals counts like `turn_mm`. `few` are the shape's points that pull from their side.
    """
    normals = vertex_normals(points_mm, faces)
    here = np.concatenate([points_mm, turn_mm * normals], axis=1)
    there = cKDTree(np.concatenate([shape.points_mm, turn_mm * shape.normals], axis=1))
    near = there.query(here)[1]
    one = _along(shape.points_mm[near] - points_mm, shape.normals[near], along)
    own = cKDTree(here).query(np.concatenate([few.points_mm, turn_mm * few.normals], axis=1))[1]
    other = _along(few.points_mm - points_mm[own], few.normals, along)
    many = np.bincount(own, minlength=len(points_mm)).astype(float)
    summed = np.stack([np.bincount(own, other[:, k], minlength=len(points_mm)) for k in range(3)], axis=1)
    share = np.minimum(many, 1.0)
    pull = (one + summed / np.maximum(many, 1.0)[:, None]) / (1.0 + share)[:, None]
    return pull, np.asarray(1.0 + share) / 2


def _along(way: Array, normals: Array, along: float) -> Array:
    """Return a way of which what runs along the surface counts only so much."""
    upright = (way * normals).sum(axis=1, keepdims=True) * normals
    return np.asarray(upright + along * (way - upright))


def _folded(template: Template, points_mm: Array) -> float:
    """Return the share of faces whose normal turned against that of the template."""
    before, after = (
        np.cross(
            p[template.faces[:, 1]] - p[template.faces[:, 0]],
            p[template.faces[:, 2]] - p[template.faces[:, 0]],
        )
        for p in (template.vertices_mm, points_mm)
    )
    return float(((before * after).sum(axis=1) < 0).mean())
