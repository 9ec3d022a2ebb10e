"""A design as it is handed over: the part, what the rules found, its measures, and where it lies in the patient."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from vesalius.core.answers.mask import Mask
from vesalius.core.answers.surface import Surface
from vesalius.core.cohort import Label
from vesalius.core.image import Array, Image
from vesalius.shapes.design.designing import Design as Part
from vesalius.shapes.measures import area_cm2, volume_ml

LABEL = Label(1, "implant")
DENSITY = {"PEEK": 1.30, "Ti-6Al-4V": 4.43}  # g/ml, solid, as their makers say
NOT_FOR_USE = (
    "For research: not for clinical use without a surgeon's review, a check of fit on a printed model, and the "
    "clearance that the law asks of a patient-matched implant."
)


@dataclass(frozen=True, eq=False)
class Design:
    """A part designed for one defect of one bone.

    `image` is what the bone was seen in, `bone` `(Z, Y, X)` bool, `by` how what is missing was found, and `part` the
    mesh, the mask and what each rule found. `place` says where the defect lies in the patient.
    """

    part: Part
    image: Image
    bone: Array
    by: str
    case_id: str
    place: str
    notes: tuple[str, ...] = ()

    @property
    def surface(self) -> Surface:
        """The part's mesh in LPS millimetres."""
        return self.part.made.surface

    @property
    def mask(self) -> Mask:
        """The voxels of the image that the part fills."""
        array = self.part.made.mask[None].astype(np.uint8)
        image = Image(array, affine=self.image.affine, modality="SEG", source=self.image.source)
        return Mask(image=image, labels=(LABEL,), case_id=self.case_id)

    @property
    def measures(self) -> dict[str, float]:
        """Size, volume, area, mass and thickness of the part, with the unit in each name."""
        surface, made = self.surface, self.part.made
        millilitres = volume_ml(surface) or 0.0  # None of an open mesh, which `printable` refused
        sides = np.ptp((surface.vertices_mm - made.part.affine[:3, 3]) @ made.part.affine[:3, :3], axis=0)
        sides = np.sort(sides / made.part.step_mm)[::-1]
        return {
            "volume_ml": millilitres,
            "area_cm2": area_cm2(surface),
            "length_mm": float(sides[0]),
            "width_mm": float(sides[1]),
            "height_mm": float(sides[2]),
            "thickest_mm": 2 * float(-made.part.distance_mm.min()),
            **{f"mass_{name}_g": millilitres * density for name, density in DENSITY.items()},
        }

    def json(self) -> dict[str, Any]:
        """Return it as plain data, as `design.json` holds it."""
        hole = self.part.hole
        values: Mapping[str, Mapping[str, Any]] = self.part.values
        return {
            "case": self.case_id,
            "by": self.by,
            "place": self.place,
            "defect": {
                "middle_mm": list(hole.middle_mm),
                "missing_ml": hole.volume_ml,
                "across_mm": hole.size_mm,
            },
            "axis": list(self.part.made.part.axis),
            "frame": "LPS",
            "measures": self.measures,
            "rules": [{**found.json(), "values": dict(values[found.rule])} for found in self.part.findings],
            "faces": len(self.surface.faces),
            "notes": list(self.notes),
            "warning": NOT_FOR_USE,
        }
