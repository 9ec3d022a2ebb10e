"""OCT of a macula, one B-scan: layers in speckle, with drusen, with fluid under or within the retina, or without."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from vesalius.core.case import Case
from vesalius.core.errors import DataError
from vesalius.core.image import Array, Image
from vesalius.phantom.common import plain
from vesalius.phantom.common.output import as_json, put
from vesalius.phantom.common.picture import png
from vesalius.phantom.common.streams import stream
from vesalius.phantom.contract import Recipe, Row, SyntheticPatient
from vesalius.phantom.macula import findings as found
from vesalius.phantom.macula.findings import CLASSES, Cyst, Druse, Lens, which
from vesalius.phantom.macula.layers import LABELS, Eye, draw_boundaries, draw_eye, labelled, thickness_um
from vesalius.phantom.macula.scan import HIGH_UM, SCANNERS, Conditions, Scanner, draw_conditions, shown

__all__ = ["CLASSES", "LABELS", "OctPatient", "oracle", "patient", "texts", "twin", "write"]

FORMATS = ("png",)
OPTIONS = {"size": 256, "drusen": 0.45, "fluid": 0.4, "noise": 1.0, "second": 0.3}
FINDINGS = ("drusen", "fluid")


@dataclass(frozen=True, eq=False)
class OctPatient:
    """One B-scan: `picture` `(Y, X)` uint8, three quarters as high as wide, and `mask` by LABELS.

    `thickness_um` is the mean of the central millimetre, from the inner membrane to Bruch's.
    """

    id: str
    patient: str
    picture: Array
    mask: Array
    eye: Eye
    conditions: Conditions
    scanner: Scanner
    drusen: tuple[Druse, ...]
    lenses: tuple[Lens, ...]
    cysts: tuple[Cyst, ...]
    thickness_um: float

    @property
    def diagnosis(self) -> str:
        """Return normal, drusen or fluid: fluid where there is any."""
        return which(len(self.drusen), len(self.lenses) + len(self.cysts))

    @property
    def labels(self) -> tuple[str, ...]:
        """Return which findings there are."""
        there = bool(self.drusen), bool(self.lenses or self.cysts)
        return tuple(name for name, one in zip(FINDINGS, there, strict=True) if one)

    def as_case(self) -> Case:
        """Return the scan with its class, findings, mask and thickness, and the scanner as covariate and group."""
        return Case(
            self.id,
            {"image": Image(self.picture[None, None])},
            patient=self.patient,
            targets={
                "class": self.diagnosis,
                "findings": self.labels,
                "mask": Image(self.mask[None, None]),
                "thickness_um": self.thickness_um,
            },
            covariates={"scanner": self.scanner.name},
            group=self.scanner.name,
        )

    def truth(self) -> dict[str, Any]:
        """Return what is known, as plain JSON values."""
        pixels = {name: int((self.mask == value).sum()) for name, value in LABELS.items()}
        return {
            "id": self.id,
            "class": self.diagnosis,
            "findings": list(self.labels),
            "thickness_um": self.thickness_um,
            "drusen": [d.truth() for d in self.drusen],
            "fluid": [*(one.truth() for one in self.lenses), *(one.truth() for one in self.cysts)],
            "pixels": pixels,
            "um_a_row": round(HIGH_UM / len(self.picture), 4),
            "um_a_column": round(1000 * self.scanner.wide_mm / self.picture.shape[1], 4),
            "eye": self.eye.truth(),
            "scanner": self.scanner.name,
            "conditions": self.conditions.truth(),
        }


def patient(
    index: int,
    seed: int = 0,
    *,
    size: int = 256,
    drusen: float = 0.45,
    fluid: float = 0.4,
    noise: float = 1.0,
    second: float = 0.3,
) -> OctPatient:
    """Return patient number `index`: a scan of about 6 by 0.96 mm, `size` pixels wide and three quarters as high.

    A share `drusen` has drusen and a share `fluid` has fluid, each whatever the other. `noise` is the strength of the
    speckle, 0 for none. A share `second` is of scanner B, which averages fewer frames and is less sharp.

    Raises DataError for an option that is out of its range.
    """
    return _draw(index, seed, size, drusen, fluid, noise, second)


def twin(
    index: int,
    seed: int = 0,
    *,
    without: str,
    size: int = 256,
    drusen: float = 0.45,
    fluid: float = 0.4,
    noise: float = 1.0,
    second: float = 0.3,
) -> OctPatient:
    """Return the same macula with the same speckle, without drusen or without fluid."""
    return _draw(index, seed, size, drusen, fluid, noise, second, without)


def oracle(truth: Mapping[str, Any]) -> str:
    """Return the class from a patient's `truth`, without its `class`: fluid, else drusen, else normal."""
    return which(len(truth["drusen"]), len(truth["fluid"]))


def write(root: Path, patient: SyntheticPatient, format: str) -> Row:
    """Write a scan and its mask, and return the row of cohort.csv."""
    assert isinstance(patient, OctPatient)
    image, mask = f"images/{patient.id}.png", f"masks/{patient.id}.png"
    put(root / image, png(patient.picture))
    put(root / mask, png(patient.mask))
    return {
        "case": patient.id,
        "patient": patient.patient,
        "image": image,
        "mask": mask,
        "class": patient.diagnosis,
        **{name: "yes" if name in patient.labels else "no" for name in FINDINGS},
        "thickness_um": patient.thickness_um,
        "scanner": patient.scanner.name,
    }


def texts(recipe: Recipe, rows: Sequence[Row], truths: Sequence[Row]) -> Mapping[str, str]:
    """Return the README and the names of the mask's labels."""
    files = {
        "images/<case>.png": "the B-scan, grey, the vitreous above",
        "masks/<case>.png": "layers, drusen and fluid: " + ", ".join(f"{v} {k}" for k, v in LABELS.items()),
        "dataset.json": "the names of the mask's labels",
    }
    return plain.texts(recipe, rows, truths, files=files) | {
        "dataset.json": as_json({"labels": {"background": 0, **LABELS}})
    }


def _draw(
    index: int,
    seed: int,
    size: int,
    drusen: float,
    fluid: float,
    noise: float,
    second: float,
    without: str = "",
) -> OctPatient:
    _assert_possible(
        index,
        seed,
        size,
        {"drusen": (drusen, 1), "fluid": (fluid, 1), "noise": (noise, 3), "second": (second, 1)},
    )

    def draw(purpose: int) -> np.random.Generator:
        return stream(seed, index, purpose)

    who = draw(0).random(3)
    scanner = SCANNERS["B" if who[0] < second else "A"]
    heaps = found.draw_drusen(draw(1)) if who[1] < drusen and without != "drusen" else ()
    lenses, cysts = found.draw_fluid(draw(2)) if who[2] < fluid and without != "fluid" else ((), ())
    eye, conditions = draw_eye(draw(3)), draw_conditions(draw(4))
    high = 3 * size // 4
    x = ((np.arange(size) + 0.5) / size - 0.5) * scanner.wide_mm
    depth = (np.arange(high) + 0.5) * HIGH_UM / high
    bounds = draw_boundaries(eye, x, HIGH_UM, drusen=heaps, lenses=lenses, cysts=cysts)
    return OctPatient(
        f"oct-{index:04d}" + (f"-without-{without}" if without else ""),
        f"O{index:04d}",
        shown(bounds, cysts, conditions, scanner, x, depth, noise=noise, seed=lambda k: draw(10 + k)),
        labelled(bounds, cysts, x, depth),
        eye,
        conditions,
        scanner,
        heaps,
        lenses,
        cysts,
        round(thickness_um(bounds, x), 2),
    )


def _assert_possible(index: int, seed: int, size: int, ranges: Mapping[str, tuple[float, float]]) -> None:
    if index < 0 or seed < 0:
        raise DataError("a phantom's index and seed are not negative", found=f"{index} and {seed}")
    if not 64 <= size <= 1024:
        raise DataError("an OCT is 64 to 1024 pixels wide", found=f"size {size}", hint="size=256")
    for name, (value, most) in ranges.items():
        if not 0 <= value <= most:
            raise DataError(f"option {name} of phantom oct lies from 0 to {most:g}", found=f"{value:g}")
