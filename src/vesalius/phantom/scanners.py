"""T1 of a head on four scanners, the same person on each or another: with a lesion or without, of a known age."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from vesalius.core.case import Case
from vesalius.core.errors import DataError
from vesalius.core.image import Array, Image
from vesalius.phantom.common import plain
from vesalius.phantom.common.streams import stream
from vesalius.phantom.contract import Recipe
from vesalius.phantom.heads.head import SIDE_MM, WHAT, Head, draw_head
from vesalius.phantom.heads.scanner import SCANNERS, Scanner, scanned, weakened

__all__ = ["SCANNERS", "ScannersPatient", "cohort_truth", "patient"]

FORMATS = ("nifti",)
OPTIONS = {"size": 32, "strength": 1.0, "same": True}


@dataclass(frozen=True, eq=False)
class ScannersPatient:
    """One volume `(Z, Y, X)` int16 of a person's head, cubes of `spacing_mm`, as one scanner stores it."""

    id: str
    patient: str
    volume: Array
    spacing_mm: float
    head: Head
    scanner: Scanner

    def as_case(self) -> Case:
        """Return the image with its class and its age, and with the sex and the scanner as covariates."""
        middle = (self.volume.shape[0] - 1) / 2 * self.spacing_mm
        affine = np.diag([self.spacing_mm] * 3 + [1.0])
        affine[:3, 3] = -middle
        return Case(
            self.id,
            {"image": Image(self.volume[None], affine=affine)},
            patient=self.patient,
            targets={"class": "lesion" if self.head.lesion_mm else "none", "age": self.head.age},
            covariates={"sex": self.head.sex, "scanner": self.scanner.name},
            group=self.scanner.name,
        )

    def truth(self) -> dict[str, Any]:
        """Return what is known, as plain JSON values."""
        return {
            "id": self.id, "patient": self.patient, "scanner": self.scanner.truth(), "age": self.head.age,
            "sex": self.head.sex, "volumes_ml": self.head.volumes_ml(),
            "lesion_mm": list(self.head.lesion_mm) if self.head.lesion_mm else None,
        }  # fmt: skip


def patient(
    index: int, seed: int = 0, *, size: int = 32, strength: float = 1.0, same: bool = True
) -> ScannersPatient:
    """Return image number `index`, `size` voxels a side; every other person has a lesion.

    With `same` four images that follow one another are of one person, one on each scanner, so that what differs
    between them is the scanners' doing; else each image is of another person, on the scanners in turn. `strength` says
    how far the scanners are from one another: 0 for not at all. Raises DataError for an option out of its range.
    """
    if not 24 <= size <= 256 or not 0 <= strength <= 2:
        raise DataError(
            "a head on scanners has 24 to 256 voxels a side and a strength from 0 to 2",
            found=f"size {size}, strength {strength:g}",
            hint="size=32, strength=1",
        )
    place = index % len(SCANNERS)
    person = index // len(SCANNERS) if same else index
    lesion = (person + (0 if same else person // len(SCANNERS))) % 2 == 1  # on every scanner as often
    head = draw_head(stream(seed, person, 0), stream(seed, person, 1), size=size, lesion=lesion)
    scanner = weakened(SCANNERS[place], strength)
    volume = scanned(head, scanner, stream(seed, index, 2))
    return ScannersPatient(
        f"scanners-{person:04d}-{scanner.name}", f"H{person:04d}", volume, SIDE_MM / size, head, scanner
    )


def cohort_truth(recipe: Recipe) -> dict[str, Any]:
    """Return what truth.json says of the cohort: how it was made, its scanners, and what its tissues are."""
    strength = float(recipe.options["strength"])
    return {
        **plain.cohort_truth(recipe),
        "scanners": [weakened(s, strength).truth() for s in SCANNERS],
        "tissues": list(WHAT),
    }
