"""Lesions of the liver: smooth dark cysts and irregular, rim-enhancing malignant ones."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from vesalius.core.image import Array, Triple
from vesalius.phantom.abdomen.anatomy import Anatomy
from vesalius.phantom.abdomen.person import Diagnosis
from vesalius.phantom.abdomen.tissue import Canvas

Kind = Literal["cyst", "malignant"]


@dataclass(frozen=True, eq=False)
class Lesion:
    """One lesion: where it is (LPS mm), its mean radius, its shape and its densities.

    The radius in direction u is `radius_mm · exp(Σ amplitude · sin(wave · u + phase))`, capped at
    ± `irregularity`; a cyst has next to none. `rim_mm` is the width of the enhancing rim.
    """

    kind: Kind
    centre_mm: Triple
    radius_mm: float
    irregularity: float
    amplitude: Array
    wave: Array
    phase: Array
    core_hu: float
    rim_hu: float
    rim_mm: float

    @property
    def nominal_ml(self) -> float:
        """The volume of a ball of the mean radius, which does not depend on any grid."""
        return 4 / 3 * np.pi * self.radius_mm**3 / 1000

    def distance(self, points: Array) -> Array:
        """Return the radial signed distance of points `(3, …)` in LPS mm."""
        offset = [points[i] - np.float32(self.centre_mm[i]) for i in range(3)]
        r = np.sqrt(offset[0] ** 2 + offset[1] ** 2 + offset[2] ** 2)
        unit = [o / np.maximum(r, np.float32(1e-3)) for o in offset]
        bump = np.zeros_like(r)
        amplitudes, waves, phases = (a.astype(r.dtype) for a in (self.amplitude, self.wave, self.phase))
        for amplitude, wave, phase in zip(amplitudes, waves, phases, strict=True):
            bump += amplitude * np.sin(wave[0] * unit[0] + wave[1] * unit[1] + wave[2] * unit[2] + phase)
        bump = np.clip(bump, -self.irregularity, self.irregularity)
        return np.asarray(r - np.float32(self.radius_mm) * np.exp(bump))


def draw_lesions(
    rng: np.random.Generator, anatomy: Anatomy, liver_hu: float, diagnosis: Diagnosis
) -> tuple[Lesion, ...]:
    """None; one to three cysts; or one to three lesions of which the first is malignant.

    A further lesion beside a malignant one is a cyst in one case of four. Largest first within the kind that
    gives the class; each lies wholly in the liver and clear of the others.
    """
    if diagnosis == "normal":
        return ()
    wanted = 1 + int(rng.choice(3, p=(0.5, 0.3, 0.2)))
    placed: list[Lesion] = []
    for k in range(wanted):
        kind: Kind = "cyst" if diagnosis == "cyst" or (k > 0 and rng.random() < 0.25) else "malignant"
        lesion = _draw(rng, kind, liver_hu, first=k == 0)
        fitted = _place(rng, lesion, anatomy, placed)
        if fitted is not None:
            placed.append(fitted)
    return tuple(sorted(placed, key=lambda one: (one.kind != diagnosis, -one.radius_mm)))


def _draw(rng: np.random.Generator, kind: Kind, liver_hu: float, *, first: bool) -> Lesion:
    malignant = kind == "malignant"
    low, high = (18.0, 34.0) if malignant else (13.0, 25.0)
    radius = float(rng.uniform(low, high) if first else rng.uniform(low - 3, 0.5 * (low + high)))
    irregularity = 0.28 if malignant else 0.03
    waves = 5
    wave = rng.normal(size=(waves, 3)) * (3.2 if malignant else 1.5)
    amplitude = rng.normal(size=waves) * irregularity * 0.55
    core = float(rng.uniform(45, 62) if malignant else rng.uniform(0, 14))
    rim = float(liver_hu + rng.uniform(55, 80)) if malignant else core
    return Lesion(
        kind,
        (0.0, 0.0, 0.0),
        round(radius, 3),
        irregularity,
        amplitude,
        wave,
        rng.uniform(0, 2 * np.pi, size=waves),
        round(core, 2),
        round(rim, 2),
        round(float(rng.uniform(6.0, 8.5)), 2) if malignant else 0.0,
    )


def _place(rng: np.random.Generator, lesion: Lesion, anatomy: Anatomy, others: list[Lesion]) -> Lesion | None:
    """Move a lesion into the liver, shrinking it where there is no room; the first one always fits."""
    right, left = anatomy.liver_right, anatomy.liver_left
    for shrink in (1.0, 0.85, 0.7, 0.55):
        radius = lesion.radius_mm * shrink
        if radius < 8.0 and others:
            return None
        lobe = np.where(rng.random(400) < 0.75, 0, 1)
        centres = np.array([right.centre, left.centre])[lobe]
        radii = np.array([right.radii, left.radii])[lobe]
        q = (centres + rng.uniform(-0.9, 0.9, size=(400, 3)) * radii).T
        points = q * anatomy.scale  # near enough: the deformation is applied again below
        depth = anatomy.liver_distance(anatomy.atlas(points)) * anatomy.scale
        fits = depth < -(radius * (1 + 0.5 * lesion.irregularity) + 2)
        for other in others:
            gap = np.linalg.norm(points - np.array(other.centre_mm)[:, None], axis=0)
            fits &= gap > (radius + other.radius_mm) * 1.3 + 3
        if fits.any():
            x, y, z = (round(float(c), 3) for c in points[:, int(np.flatnonzero(fits)[0])])
            return _moved(lesion, (x, y, z), round(radius, 3))
    if others:
        return None
    best = points[:, int(np.argmin(depth))]
    room = float(max(-depth.min() * 0.8, 6.0))
    return _moved(lesion, (float(best[0]), float(best[1]), float(best[2])), round(min(room, radius), 3))


def _moved(lesion: Lesion, centre: Triple, radius: float) -> Lesion:
    rim = round(min(lesion.rim_mm, 0.4 * radius), 2)
    return replace(lesion, centre_mm=centre, radius_mm=radius, rim_mm=rim)


def draw_on(canvas: Canvas, points: Array, lesions: tuple[Lesion, ...], liver: Array) -> Array:
    """Lay the lesions on the canvas; `points` (3, Z, Y, X) are LPS mm and `liver` a boolean mask.

    Returns `(Z, Y, X)` uint8 with k + 1 where lesion k is. A lesion too small for the grid keeps the one
    voxel nearest to it.
    """
    found = np.zeros(points.shape[1:], np.uint8)
    for k, lesion in enumerate(lesions):
        where = _around(points, lesion, canvas.edge_mm)
        distance = lesion.distance(points[(slice(None), *where)])
        canvas.lay(where, distance, lesion.rim_hu, None)
        if lesion.rim_mm:
            canvas.lay(where, distance + lesion.rim_mm, lesion.core_hu, None)
        free = liver[where] & (found[where] == 0)
        inside = (distance < 0) & free
        if not inside.any():
            inside.flat[int(np.argmin(np.where(free, distance, np.inf)))] = True
        found[where][inside] = k + 1
    return found


def _around(points: Array, lesion: Lesion, edge_mm: float) -> tuple[slice, ...]:
    """Return the part of the grid within reach of a lesion, never empty."""
    reach = lesion.radius_mm * np.exp(lesion.irregularity) + 2 * edge_mm
    spans = []
    for axis in range(3):
        # the grid is a rotation times spacing, so the squared distance to a plane is that of its axis alone
        step = np.take(points, 1, axis=axis + 1)[:, 0, 0] - np.take(points, 0, axis=axis + 1)[:, 0, 0]
        offset = np.array(lesion.centre_mm) - points[:, 0, 0, 0]
        centre, half = float(offset @ step) / float(step @ step), reach / float(np.linalg.norm(step))
        size = points.shape[axis + 1]
        low = min(max(int(np.floor(centre - half)), 0), size - 1)
        spans.append(slice(low, min(max(int(np.ceil(centre + half)) + 1, low + 1), size)))
    return tuple(spans)
