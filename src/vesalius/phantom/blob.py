"""A bright lesion among dark ones on mottled tissue; or a mark in a corner that gives the class away."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np

from vesalius.core.case import Case, Target
from vesalius.core.errors import DataError, UnknownName
from vesalius.core.image import Array, Image
from vesalius.phantom.common import experts as seen_by
from vesalius.phantom.common import plain
from vesalius.phantom.common.fields import correlated_noise
from vesalius.phantom.common.streams import stream
from vesalius.phantom.contract import Recipe

FORMATS = ("png", "nifti")
OPTIONS = {
    "size": 128,
    "depth": 1,
    "told_by": "lesion",
    "contrast": 40.0,
    "experts": 0,
    "experts_say": "class",
}
FINDINGS = ("lesion", "marker")

ToldBy = Literal["lesion", "marker"]
TOLD_BY = ("lesion", "marker")
Say = Literal["class", "lesion"]
SAY = ("class", "lesion")
CLASSES = ("negative", "positive")
DARK = 2  # blobs of the lesion's size and shape in every picture, as dark as the lesion is bright
RADII = (0.07, 0.13)  # of a blob, as shares of the size
TISSUE, COARSE, FINE, GRAIN = 105.0, 14.0, 9.0, 10.0  # grey values: the mean, and three spreads
STILL = 1e-3  # voxels: too little to smooth anything


@dataclass(frozen=True, eq=False)
class BlobPatient:
    """One image `(Z, Y, X)` uint8, with the bits of its lesion and of its marker; `positive` is the class.

    A picture has one plane and no spacing; a volume has voxels of 1 mm. `experts` is what each expert says by name: the
    class as a bool, or bits of the lesion.
    """

    id: str
    patient: str
    volume: Array
    lesion: Array
    marker: Array
    positive: bool
    told_by: ToldBy
    experts: Mapping[str, bool | Array] = field(default_factory=dict)

    def as_case(self) -> Case:
        """Return the image with its class and a mask of the lesion; of the marker, too, where that tells the class."""
        flat = self.volume.shape[0] == 1
        affine = None if flat else np.eye(4)
        masks = {"lesion": self.lesion} | ({"marker_mask": self.marker} if self.told_by == "marker" else {})
        drawn = {name: Image(bits.astype(np.uint8)[None], affine=affine) for name, bits in masks.items()}
        said: dict[str, Target] = {
            f"expert_{name}": CLASSES[says]
            if isinstance(says, bool)
            else Image(says.astype(np.uint8)[None], affine=affine)
            for name, says in self.experts.items()
        }
        return Case(
            self.id,
            {"image": Image(self.volume[None], affine=affine)},
            patient=self.patient,
            targets={"class": CLASSES[self.positive], **drawn, **said},
        )

    def truth(self) -> dict[str, Any]:
        """Return what is known, as plain JSON values."""
        experts = {
            name: CLASSES[says] if isinstance(says, bool) else seen_by.measured(says, self.lesion)
            for name, says in self.experts.items()
        }
        return {
            **({"experts": experts} if experts else {}),
            "id": self.id,
            "class": CLASSES[self.positive],
            "told_by": self.told_by,
            "lesion_share": float(self.lesion.mean()),
            "marker_share": float(self.marker.mean()),
        }


def patient(
    index: int,
    seed: int = 0,
    *,
    size: int = 128,
    depth: int = 1,
    told_by: ToldBy = "lesion",
    contrast: float = 40.0,
    experts: int = 0,
    experts_say: Say = "class",
) -> BlobPatient:
    """Return synthetic patient number `index`; every other one, by chance, is positive.

    `size` is that of a plane, `depth` how many planes there are. `told_by` says what makes a case positive: that a
    lesion is there, or that a marker is, and then a lesion is there or not whatever the class. `contrast` is by how
    many grey values a lesion differs from the tissue. `experts` of known skill say the class or draw the lesion, as
    `experts_say`; the fourth and the fifth are poor and err together.

    Raises DataError for a size or depth too small, UnknownName for another `told_by`.
    """
    one, within = _draw(index, seed, size=size, depth=depth, told_by=told_by, contrast=contrast)
    return _seen(one, within, index, seed, experts=experts, say=experts_say)


def twin(
    index: int,
    seed: int = 0,
    *,
    without: Literal["lesion", "marker"],
    size: int = 128,
    depth: int = 1,
    told_by: ToldBy = "lesion",
    contrast: float = 40.0,
    experts: int = 0,
    experts_say: Say = "class",
) -> BlobPatient:
    """Return the same patient, with the same tissue, without the lesion or the marker; its class follows."""
    one, within = _draw(
        index, seed, size=size, depth=depth, told_by=told_by, contrast=contrast, without=without
    )
    return _seen(one, within, index, seed, experts=experts, say=experts_say)


def cohort_truth(recipe: Recipe) -> dict[str, Any]:
    """Return what truth.json says of the whole cohort: how it was made, and how experts err."""
    found = plain.cohort_truth(recipe)
    experts = seen_by.chosen(int(recipe.options["experts"]))
    return (
        found | {"experts": seen_by.known(experts, str(recipe.options["experts_say"]))} if experts else found
    )


def _seen(one: BlobPatient, within: Array, index: int, seed: int, *, experts: int, say: Say) -> BlobPatient:
    """Return the patient with what experts say; `within` is how deep each voxel lies in the lesion."""
    if say not in SAY:
        raise UnknownName("experts_say", say, SAY)
    chosen = seen_by.chosen(experts)
    if not chosen:
        return one
    if say == "class":
        return replace(one, experts=seen_by.calls(chosen, seed, index, positive=one.positive))
    if not one.lesion.any():
        return replace(one, experts={e.name: np.zeros_like(one.lesion) for e in chosen})
    drawn = seen_by.masks(chosen, seed, index, within, reach=0.06 * one.volume.shape[2])
    return replace(one, experts=drawn)


def _draw(
    index: int, seed: int, *, size: int, depth: int, told_by: ToldBy, contrast: float, without: str = ""
) -> tuple[BlobPatient, Array]:
    if told_by not in TOLD_BY:
        raise UnknownName("told_by", told_by, TOLD_BY)
    if size < 32 or depth < 1 or 1 < depth < 16:
        raise DataError(
            "a blob needs planes of at least 32 pixels, and one plane or at least 16",
            found=f"size {size}, depth {depth}",
            hint="size=128, or size=64 depth=48",
        )
    shape = (depth, size, size)
    drawn = stream(seed, index, 0).random(2) < 0.5
    has_marker = bool(drawn[0]) and told_by == "marker"
    has_lesion = bool(drawn[0]) if told_by == "lesion" else bool(drawn[1])
    tissue = _tissue(seed, index, shape)
    lesion, marker = np.zeros(shape, bool), np.zeros(shape, bool)
    within = _blobs(seed, index, shape)
    for k, depth_in in enumerate(within):  # the first is the lesion
        sign = contrast if k == 0 else -contrast
        if k == 0 and (not has_lesion or without == "lesion"):
            continue
        tissue += sign / (1 + np.exp(-8 * np.maximum(depth_in, -5)))
        if k == 0:
            lesion = depth_in > 0
    if has_marker and without != "marker":
        marker[_corner(seed, index, shape)] = True
        tissue[marker] = 245.0
    volume = np.clip(tissue, 0, 255).astype(np.uint8)
    positive = bool(lesion.any()) if told_by == "lesion" else bool(marker.any())
    name = f"-without-{without}" if without else ""
    one = BlobPatient(f"blob-{index:04d}{name}", f"B{index:04d}", volume, lesion, marker, positive, told_by)
    return one, within[0]


def _tissue(seed: int, index: int, shape: tuple[int, int, int]) -> Array:
    """Return mottled tissue: smooth over a tenth of the size, over a fortieth, and grain."""
    random, found = stream(seed, index, 1), np.full(shape, TISSUE, np.float32)
    for spread, share in ((COARSE, 0.1), (FINE, 0.025), (GRAIN, 0.0)):
        reach = max(share * shape[2], STILL)
        sigma = (reach if shape[0] > 1 else STILL, reach, reach)
        found += spread * correlated_noise(random, shape, sigma_voxels=sigma)
    return found


def _blobs(seed: int, index: int, shape: tuple[int, int, int]) -> list[Array]:
    """Return how deep each voxel lies in each blob: above 0 inside, 1 in its middle. Blobs do not touch."""
    random, size = stream(seed, index, 2), shape[2]
    axes = np.array([float(n) for n in shape])
    radii = random.uniform(*RADII, size=(1 + DARK, 3)) * size
    low = np.where(axes > 1, 1.4 * RADII[1] * size, 0.0)
    centres: list[Array] = []
    while len(centres) < 1 + DARK:
        one = random.uniform(low, np.maximum(axes - 1 - low, low))
        if (
            all(np.linalg.norm(one - other) > 2.6 * RADII[1] * size for other in centres)
            or random.random() < 0.02
        ):
            centres.append(one)
    grid = np.meshgrid(*(np.arange(n, dtype=np.float32) for n in shape), indexing="ij")
    reach = 0.05 * size
    sigma = (reach if shape[0] > 1 else STILL, reach, reach)
    bumps = 0.15 * correlated_noise(stream(seed, index, 3), shape, sigma_voxels=sigma)
    found = []
    for centre, radius in zip(centres, radii, strict=True):
        far = sum(((g - c) / r) ** 2 for g, c, r in zip(grid, centre, radius, strict=True))
        found.append(np.asarray(1 - np.sqrt(far) + bumps, dtype=np.float32))
    return found


def _corner(seed: int, index: int, shape: tuple[int, int, int]) -> tuple[slice, ...]:
    """Return where the marker lies: a block of a fourteenth of the size, near the upper left corner."""
    random = stream(seed, index, 4)
    length = max(4, round(shape[2] / 14))
    at = random.integers(2, 2 + max(1, length // 2), size=3)
    return tuple(
        slice(int(a), int(a) + length) if n > 1 else slice(None) for a, n in zip(at, shape, strict=True)
    )
