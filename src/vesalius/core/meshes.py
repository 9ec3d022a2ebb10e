"""Triangle meshes: their pieces, what each face spans, and the volume that they enclose."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from vesalius.core.answers.surface import Surface
from vesalius.core.cohort import Label
from vesalius.core.errors import DataError
from vesalius.core.image import Array


def mesh_of(surface: Surface) -> tuple[Array, Array]:
    """Return a surface's vertices `(V, 3)` as float64 and its faces `(F, 3)` as int64.

    Raises DataError where it is no mesh: another shape, a vertex that is not finite, or an index out of range.
    """
    points = np.asarray(surface.vertices_mm, dtype=np.float64)
    faces = np.asarray(surface.faces)
    if points.ndim != 2 or points.shape[1] != 3 or faces.ndim != 2 or faces.shape[1] != 3:
        raise DataError(
            "a mesh has vertices (V, 3) and faces (F, 3)", found=f"{points.shape} and {faces.shape}"
        )
    if faces.dtype.kind not in "iu":
        raise DataError("the faces of a mesh are whole numbers", found=str(faces.dtype))
    if not np.isfinite(points).all():
        bad = int((~np.isfinite(points)).any(axis=1).sum())
        raise DataError("a mesh has vertices that are not finite", found=f"{bad} of {len(points)}")
    if faces.size and (int(faces.min()) < 0 or int(faces.max()) >= len(points)):
        raise DataError(
            "a mesh's faces name vertices that are not there",
            found=f"{int(faces.min())} to {int(faces.max())} of {len(points)}",
        )
    return points, faces.astype(np.int64, copy=False)


def spans(points: Array, faces: Array) -> Array:
    """Return each face's normal `(F, 3)`, as long as twice the face's area."""
    a, b, c = (points[faces[:, k]] for k in range(3))
    return np.asarray(np.cross(b - a, c - a))


def areas(points: Array, faces: Array) -> Array:
    """Return each face's area `(F,)`."""
    return np.asarray(np.linalg.norm(spans(points, faces), axis=1) / 2)


def cones(points: Array, faces: Array) -> Array:
    """Return the signed volume `(F,)` between each face and the origin; their sum is what a closed mesh encloses."""
    a, b, c = (points[faces[:, k]] for k in range(3))
    return np.asarray(np.einsum("ij,ij->i", a, np.cross(b, c)) / 6)


def enclosed(points: Array, faces: Array) -> float:
    """Return the volume that a closed mesh encloses, negative where its faces look inward."""
    if not len(faces):
        return 0.0
    return float(cones(points - points.mean(axis=0), faces).sum())


def corner_normals(points: Array, faces: Array) -> Array:
    """Return the unit normal `(V, 3)` at each vertex, the mean of its faces' by area; 0 where there is none."""
    found = np.zeros_like(points)
    across = spans(points, faces)
    for axis in range(3):
        weights = np.repeat(across[:, axis], 3)
        found[:, axis] = np.bincount(faces.reshape(-1), weights=weights, minlength=len(points))
    long = np.linalg.norm(found, axis=1, keepdims=True)
    return np.asarray(np.divide(found, long, out=np.zeros_like(found), where=long > 0))


def used(points: Array, faces: Array) -> tuple[Array, Array]:
    """Return a mesh without the vertices that no face has, in their order."""
    held = np.zeros(len(points), bool)
    held[faces.reshape(-1)] = True
    if held.all():
        return points, faces
    return points[held], (np.cumsum(held) - 1)[faces]


def pieces(surface: Surface) -> list[tuple[Label | None, Surface]]:
    """Return each label's mesh by itself, in the labels' order; the whole under None where it has no labels."""
    if surface.face_labels is None:
        lone = surface.labels[0] if len(surface.labels) == 1 else None
        return [(lone, surface)]
    points, faces = mesh_of(surface)
    found: list[tuple[Label | None, Surface]] = []
    for label in surface.labels:
        own, corners = used(points, faces[np.asarray(surface.face_labels) == label.value])
        one = replace(surface, vertices_mm=own, faces=corners, labels=(label,), face_labels=None, parts={})
        found.append((label, one))
    return found


def joined(surfaces: Sequence[Surface], labels: Iterable[Label] | None = None) -> Surface:
    """Return several meshes as one, each under its label: its own, or that of `labels` in the same order.

    Raises DataError where a mesh has none, or two have the same value.
    """
    if not surfaces:
        raise DataError("no mesh to join")
    told = [*labels] if labels is not None else [x.labels[0] for x in surfaces if len(x.labels) == 1]
    if len(told) != len(surfaces) or len({x.value for x in told}) != len(told):
        raise DataError(
            "meshes are joined under one label each, of different values",
            found=f"{len(surfaces)} meshes and labels {', '.join(f'{x.value} {x.name}' for x in told) or 'none'}",
        )
    if len(surfaces) == 1:
        return replace(surfaces[0], labels=tuple(told), face_labels=None)
    meshes = [mesh_of(x) for x in surfaces]
    starts = np.cumsum([0, *(len(points) for points, _ in meshes[:-1])])
    values = [np.full(len(faces), x.value, np.int64) for (_, faces), x in zip(meshes, told, strict=True)]
    return replace(
        surfaces[0],
        vertices_mm=np.concatenate([points for points, _ in meshes]),
        faces=np.concatenate([faces + at for (_, faces), at in zip(meshes, starts, strict=True)]),
        labels=tuple(told),
        face_labels=np.concatenate(values),
    )


FRAMES = ("LPS", "RAS")
UNITS_MM = {"micron": 1e-3, "mm": 1.0, "cm": 10.0, "inch": 25.4, "foot": 304.8, "m": 1000.0}


@dataclass(frozen=True, eq=False)
class Loaded:
    """A mesh as a file has it, in LPS mm, and what the file says of its frame and unit.

    `frame` is `LPS` or `RAS` where the file says which; None, and then LPS was assumed. `unit` is that of its numbers
    where it or its format says one; None, and then millimetres were assumed.
    """

    surface: Surface
    frame: str | None
    unit: str | None


def from_ras(surface: Surface) -> Surface:
    """Return a mesh whose numbers were RAS, in LPS: x and y change signs, a half turn without a mirror."""
    points = np.asarray(surface.vertices_mm, np.float64) * np.array([-1.0, -1.0, 1.0])
    return replace(surface, vertices_mm=points + 0.0)
