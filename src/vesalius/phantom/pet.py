"""PET of a trunk from two scanners whose quality is good, usable or poor, by its noise, motion and scatter."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from vesalius.core.case import Case
from vesalius.core.errors import DataError
from vesalius.core.image import Array, Image
from vesalius.phantom.common import plain
from vesalius.phantom.common.streams import stream
from vesalius.phantom.contract import Row, SyntheticPatient
from vesalius.phantom.tracer.body import HotSpot, draw_body
from vesalius.phantom.tracer.quality import GRADES, MOTION, NOISE, SCATTER, grade
from vesalius.phantom.tracer.scan import SCANNERS, Conditions, displayed, draw_conditions, scanned

__all__ = ["GRADES", "MOTION", "NOISE", "SCATTER", "PetPatient", "grade", "oracle", "patient", "write"]

FORMATS = ("png", "nifti")
OPTIONS = {"size": 96, "depth": 1, "labelled": 1.0, "second": 0.3}
MEAN_GREY = (26.0, 44.0)  # of a whole picture; what it is does not depend on anything else


@dataclass(frozen=True, eq=False)
class PetPatient:
    """One coronal picture or volume `(Z, Y, X)` uint8: front to back, head to feet, the patient's right to left.

    `noise` is the expected coefficient of variation of a voxel in the liver, `quality` what follows from it, from the
    motion and from the scatter; `labelled` says whether somebody told it.
    """

    id: str
    patient: str
    volume: Array
    spacing_mm: tuple[float, float, float]
    scanner: str
    conditions: Conditions
    noise: float
    quality: str
    labelled: bool
    spots: tuple[HotSpot, ...]

    def as_case(self) -> Case:
        """Return the image with its quality as class, where that was told, and the scanner as covariate and group."""
        flat = self.volume.shape[0] == 1
        return Case(
            self.id,
            {"image": Image(self.volume[None], affine=None if flat else self._affine())},
            patient=self.patient,
            targets={"class": self.quality} if self.labelled else {},
            covariates={"scanner": self.scanner},
            group=self.scanner,
        )

    def truth(self) -> dict[str, Any]:
        """Return what is known, as plain JSON values."""
        at = self.conditions
        return {
            "id": self.id, "quality": self.quality, "labelled": self.labelled, "scanner": self.scanner,
            "counts": at.counts, "noise": self.noise, "motion_mm": at.motion_mm,
            "motion": "breathing" if at.breathing else "shift", "scatter": at.scatter,
            "hot_spots": [s.truth() for s in self.spots],
        }  # fmt: skip

    def _affine(self) -> Array:
        """Return the map from index (x, y, z) to LPS millimetres: columns go left, rows down, planes back."""
        back, down, left = self.spacing_mm
        return np.array([[left, 0, 0, 0], [0, 0, back, 0], [0, -down, 0, 0], [0, 0, 0, 1.0]])


def patient(
    index: int, seed: int = 0, *, size: int = 96, depth: int = 1, labelled: float = 1.0, second: float = 0.3
) -> PetPatient:
    """Return patient number `index`: an image of 384 by 384 mm of a trunk, `size` pixels a side.

    `depth` 1 is a single coronal plane, more is a volume of so many planes from front to back. The quality of a share
    `labelled` of the patients is told. A share `second` was scanned by scanner B, which is less sharp, smooths more and
    has another grey scale; the rule of quality is the same. The mean grey value is drawn by itself, and the brightest
    organs are saturated, so that neither the mean nor the maximum tells the quality.

    Raises DataError for an option that is out of its range.
    """
    _assert_possible(index, seed, size, depth, {"labelled": labelled, "second": second})
    who = stream(seed, index, 0)
    scanner = SCANNERS["B" if who.random() < second else "A"]
    told = bool(who.random() < labelled)
    body = draw_body(stream(seed, index, 1), stream(seed, index, 2), size=size, depth=depth)
    conditions = draw_conditions(stream(seed, index, 3))
    image, noise = scanned(body, conditions, scanner, stream(seed, index, 4))
    mean = float(stream(seed, index, 5).uniform(*MEAN_GREY))
    noise = round(noise, 5)
    return PetPatient(
        f"pet-{index:05d}", f"P{index:05d}", displayed(image, scanner, mean), body.spacing_mm, scanner.name,
        conditions, noise, _quality(noise, conditions), told, body.spots,
    )  # fmt: skip


def oracle(truth: dict[str, Any]) -> str:
    """Return the quality by the rule from a patient's `truth`, without its `quality`: nothing can do better."""
    return grade(noise=truth["noise"], motion_mm=truth["motion_mm"], scatter=truth["scatter"])


def write(root: Path, patient: SyntheticPatient, format: str) -> Row:
    """Write a patient's image and return the row of cohort.csv, with an empty class where nobody told it."""
    row = plain.write(root, patient, format)
    return {k: row.get(k, "") for k in ("case", "patient", "image", "class", "scanner")}


def _quality(noise: float, conditions: Conditions) -> str:
    return grade(noise=noise, motion_mm=conditions.motion_mm, scatter=conditions.scatter)


def _assert_possible(index: int, seed: int, size: int, depth: int, shares: dict[str, float]) -> None:
    if index < 0 or seed < 0:
        raise DataError("a phantom's index and seed are not negative", found=f"{index} and {seed}")
    if not 32 <= size <= 512 or not (depth == 1 or 12 <= depth <= 512):
        raise DataError(
            "a PET phantom has 32 to 512 pixels a side, and one plane or 12 to 512",
            found=f"size {size}, depth {depth}",
            hint="size=96, or size=48 depth=24",
        )
    for name, value in shares.items():
        if not 0 <= value <= 1:
            raise DataError(f"option {name} of phantom pet lies from 0 to 1", found=f"{value:g}")
