"""Mean and Gaussian curvature of a mesh, from how the normals turn over its faces."""

from __future__ import annotations

import numpy as np

from vesalius.core.answers.surface import Surface
from vesalius.core.image import Array
from vesalius.core.meshes import areas, corner_normals, mesh_of


def curvature(surface: Surface) -> tuple[Array, Array]:
    """Return mean curvature in 1/mm and Gaussian curvature in 1/mm² at each vertex, `(V,)` each.

    A ball of radius r has 1/r and 1/r²; the mean is negative where the surface is hollow. The normals' turning over
    each face is solved for and meant over the vertex's faces by area (Rusinkiewicz, Estimating curvatures and their
    derivatives on triangle meshes, 2004). On steps of a mask it measures the steps: smooth first.
    """
    points, faces = mesh_of(surface)
    normals = corner_normals(points, faces)
    size = areas(points, faces)
    corners, turned = points[faces], normals[faces]
    first = corners[:, 1] - corners[:, 0]
    length = np.linalg.norm(first, axis=1, keepdims=True)
    u = np.divide(first, length, out=np.zeros_like(first), where=length > 0)
    across = np.cross(first, corners[:, 2] - corners[:, 0])
    long = np.linalg.norm(across, axis=1, keepdims=True)
    normal = np.divide(across, long, out=np.zeros_like(across), where=long > 0)
    tensor = _tensors(corners, turned, u, np.cross(normal, u))
    total = np.zeros((len(points), 3, 3))
    weight = np.bincount(faces.reshape(-1), weights=np.repeat(size, 3), minlength=len(points))
    frame = np.stack([u, np.cross(normal, u)], axis=1)  # (F, 2, 3)
    for k in range(3):
        own = _turned_into(frame, normal, turned[:, k])
        whole = np.einsum("fai,fab,fbj->fij", own, tensor, own) * size[:, None, None]
        for i in range(3):
            for j in range(3):
                total[:, i, j] += np.bincount(faces[:, k], weights=whole[:, i, j], minlength=len(points))
    total /= np.where(weight > 0, weight, 1.0)[:, None, None]
    mean = np.trace(total, axis1=1, axis2=2) / 2
    square = np.einsum("vij,vji->v", total, total)
    return mean, (4 * mean**2 - square) / 2


def _tensors(corners: Array, turned: Array, u: Array, v: Array) -> Array:
    """Return the tensor `(F, 2, 2)` that best says how normals differ along the sides of each face."""
    rows, wanted = [], []
    for k in range(3):
        side = corners[:, (k + 2) % 3] - corners[:, (k + 1) % 3]
        turn = turned[:, (k + 2) % 3] - turned[:, (k + 1) % 3]
        a, b = np.einsum("ij,ij->i", side, u), np.einsum("ij,ij->i", side, v)
        zero = np.zeros_like(a)
        rows += [np.stack([a, b, zero], axis=1), np.stack([zero, a, b], axis=1)]
        wanted += [np.einsum("ij,ij->i", turn, u), np.einsum("ij,ij->i", turn, v)]
    left, right = np.stack(rows, axis=1), np.stack(wanted, axis=1)
    normal = np.einsum("fri,frj->fij", left, left)
    ridge = 1e-9 * np.trace(normal, axis1=1, axis2=2)[:, None, None] + 1e-300
    solved = np.linalg.solve(normal + ridge * np.eye(3), np.einsum("fri,fr->fi", left, right)[..., None])
    x, y, z = (solved[:, k, 0] for k in range(3))
    return np.asarray(np.stack([np.stack([x, y], axis=1), np.stack([y, z], axis=1)], axis=1))


def _turned_into(frame: Array, normal: Array, there: Array) -> Array:
    """Return each face's frame `(F, 2, 3)` turned about their common line into the plane across a vertex's normal."""
    axis = np.cross(normal, there)
    cosine = np.einsum("ij,ij->i", normal, there)
    scale = 1 / np.maximum(1 + cosine, 1e-9)
    along = np.einsum("fai,fi->fa", frame, axis)
    return np.asarray(
        frame * cosine[:, None, None]
        + np.cross(axis[:, None, :], frame)
        + axis[:, None, :] * (along * scale[:, None])[..., None]
    )
