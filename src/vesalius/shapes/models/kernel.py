"""Smooth movements of a template's points: the leading columns of Gaussian kernels of several widths."""

from __future__ import annotations

import numpy as np

from vesalius.core.image import Array

LANDMARKS = 300


def spread_points(points_mm: Array, many: int) -> Array:
    """Return the numbers of points `(many,)` that are spread furthest apart, one after another from the first."""
    many = min(many, len(points_mm))
    chosen = np.zeros(many, dtype=int)
    far = np.full(len(points_mm), np.inf)
    for k in range(1, many):
        far = np.minimum(far, ((points_mm - points_mm[chosen[k - 1]]) ** 2).sum(axis=1))
        chosen[k] = int(far.argmax())
    return chosen


def smooth_columns(points_mm: Array, widths: dict[float, float], columns: int) -> Array:
    """Return `(V, columns)` whose weighted sums, with weights of variance 1, are smooth displacements in mm.

    `widths` are by each Gaussian's standard deviation in mm how far it moves points, one standard deviation in mm. Of
    the kernel's sum the leading eigenvectors are taken by Nyström's way, so that memory is V × landmarks.
    Source: low-rank Gaussian kernels of Myronenko and Song 2010; Lüthi et al. 2018, section 3.
    """
    chosen = spread_points(points_mm, LANDMARKS)
    marks = points_mm[chosen]

    def kernel(a: Array, b: Array) -> Array:
        far = ((a**2).sum(axis=1)[:, None] + (b**2).sum(axis=1) - 2 * a @ b.T).clip(0)
        return np.asarray(sum(s**2 * np.exp(-far / (2 * w**2)) for w, s in widths.items()))

    values, vectors = np.linalg.eigh(kernel(marks, marks))
    keep = np.argsort(-values)[: min(columns, len(values))]
    keep = keep[values[keep] > 1e-8 * values.max()]
    return np.asarray(kernel(points_mm, marks) @ (vectors[:, keep] / np.sqrt(values[keep])))
