"""CT of a skull whose plane of symmetry and mirror error are known, whole or with a hole and the piece that fits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from vesalius.core.case import Case
from vesalius.core.errors import DataError, UnknownName
from vesalius.core.image import Array, Image
from vesalius.phantom.common.streams import stream
from vesalius.phantom.skulls import parameters as law
from vesalius.phantom.skulls.face import covered
from vesalius.phantom.skulls.hole import Hole, draw_hole
from vesalius.phantom.skulls.person import Person, draw_person
from vesalius.phantom.skulls.scan import seen, tissue_of

__all__ = ["SkullPatient", "patient", "twin"]

FORMATS = ("nifti",)
OPTIONS = {"size": 96, "defect": "one"}
SMALL = {"size": 24}
FINDINGS = ("defect",)
DEFECTS = ("one", "none")
ACROSS = 0.05  # share of the piece on its smaller side, from which a hole crosses the midline


@dataclass(frozen=True, eq=False)
class SkullPatient:
    """One head: `volume` `(Z, Y, X)` int16 in HU, `bone` bits that are there, `implant` bits that were taken out.

    The two together are the healthy skull. `hole` is None for a whole skull.
    """

    id: str
    patient: str
    person: Person
    volume: Array
    bone: Array
    implant: Array
    affine: Array
    hole: Hole | None

    def as_case(self) -> Case:
        """Return the CT with the mask of the bone; where there is a hole, with that of the piece that fills it, too."""
        masks = {"bone": self.bone, "implant": self.implant} if self.hole else {"bone": self.bone}
        return Case(
            self.id,
            {"image": Image(self.volume[None], affine=self.affine, unit="HU", modality="CT")},
            patient=self.patient,
            targets={k: Image(v[None].astype(np.uint8), affine=self.affine) for k, v in masks.items()},
            covariates={"age": self.person.age, "sex": self.person.sex},
        )

    @property
    def middle_mm(self) -> Array:
        """Return the head's origin (3,) in LPS mm: it lies in the plane of symmetry."""
        size = len(self.volume)
        centre = self.affine[:3, :3] @ np.full(3, (size - 1) / 2) + self.affine[:3, 3]
        found: Array = centre + self.person.shift_mm
        return found

    def truth(self) -> dict[str, Any]:
        """Return what is known, as plain JSON values: places are LPS mm, distances mm, areas cm², volumes ml.

        `mirror_rms_mm` and `mirror_max_mm` are how far the calvaria lies from its mirror image, along its normal.
        """
        one, voxel = self.person, float(np.abs(np.linalg.det(self.affine[:3, :3]))) / 1000
        return {
            "id": self.id, "sex": one.sex, "age": one.age,
            "length_mm": round(one.length_mm, 2), "breadth_mm": round(one.breadth_mm, 2),
            "height_mm": round(one.height_mm, 2), "thickness_mm": [round(float(t), 2) for t in one.vault.bones_mm],
            "plane": {
                "point_mm": [round(float(v), 4) for v in self.middle_mm],
                "normal": [round(float(v), 6) for v in one.turn[:, 0]],
            },
            "mirror_rms_mm": round(one.mirror_rms_mm, 3), "mirror_max_mm": round(one.mirror_max_mm, 3),
            "face_shift_mm": round(one.face_shift_mm, 3),
            "bone_ml": round(float(self.bone.sum()) * voxel, 3),
            "defect": self._defect(voxel) if self.hole else None,
        }  # fmt: skip

    def _defect(self, voxel_ml: float) -> dict[str, Any]:
        """Return what is known of the hole."""
        if self.hole is None:
            raise DataError("a whole skull has no hole")
        hole, share = self.hole, self._smaller_side()
        at = one_in_field(self.person, hole.saw.point_mm) + self.middle_mm - self.person.shift_mm
        axis = self.person.turn @ hole.saw.axis
        return {
            "place": hole.place, "shape": hole.shape, "diameter_mm": round(hole.diameter_mm, 2),
            "area_cm2": round(hole.saw.area_cm2, 2), "bevel_deg": round(hole.bevel_deg, 2),
            "point_mm": [round(float(v), 3) for v in at], "axis": [round(float(v), 5) for v in axis],
            "implant_ml": round(float(self.implant.sum()) * voxel_ml, 3),
            "midline_share": round(share, 4), "crosses_midline": bool(share >= ACROSS),
        }  # fmt: skip

    def _smaller_side(self) -> float:
        """Return the share of the piece that lies on that side of the plane which has less of it."""
        z, y, x = np.nonzero(self.implant)
        if not len(z):
            return 0.0
        places = np.stack([x, y, z], axis=1) @ self.affine[:3, :3].T + self.affine[:3, 3]
        left = float(((places - self.middle_mm) @ self.person.turn[:, 0] > 0).mean())
        return min(left, 1 - left)


def one_in_field(person: Person, point: Array) -> Array:
    """Return one point (3,) of the head in the field's coordinates, mm."""
    return person.in_field(point[:, None])[:, 0]


def patient(
    index: int, seed: int = 0, *, size: int = 96, defect: Literal["one", "none"] = "one"
) -> SkullPatient:
    """Return skull number `index` in a cube of 211 mm, `size` voxels a side; whole, or with one hole in its vault.

    The sides differ by a known distance, and thickness, bumps, size and the place in the field vary from person to
    person. With `defect="none"` the same seed draws the same people, whole. Raises DataError for a size out of its
    range, UnknownName for another `defect`.
    """
    return _draw(index, seed, size=size, defect=defect)


def twin(
    index: int,
    seed: int = 0,
    *,
    without: Literal["defect"],
    size: int = 96,
    defect: Literal["one", "none"] = "one",
) -> SkullPatient:
    """Return the same person with the same noise, whole; its mask of a piece is empty."""
    return _draw(index, seed, size=size, defect=defect, name=f"-without-{without}")


def _draw(index: int, seed: int, *, size: int, defect: str, name: str = "") -> SkullPatient:
    if defect not in DEFECTS:
        raise UnknownName("defect of phantom skull", defect, DEFECTS)
    if not 24 <= size <= 256 or index < 0 or seed < 0:
        raise DataError(
            "a skull has 24 to 256 voxels a side, an index and a seed ≥ 0",
            found=f"size {size}, index {index}, seed {seed}",
            hint="size=96",
        )
    voxel = law.FIELD_MM / size
    person = draw_person(*(stream(seed, index, purpose) for purpose in (0, 1, 2)))
    hole = draw_hole(stream(seed, index, 3), person) if defect == "one" else None
    tissue = tissue_of(person, size)
    whole = tissue.bone >= 0.5
    removed = np.zeros_like(tissue.bone)
    if hole and not name:
        removed = covered(hole.saw.within(tissue.points), voxel) * (tissue.depth_mm > -voxel)
    implant = whole & (removed >= 0.5) & (tissue.vault >= 0.5)
    volume = seen(tissue, removed, stream(seed, index, 4), voxel_mm=voxel)
    return SkullPatient(
        f"skull-{index:04d}{name}", f"S{index:04d}", person, volume, whole & ~implant, implant,
        _affine(stream(seed, index, 5), size), hole,
    )  # fmt: skip


def _affine(random: np.random.Generator, size: int) -> Array:
    """Return where the field lies, index (x, y, z) to LPS mm, as a scanner's table happens to stand."""
    affine = np.diag([law.FIELD_MM / size] * 3 + [1.0])
    middle = np.round(random.uniform((-10, -190, 700), (10, -150, 1100)), 1)
    affine[:3, 3] = middle - affine[0, 0] * (size - 1) / 2
    return affine
