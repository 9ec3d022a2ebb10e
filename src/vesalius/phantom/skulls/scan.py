"""CT of a head: what share of each voxel is bone, brain, skin and air, in Hounsfield units, with noise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from vesalius.core.image import Array
from vesalius.phantom.common.fields import correlated_noise
from vesalius.phantom.skulls import parameters as law
from vesalius.phantom.skulls.face import covered, draw_face
from vesalius.phantom.skulls.person import Person


@dataclass(frozen=True, eq=False)
class Tissue:
    """Shares of each voxel `(Z, Y, X)` float32: bone, its vault alone, head, brain, fluid, air.

    `depth_mm` lies below the vault's outer surface, `thickness_mm` is its shell's there; `points` are the head's.
    """

    points: Array  # (3, Z, Y, X)
    bone: Array
    vault: Array
    head: Array
    brain: Array
    fluid: Array
    air: Array
    depth_mm: Array
    thickness_mm: Array


def grid_of(size: int) -> Array:
    """Return the centres `(3, Z, Y, X)` float32 of a cube of `size` voxels a side in mm, around the field's middle."""
    places = ((np.arange(size) - (size - 1) / 2) * (law.FIELD_MM / size)).astype(np.float32)
    z, y, x = np.meshgrid(places, places, places, indexing="ij")
    return np.stack([x, y, z])


def tissue_of(person: Person, size: int) -> Tissue:
    """Return what a healthy head is made of on `size` voxels a side."""
    voxel = law.FIELD_MM / size
    points = person.in_head(grid_of(size))
    depth, thick = person.vault.depth(points)
    inside = covered(depth - thick, voxel)
    shell = covered(depth, voxel) - inside
    face = draw_face(person, points, voxel_mm=voxel)
    outside = covered(-depth, voxel)
    vault = shell * (1 - face.cord)
    bone = np.clip(vault + face.bone * outside, 0, 1)
    neck = (1 - np.hypot(points[0] / 58, (points[1] - 12) / 66)) * 58
    neck = np.minimum(neck, -45 - points[2])
    head = np.maximum(covered(depth + person.scalp_mm, voxel), covered(face.depth_mm + 6, voxel))
    head = np.maximum(head, covered(neck, voxel))
    brain = covered(depth - thick - 3, voxel)
    air = face.air * outside * (1 - bone)
    return Tissue(points, bone, vault, head, brain, inside - brain, air, depth, thick)


def seen(tissue: Tissue, removed: Array, random: np.random.Generator, *, voxel_mm: float) -> Array:
    """Return the CT `(Z, Y, X)` int16 in HU; `removed` is the share of each voxel whose bone was taken out."""
    noise, loudness = random.spawn(1)[0], random.uniform(*law.NOISE_HU)
    shape = tissue.bone.shape
    left = tissue.bone * (1 - removed * (tissue.vault > 0))
    mottled = correlated_noise(noise, shape, sigma_voxels=(1.2, 1.2, 1.2))
    soft = law.SOFT + (law.BRAIN - law.SOFT) * tissue.brain + (law.FLUID - law.SOFT) * tissue.fluid
    image = tissue.head * soft + (1 - tissue.head) * law.AIR
    image = image * (1 - tissue.air) + law.AIR * tissue.air
    image = image * (1 - left) + left * _bone_hu(tissue, mottled, voxel_mm)
    image = ndimage.gaussian_filter(image, 0.35)
    image += loudness * correlated_noise(noise, shape, sigma_voxels=(0.6, 0.6, 0.6))
    made: Array = np.clip(np.rint(image), -1024, 3071).astype(np.int16)
    return made


def _bone_hu(tissue: Tissue, mottled: Array, voxel_mm: float) -> Array:
    """Return what bone measures: compact tables around a diploë that varies, and sutures in the vault."""
    outer, inner = law.TABLES_MM
    from_inside = tissue.thickness_mm - tissue.depth_mm
    sponge = covered(tissue.depth_mm - outer, voxel_mm) * covered(from_inside - inner, voxel_mm)
    sponge = sponge * (tissue.vault > 0)
    hu = law.COMPACT + sponge * (law.DIPLOE - law.COMPACT + law.DIPLOE_SPREAD * mottled)
    return np.asarray(hu * (1 - law.SUTURE * _sutures(tissue.points, voxel_mm) * (tissue.vault > 0)))


def _sutures(points: Array, voxel_mm: float) -> Array:
    """Return how much of each voxel lies in a suture, 0 to 1: coronal, sagittal and lambdoid, which wind."""
    x, y, z = points
    wind = 2.0 * np.sin(z / 4.0) + 1.5 * np.sin(y / 3.0)
    coronal = np.where(z > 5, np.abs(y + 30 - 0.15 * z + 2.0 * np.sin(np.abs(x) / 3.5)), 99.0)
    lambdoid = np.where(
        z > -20, np.abs(y - 62 + 0.55 * np.abs(x) + 0.2 * (z - 30) + 2.0 * np.sin(z / 3.5)), 99.0
    )
    sagittal = np.where((y > -30) & (y < 60) & (z > 0), np.abs(x + wind), 99.0)
    near = np.minimum(np.minimum(coronal, lambdoid), sagittal)
    return np.asarray(np.exp(-((near / max(1.0, 0.5 * voxel_mm)) ** 2)), dtype=np.float32)
