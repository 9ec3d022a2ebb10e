"""The posterior of a shape model given where a part of the surface lies: modes, smooth rest, pose."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import cho_solve, solve_triangular

from vesalius.core.image import Array
from vesalius.shapes.models.model import ShapeModel

LOOSE = 0.5  # how far the pose may be off, one standard deviation, of the shape's size or in radians
SLIDE = 0.5  # of the shape's size: how little a closest point says along the surface


@dataclass(frozen=True, eq=False)
class Columns:
    """What moves a model's vertices: `(3 V, P)` in mm for weights of variance 1, and how many are modes, and smooth.

    In the order: modes, smooth movements along x, y and z, three shifts, three turns, and a scale where sizes are free.
    """

    matrix: Array
    modes: int
    smooth: int


@dataclass(frozen=True, eq=False)
class Posterior:
    """Vertices `(V, 3)` in the model's frame, their weights `(P,)`, and what their covariance is made of."""

    points_mm: Array
    weights: Array
    columns: Array
    root: Array  # of the weights' precision, `(P, P)`, lower

    @property
    def factor(self) -> Array:
        """The factor of the covariance of all coordinates, `(3 V, P)`."""
        return np.asarray(solve_triangular(self.root, self.columns.T, lower=True).T)

    def spread_mm(self, normals: Array, noise_mm: float) -> Array:
        """Return the standard deviation of each vertex along its normal, `(V,)` in mm, the noise with it."""
        parts = self.factor.reshape(len(normals), 3, -1)
        along = np.einsum("vi,vip->vp", normals, parts)
        return np.asarray(np.sqrt((along**2).sum(axis=1) + noise_mm**2))


def columns_of(model: ShapeModel) -> Columns:
    """Return what moves the vertices of a model, each column one standard deviation."""
    v = len(model.mean_mm)
    modes = (model.modes * np.sqrt(model.variances)[:, None, None]).reshape(len(model.variances), 3 * v).T
    own = model.smooth * np.sqrt(model.smooth_variances)
    r = own.shape[1]
    smooth = np.zeros((v, 3, 3, r))
    for axis in range(3):
        smooth[:, axis, axis] = own
    x, size = model.mean_mm, model.size_mm
    shift = np.tile(np.eye(3) * LOOSE * size, (v, 1, 1))
    turn = np.zeros((v, 3, 3))  # the derivative of a turn about each axis
    turn[:, 1, 0], turn[:, 2, 0] = -x[:, 2], x[:, 1]
    turn[:, 0, 1], turn[:, 2, 1] = x[:, 2], -x[:, 0]
    turn[:, 0, 2], turn[:, 1, 2] = -x[:, 1], x[:, 0]
    parts = [modes, smooth.reshape(3 * v, 3 * r), shift.reshape(3 * v, 3), LOOSE * turn.reshape(3 * v, 3)]
    if model.sizes:
        parts.append(LOOSE * x.reshape(3 * v, 1))
    return Columns(np.concatenate(parts, axis=1), len(model.variances), 3 * r)


def posterior(
    model: ShapeModel,
    columns: Columns,
    chosen: Array,
    targets_mm: Array,
    normals: Array,
    *,
    noise_mm: float,
    weights: Array,
) -> Posterior:
    """Return the posterior given that vertices `chosen` `(M,)` lie at targets `(M, 3)`, surely along normals `(M, 3)`.

    Along the normal an observation has the standard deviation `noise_mm`, along the surface `SLIDE` of the size.
    `weights` `(M,)` say how far each observation counts. Source: Albrecht et al. 2013, eq. 12 to 15; Tipping and
    Bishop 1999.
    """
    v = len(model.mean_mm)
    own = columns.matrix.reshape(v, 3, -1)[chosen]  # (M, 3, P)
    gap = targets_mm - model.mean_mm[chosen]
    across = np.einsum("mi,mip->mp", normals, own)
    upright = (normals * gap).sum(axis=1)
    slide = 1.0 / (noise_mm**2 + (SLIDE * model.size_mm) ** 2)
    sure = 1.0 / noise_mm**2 - slide
    flat = own.reshape(3 * len(chosen), -1)
    each = np.repeat(weights, 3)
    precision = np.eye(flat.shape[1]) + slide * flat.T @ (flat * each[:, None])
    precision += sure * across.T @ (across * weights[:, None])
    right = slide * flat.T @ (gap.reshape(-1) * each) + sure * across.T @ (upright * weights)
    root = np.linalg.cholesky(precision)
    found = cho_solve((root, True), right)
    return Posterior(model.mean_mm + (columns.matrix @ found).reshape(v, 3), found, columns.matrix, root)
