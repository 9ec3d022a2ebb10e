"""The axis on which a part is drawn out of its hole: the direction in which the least of it is held back by bone."""

from __future__ import annotations

import numpy as np

from vesalius.core.image import Array
from vesalius.shapes.design.frame import framed
from vesalius.shapes.design.part import Bone

CONE_DEG = (0.0, 12.0, 24.0)  # how far from straight outward is looked
AROUND = 6  # directions on each ring
_COARSE_MM = 2.5


def insertion_axis(bone: Bone, missing: Array) -> tuple[Array, float]:
    """Return a direction in LPS and the share of the missing part that bone would hold back along it.

    Straight outward is the direction in which the hole's bone is thin: the eigenvector of the least spread of what is
    missing, away from the middle of the bone. Around it, a cone is searched.
    """
    points = np.argwhere(missing)[:, ::-1] @ bone.affine[:3, :3].T + bone.affine[:3, 3]
    middle = points.mean(axis=0)
    everything = np.argwhere(bone.mask)[::7, ::-1] @ bone.affine[:3, :3].T + bone.affine[:3, 3]
    outward = middle - everything.mean(axis=0)
    values, vectors = (
        np.linalg.eigh(np.cov((points - middle).T)) if len(points) > 3 else (np.ones(3), np.eye(3))
    )
    thin = vectors[:, 0] * (1.0 if vectors[:, 0] @ outward >= 0 else -1.0)
    flat = values[0] < 0.5 * values[1]
    straight = thin if flat else outward / max(float(np.linalg.norm(outward)), 1e-9)
    best: tuple[float, float, Array] | None = None
    for direction, tilt in _cone(straight):
        part = framed(bone, missing, direction, step_mm=_COARSE_MM)
        held = float((held_back(part.bone_mm < 0) & part.inside).sum() / max(int(part.inside.sum()), 1))
        if best is None or held < best[0] - 0.005:  # a wider tilt has to be worth it
            best = (held, tilt, direction)
        if best[0] <= 0.002:
            break
    found = best or (1.0, 0.0, straight)
    return found[2], found[0]


def held_back(bone: Array) -> Array:
    """Return from which points `(Z, Y, X)` one meets bone when one goes up along z."""
    above: Array = np.logical_or.accumulate(bone[::-1], axis=0)[::-1]
    return above


def _cone(straight: Array) -> list[tuple[Array, float]]:
    """Return directions around one, nearest first, each with its tilt in degrees."""
    first = np.eye(3)[int(np.argmin(np.abs(straight)))]
    one = np.cross(straight, first)
    one /= np.linalg.norm(one)
    two = np.cross(straight, one)
    found = []
    for tilt in CONE_DEG:
        for k in range(AROUND if tilt else 1):
            angle = 2 * np.pi * k / AROUND
            aside = np.cos(angle) * one + np.sin(angle) * two
            t = np.radians(tilt)
            found.append((np.cos(t) * straight + np.sin(t) * aside, tilt))
    return found
