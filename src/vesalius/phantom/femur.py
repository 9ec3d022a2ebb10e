"""CT of a person's two femora, which differ by a known distance; one may lack a piece or an end, or be broken."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from vesalius.core.case import Case
from vesalius.core.errors import DataError, UnknownName
from vesalius.core.image import Array, Image
from vesalius.phantom.common.streams import stream
from vesalius.phantom.femora import parameters as law
from vesalius.phantom.femora.lack import KINDS, Lack, draw_lack
from vesalius.phantom.femora.pair import SIDES, Pair, draw_pair
from vesalius.phantom.femora.scan import drawn, grid_of, seen

__all__ = ["FemurPatient", "patient", "twin"]

FORMATS = ("nifti",)
OPTIONS = {"size": 204, "defect": "none"}
SMALL = {"size": 48}
FINDINGS = ("defect",)

Defect = Literal["none", "piece", "end", "fracture"]


@dataclass(frozen=True, eq=False)
class FemurPatient:
    """Two thighs: `volume` `(Z, Y, X)` int16 in HU, `femur` labels 1 left and 2 right of what is there.

    `implant` are bits of what one side lacks. `lack` is None where both are whole.
    """

    id: str
    patient: str
    pair: Pair
    volume: Array
    femur: Array
    implant: Array
    affine: Array
    lack: Lack | None

    def as_case(self) -> Case:
        """Return the CT with the mask of both femora, and with that of the missing piece where one is missing."""
        masks = {"femur": self.femur}
        if self.lack and self.lack.kind != "fracture":
            masks["implant"] = self.implant.astype(np.uint8)
        return Case(
            self.id,
            {"image": Image(self.volume[None], affine=self.affine, unit="HU", modality="CT")},
            patient=self.patient,
            targets={k: Image(v[None], affine=self.affine) for k, v in masks.items()},
            covariates={"age": self.pair.age, "sex": self.pair.sex},
        )

    def truth(self) -> dict[str, Any]:
        """Return what is known, as plain JSON values: distances in mm, volumes in ml.

        `side_rms_mm` and `side_max_mm` are how far a whole femur lies from the other's mirror image along its normal,
        once they lie upon one another.
        """
        one, voxel = self.pair.femur, float(self.affine[0, 0] ** 3) / 1000
        return {
            "id": self.id, "sex": self.pair.sex, "age": self.pair.age,
            "length_mm": round(one.length_mm, 2), "head_mm": round(one.head_mm, 2),
            "neck_deg": round(one.neck_deg, 2), "turn_deg": round(one.turn_deg, 2),
            "offset_mm": round(one.offset_mm, 2), "shaft_mm": round(one.shaft_mm, 2),
            "bow_mm": round(one.bow_mm, 2), "condyles_mm": round(one.condyles_mm, 2),
            "side_rms_mm": round(self.pair.rms_mm, 3), "side_max_mm": round(self.pair.max_mm, 3),
            "femur_ml": {
                name: round(float((self.femur == k + 1).sum()) * voxel, 3) for k, name in enumerate(SIDES)
            },
            "defect": self._defect(voxel),
        }  # fmt: skip

    def _defect(self, voxel_ml: float) -> dict[str, Any] | None:
        """Return what is known of what is missing; heights are from the bone's top along its axis."""
        if self.lack is None:
            return None
        top, lack = self.pair.femur.length_mm / 2, self.lack
        said: dict[str, Any] = {"kind": lack.kind, "side": lack.side, "to_mm": round(top - lack.low_mm, 2)}
        if lack.kind == "fracture":
            turn = np.degrees(np.arccos(np.clip((np.trace(lack.matrix[:3, :3]) - 1) / 2, -1, 1)))
            return said | {"turned_deg": round(float(turn), 3), "matrix": np.round(lack.matrix, 6).tolist()}
        return said | {
            "from_mm": round(max(top - lack.high_mm, 0.0), 2),
            "implant_ml": round(float(self.implant.sum()) * voxel_ml, 3),
        }


def patient(index: int, seed: int = 0, *, size: int = 204, defect: Defect = "none") -> FemurPatient:
    """Return person number `index`: both thighs in 380 by 130 by 510 mm, in `size` planes of cubes.

    With `defect` one side, by chance, lacks a `piece` of its shaft or its upper `end`, or has a `fracture` whose lower
    fragment was moved; the same seed draws the same people with each. Raises DataError for a size out of its range,
    UnknownName for another defect.
    """
    return _draw(index, seed, size=size, defect=defect)


def twin(
    index: int, seed: int = 0, *, without: Literal["defect"], size: int = 204, defect: Defect = "none"
) -> FemurPatient:
    """Return the same person with the same noise and both femora whole."""
    return _draw(index, seed, size=size, defect="none", name=f"-without-{without}")


def _draw(index: int, seed: int, *, size: int, defect: str, name: str = "") -> FemurPatient:
    if defect not in KINDS:
        raise UnknownName("defect of phantom femur", defect, KINDS)
    if not 48 <= size <= 512 or index < 0 or seed < 0:
        raise DataError(
            "femora have 48 to 512 planes, an index and a seed ≥ 0",
            found=f"size {size}, index {index}, seed {seed}",
            hint="size=204",
        )
    voxel = law.FIELD_MM[2] / size
    pair = draw_pair(*(stream(seed, index, purpose) for purpose in (0, 1, 2)))
    lack = None if defect == "none" else draw_lack(stream(seed, index, 3), pair, defect)
    points = grid_of(size)
    bone, hu, missing = drawn(pair, lack, points, voxel_mm=voxel)
    left = np.zeros(bone.shape, bool)
    left[..., bone.shape[2] // 2 :] = True
    implant = (bone >= 0.5) & (missing >= 0.5)
    there = (bone >= 0.5) & ~implant
    femur = np.where(there, np.where(left, 1, 2), 0).astype(np.uint8)
    volume = seen(bone * (1 - missing), hu, points, pair, stream(seed, index, 4), voxel_mm=voxel)
    affine = np.diag([voxel] * 3 + [1.0])
    middle = np.round(stream(seed, index, 5).uniform((-10, -190, 200), (10, -150, 500)), 1)
    affine[:3, 3] = middle - voxel * (np.array(bone.shape[::-1]) - 1) / 2
    return FemurPatient(
        f"femur-{index:04d}{name}", f"F{index:04d}", pair, volume, femur, implant, affine, lack
    )
