"""A person's skull as numbers: size, bumps, thickness, and what differs between the sides by a known number of mm."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from vesalius.core.image import Array
from vesalius.phantom.skulls import parameters as law
from vesalius.phantom.skulls.vault import Bumps, Vault, directions


@dataclass(frozen=True, eq=False)
class Person:
    """One head: its vault, its face's scale and shift, and how it lies in the field.

    `turn` (3, 3) and `shift_mm` (3,) take the head's coordinates, x left, y back, z up, to those of the field.
    """

    sex: str
    age: int
    length_mm: float
    breadth_mm: float
    height_mm: float
    vault: Vault
    face: float
    face_shift_mm: float
    scalp_mm: float
    turn: Array
    shift_mm: Array
    mirror_rms_mm: float
    mirror_max_mm: float

    def in_head(self, points: Array) -> Array:
        """Return points `(3, …)` of the field in the head's coordinates, mm."""
        kind = points.dtype.type
        away = [points[k] - kind(self.shift_mm[k]) for k in range(3)]
        return np.stack([sum(kind(self.turn[j, k]) * away[j] for j in range(3)) for k in range(3)])

    def in_field(self, points: Array) -> Array:
        """Return points `(3, …)` of the head in the field's coordinates, mm."""
        turned = np.tensordot(self.turn, points, axes=1)
        return np.asarray(turned + self.shift_mm.reshape(3, *[1] * (points.ndim - 1)))


def draw_person(who: np.random.Generator, shape: np.random.Generator, pose: np.random.Generator) -> Person:
    """Return a person's skull; `who` draws sex, age and size, `shape` the bone, `pose` how it lies."""
    sex = law.MALE if who.random() < 0.5 else law.FEMALE
    age = int(who.integers(18, 85))
    length, breadth, height = (
        float(np.clip(who.normal(*measure[sex]), measure[sex][0] - 15, measure[sex][0] + 15))
        for measure in (law.LENGTH_MM, law.BREADTH_MM, law.HEIGHT_MM)
    )
    alike = _alike(shape)
    vault = Vault(breadth / 2, length / 2, height, alike, Bumps.none(), *_thickness(shape, sex))
    vault, rms, most = _made_odd(shape, vault)
    angles = np.clip(
        pose.normal(0, law.TILT_DEG), -2.0 * np.array(law.TILT_DEG), 2.0 * np.array(law.TILT_DEG)
    )
    shift = np.clip(pose.normal(0, law.SHIFT_MM), -2.0 * np.array(law.SHIFT_MM), 2.0 * np.array(law.SHIFT_MM))
    turn = Rotation.from_euler("xyz", angles, degrees=True).as_matrix()
    return Person(
        sex, age, length, breadth, height, vault,
        float(np.clip(who.normal(1.0, 0.05), 0.9, 1.1)), float(shape.normal(0, law.FACE_SHIFT_MM)),
        float(who.uniform(*law.SCALP_MM)), turn, shift - turn @ np.array(law.MIDDLE_MM), rms, most,
    )  # fmt: skip


def _alike(random: np.random.Generator) -> Bumps:
    """Return the bumps that both sides share."""
    centres, heights, narrow = [], [], []
    for centre, mean, spread, width in law.BUMPS.values():
        height = float(random.normal(mean, spread))
        for side in (1, -1) if centre[0] else (1,):
            centres.append((side * centre[0], *centre[1:]))
            heights.append(height)
            narrow.append(width)
    for centre in _half(law.FREE_BUMPS):
        height = float(random.normal(0, law.FREE_MM))
        for side in (1, -1):
            centres.append((side * centre[0], centre[1], centre[2]))
            heights.append(height)
            narrow.append(law.FREE_NARROW)
    return Bumps.of(centres, heights, narrow)


def _thickness(random: np.random.Generator, sex: str) -> tuple[Array, Bumps]:
    """Return the thickness of each bone in mm, those of the sides alike, and the patches that vary it, as shares."""
    factor = np.exp(random.normal(0, law.THICKNESS_SPREAD))
    bones = np.array(law.THICKNESS_MM[sex]) * factor * np.exp(random.normal(0, law.REGION_SPREAD, 5))
    centres, heights = [], []
    for centre in _half(law.FREE_BUMPS):
        both, odd = random.normal(0, law.PATCHES), random.normal(0, law.ODD_PATCHES)
        for side in (1, -1):
            centres.append((side * centre[0], centre[1], centre[2]))
            heights.append(float(both + side * odd))
    return bones, Bumps.of(centres, heights, [law.FREE_NARROW] * len(centres))


def _made_odd(random: np.random.Generator, vault: Vault) -> tuple[Vault, float, float]:
    """Return the vault with sides that differ, and the root mean square and the largest distance from its mirror image.

    The odd bumps are drawn so that no turn or shift of the plane explains a part of them: the plane of the construction
    is, to first order, the one of least squares, and what is left is asymmetry. Distances are normal to the surface.
    """
    drawn = np.clip(
        random.lognormal(np.log(law.MIRROR_RMS_MM[0]), law.MIRROR_RMS_MM[1]), *law.MIRROR_RMS_MM[2:]
    )
    centres = _half(law.ODD_BUMPS)
    pairs = [Bumps.of([c, (-c[0], c[1], c[2])], [1.0, -1.0], [law.ODD_NARROW] * 2) for c in centres]
    ways = directions(1500)
    ways = ways[:, ways[2] > -0.25]  # the calvaria
    places, normals, facing = vault.surface(ways)
    odd = np.stack([bumps(ways) for bumps in pairs], axis=1) * facing[:, None]  # (N, K) mm along the normal
    axes = np.eye(3)
    moves = np.stack(
        [normals[0], *((normals * np.cross(axes[k], places.T).T).sum(axis=0) for k in (1, 2))], axis=1
    )
    weight = (places**2).sum(axis=0) / facing  # area of the surface that a direction stands for
    heights = random.normal(size=len(centres))
    rigid = moves.T @ (weight[:, None] * odd)  # (3, K): nothing of it may be left
    heights = heights - np.linalg.pinv(rigid) @ (rigid @ heights)
    far = 2 * odd @ heights  # the surface lies A away, its mirror image -A
    scale = drawn / np.sqrt(np.average(far**2, weights=weight))
    both = [bumps.times(float(h * scale)) for bumps, h in zip(pairs, heights, strict=True)]
    made = vault.with_odd(Bumps.joined(both))
    return made, float(drawn), float(np.abs(far).max() * scale)


def _half(number: int) -> list[tuple[float, float, float]]:
    """Return directions of the left half, spread evenly, away from the midline and from the base."""
    ways = directions(8 * number)
    ways = ways[:, (ways[0] > 0.25) & (ways[2] > -0.35)]
    chosen = ways[:, np.linspace(0, ways.shape[1] - 1, number).round().astype(int)]
    return [(float(x), float(y), float(z)) for x, y, z in chosen.T]
