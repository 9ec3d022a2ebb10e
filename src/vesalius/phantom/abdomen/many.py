"""Many lesions of the liver from 5 to 40 mm, hardly darker than it, among vessels and beside a gallbladder.

The few large lesions of the usual phantom ask which class a patient has. These ask where each lesion is: most are
small, some are hidden by noise, and vessels across the plane and the gallbladder look alike.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from vesalius.core.image import Array
from vesalius.phantom.abdomen.anatomy import Anatomy, Blob
from vesalius.phantom.abdomen.lesions import Kind, Lesion
from vesalius.phantom.abdomen.person import Diagnosis
from vesalius.phantom.abdomen.tissue import ALL, ORGANS, Canvas, Densities

DIAMETER_MM = (5.0, 40.0)  # uniform in the logarithm
MOST = 9
SHRINK = (1.0, 0.7, 0.5, 0.3, 0.15)  # what of its size a lesion keeps to find room
FURTHER = 2.5  # the mean number of lesions beyond the first
CYSTS = 0.3  # the share of the further lesions beside a malignant one that are cysts
DARKER_HU = {"malignant": (25.0, 60.0), "cyst": (85.0, 105.0)}  # than the liver
RIM_HU = (0.0, 40.0)  # of a malignant lesion: brighter than the liver
BRANCHES = (10, 16)  # vessels of the liver
BRANCH_MM = (1.8, 4.5)  # their radii


def draw_many(
    rng: np.random.Generator, anatomy: Anatomy, liver_hu: float, diagnosis: Diagnosis
) -> tuple[Lesion, ...]:
    """Return no lesion, one to nine cysts, or one to nine lesions of which the first is malignant.

    Each lies wholly in the liver and clear of the others; one for which there is no room is made smaller. Those of the
    kind that gives the class come first, the largest before the others.
    """
    if diagnosis == "normal":
        return ()
    placed: list[Lesion] = []
    for k in range(min(1 + int(rng.poisson(FURTHER)), MOST)):
        kind: Kind = "cyst" if diagnosis == "cyst" or (k > 0 and rng.random() < CYSTS) else "malignant"
        lesion = _draw(rng, kind, liver_hu)
        for smaller in SHRINK:
            spot = _place(rng, _resized(lesion, smaller), anatomy, placed)
            if spot is not None:
                placed.append(spot)
                break
    return tuple(sorted(placed, key=lambda one: (one.kind != diagnosis, -one.radius_mm)))


def _draw(rng: np.random.Generator, kind: Kind, liver_hu: float) -> Lesion:
    radius = float(np.exp(rng.uniform(*np.log(DIAMETER_MM)))) / 2
    malignant = kind == "malignant"
    irregularity = 0.25 if malignant else 0.03
    core = float(liver_hu - rng.uniform(*DARKER_HU[kind]))
    rim = float(liver_hu + rng.uniform(*RIM_HU)) if malignant else core
    wide = float(rng.uniform(0.15, 0.35)) * radius
    return Lesion(
        kind,
        (0.0, 0.0, 0.0),
        round(radius, 3),
        irregularity,
        rng.normal(size=5) * irregularity * 0.5,
        rng.normal(size=(5, 3)) * (2.8 if malignant else 1.5),
        rng.uniform(0, 2 * np.pi, size=5),
        round(core, 2),
        round(rim, 2),
        round(wide, 2) if malignant else 0.0,
    )


def _resized(lesion: Lesion, share: float) -> Lesion:
    radius = max(lesion.radius_mm * share, DIAMETER_MM[0] / 2)
    return replace(lesion, radius_mm=round(radius, 3), rim_mm=round(lesion.rim_mm * share, 2))


def _place(rng: np.random.Generator, lesion: Lesion, anatomy: Anatomy, others: list[Lesion]) -> Lesion | None:
    """Return the lesion in the liver, clear of its surface and of the others, or None where no try found room."""
    right, left = anatomy.liver_right, anatomy.liver_left
    lobe = np.where(rng.random(400) < 0.7, 0, 1)
    centres = np.array([right.centre, left.centre])[lobe]
    radii = np.array([right.radii, left.radii])[lobe]
    points = (centres + rng.uniform(-0.95, 0.95, size=(400, 3)) * radii).T * anatomy.scale
    depth = anatomy.liver_distance(anatomy.atlas(points)) * anatomy.scale
    fits = depth < -(lesion.radius_mm * (1 + 0.5 * lesion.irregularity) + 2)
    for other in others:
        gap = np.linalg.norm(points - np.array(other.centre_mm)[:, None], axis=0)
        fits &= gap > (lesion.radius_mm + other.radius_mm) * 1.25 + 5
    if not fits.any():
        return None
    x, y, z = (round(float(c), 3) for c in points[:, int(np.flatnonzero(fits)[0])])
    return replace(lesion, centre_mm=(x, y, z))


def draw_look_alikes(
    rng: np.random.Generator, canvas: Canvas, anatomy: Anatomy, densities: Densities
) -> None:
    """Lay vessels in the liver, bright tubes from its hilum outwards, and a gallbladder in its lower face."""
    q = canvas.q
    liver = anatomy.liver_distance(q)
    hilum = np.array((-28.0, 2.0, 14.0))
    for _ in range(int(rng.integers(*BRANCHES))):
        lobe = anatomy.liver_right if rng.random() < 0.7 else anatomy.liver_left
        end = np.array(lobe.centre) + rng.uniform(-0.75, 0.75, 3) * np.array(lobe.radii)
        radius = float(rng.uniform(*BRANCH_MM))
        bend = rng.normal(0, 8, 3)
        start = hilum + rng.normal(0, 6, 3)
        middle = (start + end) / 2 + bend
        tube = np.minimum(_tube(q, start, middle, radius), _tube(q, middle, end, 0.7 * radius))
        canvas.lay(ALL, np.maximum(tube, liver + 3), densities.vein, None)
    x, y, z = anatomy.liver_right.centre
    low = z - 0.75 * anatomy.liver_right.radii[2]
    size = float(rng.uniform(0.8, 1.2))
    centre = (float(x + 22 + rng.normal(0, 4)), float(y - 28 + rng.normal(0, 4)), float(low + 18))
    bladder = Blob(centre, (13 * size, 15 * size, 26 * size), 2.0, (0.3, 0.3))
    where = canvas.window(bladder)
    inside = bladder.distance(q[(slice(None), *where)])
    canvas.lay(where, inside, 12.0, None)
    canvas.labels[where][(inside < 0) & (canvas.labels[where] == ORGANS["liver"])] = 0


def _tube(q: Array, start: Array, end: Array, radius: float) -> Array:
    """Return the distance of points `(3, …)` from a straight tube."""
    along = end - start
    offset = [q[i] - np.float32(start[i]) for i in range(3)]
    t = np.clip(
        sum(o * np.float32(a) for o, a in zip(offset, along, strict=True)) / np.float32(along @ along), 0, 1
    )
    far = sum((o - t * np.float32(a)) ** 2 for o, a in zip(offset, along, strict=True))
    return np.asarray(np.sqrt(far) - np.float32(radius))
