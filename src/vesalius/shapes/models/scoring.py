"""How unusual a shape is: how far along the modes and beyond them, against shapes that were left out, and where."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vesalius.core.answers.surface import Surface
from vesalius.core.errors import DataError
from vesalius.core.image import Array
from vesalius.shapes.models.calibrating import deviations
from vesalius.shapes.models.cloud import cloud_of, vertex_normals
from vesalius.shapes.models.completing import Completion, completion_of
from vesalius.shapes.models.fitting import fit
from vesalius.shapes.models.model import ShapeModel


@dataclass(frozen=True, eq=False)
class Unusual:
    """How unusual a shape is.

    `mahalanobis` is the mean square of its standard deviations along the modes, `residual_mm` how far it is from what
    the model can be. `p` is how often a left-out shape of the training data is as unusual or more; it cannot fall below
    1 / (n + 1). `where` `(V,)` are standard deviations of each vertex of `surface` from the mean, along the normal,
    positive outwards.
    """

    mahalanobis: float
    residual_mm: float
    p: float
    n: int
    where: Array
    surface: Surface
    notes: tuple[str, ...]


def unusual(model: ShapeModel, surface: Surface) -> Unusual:
    """Return how unusual a whole surface is for a model. Raises DataError where the model holds no left-out shapes."""
    known = model.promised
    if not known:
        raise DataError(
            "the model holds no left-out shapes to compare with", hint="a model of 5 shapes or more"
        )
    cloud = cloud_of(surface, samples=min(3000, max(1000, 4 * len(model.mean_mm))))
    fitted = fit(model, cloud, whole=True)
    said: Completion = completion_of(model, fitted)
    far = deviations(fitted)
    residual = float(cloud.distance_mm(fitted.points_mm).mean())
    lengths, rests = np.asarray(known["mahalanobis"], float), np.asarray(known["residual_mm"], float)
    own = _joined(far, residual, lengths, rests)
    others = np.array([_joined(a, b, lengths, rests) for a, b in zip(lengths, rests, strict=True)])
    p = (1 + int((others >= own).sum())) / (len(others) + 1)
    return Unusual(
        far,
        residual,
        float(p),
        len(others),
        _where(model, fitted.pose.back(fitted.points_mm)),
        said.surface,
        said.notes,
    )


def _joined(length: float, rest: float, lengths: Array, rests: Array) -> float:
    """Return one number of both: the sum of each over its usual value."""
    return length / max(float(np.median(lengths)), 1e-12) + rest / max(float(np.median(rests)), 1e-12)


def _where(model: ShapeModel, points: Array) -> Array:
    normals = vertex_normals(model.mean_mm, model.faces)
    along = ((points - model.mean_mm) * normals).sum(axis=1)
    modes = np.einsum("kvc,vc->kv", model.modes, normals) ** 2
    smooth = (model.smooth**2) @ model.smooth_variances
    spread = np.sqrt(model.variances @ modes + smooth + model.noise_mm**2)
    return np.asarray(along / spread)
