"""Bent ellipsoids whose every difference is known: what tests of shape models learn from."""

from __future__ import annotations

import numpy as np
import trimesh

from vesalius.core.answers.surface import Surface

BALL = trimesh.creation.icosphere(subdivisions=3)


def bean(seed: int, *, size: float = 1.0) -> Surface:
    """A bean: three lengths, a bend and a taper of its own; no two of its sides are alike."""
    random = np.random.default_rng(seed)
    points = np.array(BALL.vertices) * (
        40 + 4 * random.normal(),
        25 + 2 * random.normal(),
        15 + random.normal(),
    )
    points[:, 1] += 0.006 * (1 + 0.5 * random.normal()) * points[:, 0] ** 2
    points[:, 1:] *= 1 + (0.3 + 0.05 * random.normal()) * np.tanh(points[:, :1] / 20)
    points[:, 2] += 0.004 * points[:, 0] * points[:, 1]  # a twist, so that the mirror image is another shape
    return Surface(vertices_mm=size * points, faces=np.array(BALL.faces))


def half(surface: Surface, beyond: float = 5.0) -> Surface:
    """The faces of a surface that lie before a plane along the first axis."""
    corners = surface.vertices_mm[surface.faces]
    return Surface(
        vertices_mm=surface.vertices_mm, faces=surface.faces[(corners[:, :, 0] < beyond).all(axis=1)]
    )
