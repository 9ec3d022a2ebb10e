"""Experts: masks of liver and lesions as three readers of known skill would draw them, and their verdicts.

A reader's border is the true one, moved outwards by `bias_mm` + `wobble_mm` · g, where g is a smooth Gaussian
field of mean 0 and variance 1. With d the true signed distance of a voxel, positive outside,

    P(reader marks the voxel) = Φ((bias_mm − d) / wobble_mm)

so each case's expected sensitivity and specificity follow from the truth by a sum, without any drawing. A lesion is
missed whole with probability 1 − `detects`; the verdict is right with probability `accuracy`, else either other.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage, special

from vesalius.core.image import Array, Triple
from vesalius.phantom.abdomen.person import DIAGNOSES, Diagnosis
from vesalius.phantom.common.fields import correlated_noise

GRAIN_MM = 14.0
LIVER, LESIONS = 1, 2
EXPERT_LABELS = {"liver": LIVER, "lesion": LESIONS}


@dataclass(frozen=True, slots=True)
class Skill:
    """How well a reader draws, finds and judges."""

    name: str
    bias_mm: float
    wobble_mm: float
    detects: float
    accuracy: float


SKILLS = (
    Skill("expert_1", bias_mm=0.0, wobble_mm=1.5, detects=0.98, accuracy=0.95),
    Skill("expert_2", bias_mm=2.0, wobble_mm=2.5, detects=0.92, accuracy=0.88),
    Skill("expert_3", bias_mm=-1.5, wobble_mm=4.0, detects=0.80, accuracy=0.75),
)


@dataclass(frozen=True, eq=False)
class Drawing:
    """One reader's view of a case: `mask` (Z, Y, X) uint8 (1 liver, 2 lesion) and the class they believe in.

    `sensitivity` and `specificity` are the expected ones for the liver with its lesions, over all voxels of the
    image, `detected` says for each lesion whether it was seen.
    """

    skill: Skill
    mask: Array
    verdict: Diagnosis
    detected: tuple[bool, ...]
    sensitivity: float
    specificity: float


def draw_masks(
    rng: np.random.Generator,
    liver: Array,
    lesions: Array,
    *,
    spacing_mm: Triple,
    diagnosis: Diagnosis,
) -> tuple[Drawing, ...]:
    """Return three readers' drawings of `liver` (boolean, with its lesions) and `lesions` (k + 1 where lesion k is)."""
    x, y, z = spacing_mm
    sampling = (z, y, x)
    window = _window(liver, sampling, margin_mm=24.0)
    truth, marked = liver[window], lesions[window]
    count = int(lesions.max())
    distance = signed_distance(truth, sampling)
    spots = [signed_distance(marked == k + 1, sampling) for k in range(count)]
    grain = tuple(GRAIN_MM / s for s in sampling)
    return tuple(
        _draw(
            rng,
            skill,
            (liver, window, distance),
            spots,
            grain=(grain[0], grain[1], grain[2]),
            truth=diagnosis,
        )
        for skill in SKILLS
    )


def _draw(
    rng: np.random.Generator,
    skill: Skill,
    organ: tuple[Array, tuple[slice, ...], Array],
    spots: list[Array],
    *,
    grain: Triple,
    truth: Diagnosis,
) -> Drawing:
    liver, window, distance = organ
    shape = (distance.shape[0], distance.shape[1], distance.shape[2])

    def border() -> Array:
        field = correlated_noise(rng, shape, sigma_voxels=grain)
        return np.asarray(np.float32(skill.bias_mm) + np.float32(skill.wobble_mm) * field)

    part = np.where(distance < border(), LIVER, 0).astype(np.uint8)
    detected = []
    for spot in spots:
        seen = bool(rng.random() < skill.detects)
        drawn = spot < border()
        if seen:
            part[drawn & (part > 0)] = LESIONS
        detected.append(seen)
    right, other = rng.random() < skill.accuracy, int(rng.integers(2))
    wrong = [d for d in DIAGNOSES if d != truth]
    mask = np.zeros(liver.shape, np.uint8)
    mask[window] = part
    marks = special.ndtr((skill.bias_mm - distance) / skill.wobble_mm)
    inside = distance < 0
    outside = liver.size - int(inside.sum())
    return Drawing(
        skill=skill,
        mask=mask,
        verdict=truth if right else wrong[other],
        detected=tuple(detected),
        sensitivity=float(marks[inside].mean()),
        specificity=float(1 - marks[~inside].sum() / outside),
    )


def signed_distance(mask: Array, sampling: tuple[float, ...]) -> Array:
    """Return the distance in mm from the border of a mask `(Z, Y, X)`, negative inside.

    The border runs half a voxel (of the finest axis) before the nearest voxel of the other side.
    """
    half = 0.5 * min(sampling)
    outside = ndimage.distance_transform_edt(~mask, sampling=sampling)
    inside = ndimage.distance_transform_edt(mask, sampling=sampling)
    return np.asarray(np.where(mask, half - inside, outside - half), dtype=np.float32)


def _window(mask: Array, sampling: tuple[float, ...], *, margin_mm: float) -> tuple[slice, ...]:
    """Return the box around a mask, with a margin."""
    found = []
    for axis, spacing in enumerate(sampling):
        others = tuple(a for a in range(3) if a != axis)
        hits = np.flatnonzero(mask.any(axis=others))
        margin = int(np.ceil(margin_mm / spacing))
        found.append(slice(max(int(hits[0]) - margin, 0), min(int(hits[-1]) + margin + 1, mask.shape[axis])))
    return tuple(found)
