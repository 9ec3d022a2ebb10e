"""Contrast arriving in a slice of a liver, at uneven times: lesions that are benign or malignant by their wash-out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from vesalius.core.case import Case
from vesalius.core.errors import DataError
from vesalius.core.image import Array, Image
from vesalius.phantom.common import cines, plain
from vesalius.phantom.common.output import as_json, put
from vesalius.phantom.common.picture import png
from vesalius.phantom.common.streams import stream
from vesalius.phantom.contract import Recipe, Row, SyntheticPatient
from vesalius.phantom.contrast import kinetics, plane

__all__ = ["DynamicPatient", "oracle", "patient", "texts", "write"]

FORMATS = ("npz", "dicom")
OPTIONS = {"size": 64, "noise": 1.0}


@dataclass(frozen=True, eq=False)
class DynamicPatient:
    """One series: `frames` `(T, Y, X)` uint8 at `times_s`, uneven, and `mask` `(Y, X)`: 1 benign, 2 malignant, else 0.

    A case is malignant where one of its lesions is.
    """

    id: str
    patient: str
    frames: Array
    times_s: tuple[float, ...]
    spacing_mm: float
    mask: Array
    lesions: tuple[kinetics.Lesion, ...]
    injection: kinetics.Injection
    site: plane.Site

    @property
    def kind(self) -> str:
        """Return the case's class."""
        return max((one.kind for one in self.lesions), key=kinetics.KINDS.index)

    def as_case(self) -> Case:
        """Return the series with its class, the mask of its lesions, and the site as covariate and group."""
        spacing = (self.spacing_mm, self.spacing_mm, 1.0)
        return Case(
            self.id,
            {"image": Image(self.frames[:, None, None], spacing_mm=spacing, times_s=self.times_s)},
            patient=self.patient,
            targets={"class": self.kind, "mask": Image(self.mask[None, None], spacing_mm=spacing)},
            covariates={"site": self.site.name},
            group=self.site.name,
        )

    def truth(self) -> dict[str, Any]:
        """Return what is known, as plain JSON values; `contrast` is a lesion's at each frame, over the liver's mean."""
        times = np.array(self.times_s)
        liver = self.injection.liver(times)
        found = []
        for k, one in enumerate(self.lesions):
            curve = one.curve(self.injection, times) / liver.mean()
            found.append({"number": k + 1, **one.truth(), "contrast": [round(float(v), 4) for v in curve]})
        return {
            "id": self.id, "class": self.kind, "site": self.site.name, "times_s": list(self.times_s),
            "arrives_s": self.injection.arrives_s, "wide_s": self.injection.wide_s, "dose": self.injection.dose,
            "liver": [round(float(v / liver.mean()), 4) for v in liver], "lesions": found,
        }  # fmt: skip


def patient(index: int, seed: int = 0, *, size: int = 64, noise: float = 1.0) -> DynamicPatient:
    """Return patient number `index`: a series of `size` pixels a side with one or two lesions.

    `noise` multiplies what every frame has anew. Half of the cases are malignant. No single frame tells which, nor
    does the mean over time: the lesion's course does.

    Raises DataError for an option that is out of its range.
    """
    _assert_possible(index, seed, size, noise)
    who, body, timing, taking = (stream(seed, index, k) for k in range(4))
    lesions = plane.draw_lesions(who, kinetics.KINDS[int(who.integers(2))])
    injection, times = kinetics.draw_injection(timing), kinetics.draw_times(timing)
    site = plane.SITES[int(taking.integers(len(plane.SITES)))]
    here = plane.draw_slice(body, lesions, size)
    labels = np.array([0, *(1 + kinetics.KINDS.index(one.kind) for one in lesions)], np.uint8)
    drawn = plane.frames(here, lesions, injection, times, site=site, noise=noise, random=taking)
    return DynamicPatient(
        f"dynamic-{index:05d}",
        f"D{index:05d}",
        drawn,
        tuple(float(t) for t in times),
        plane.FIELD_MM / size,
        labels[here.labels()],
        lesions,
        injection,
        site,
    )


def oracle(truth: dict[str, Any]) -> str:
    """Return the class by the true wash-out of each lesion, as it is defined: nothing can do better."""
    kinds = [kinetics.kind_of(lesion["wash_out"]) for lesion in truth["lesions"]]
    return max(kinds, key=kinetics.KINDS.index)


def write(root: Path, patient: SyntheticPatient, format: str) -> Row:
    """Write a patient's series and mask and return the row of cohort.csv."""
    assert isinstance(patient, DynamicPatient)
    path = f"images/{patient.id}" + (".npz" if format == "npz" else ".dcm")
    spacing = (patient.spacing_mm, patient.spacing_mm)
    if format == "npz":
        data = cines.npz(patient.frames, spacing, patient.times_s)
    else:
        data = cines.dicom(
            patient.frames, spacing, patient.times_s, patient=patient.patient, case=patient.id,
            words="Liver with contrast (synthetic)",
        )  # fmt: skip
    put(root / path, data)
    mask = f"masks/{patient.id}.png"
    put(root / mask, png(patient.mask))
    return {
        "case": patient.id, "patient": patient.patient, "image": path, "mask": mask, "class": patient.kind,
        "site": patient.site.name,
    }  # fmt: skip


def texts(recipe: Recipe, rows: Sequence[Row], truths: Sequence[Row]) -> Mapping[str, str]:
    """Return the README, and dataset.json with the labels of the masks."""
    labels = {"background": 0} | {kind: k + 1 for k, kind in enumerate(kinetics.KINDS)}
    files = {
        "images/<case>": "the frames with their times",
        "masks/<case>.png": ", ".join(f"{value} {name}" for name, value in labels.items()),
    }
    return plain.texts(recipe, rows, truths, files=files) | {
        "dataset.json": as_json({"name": "Synthetic liver with contrast", "labels": labels})
    }


def _assert_possible(index: int, seed: int, size: int, noise: float) -> None:
    if index < 0 or seed < 0:
        raise DataError("a phantom's index and seed are not negative", found=f"{index} and {seed}")
    if not 32 <= size <= 512:
        raise DataError("a dynamic series has 32 to 512 pixels a side", found=f"size {size}", hint="size=64")
    if not 0 <= noise <= 10:
        raise DataError("option noise of phantom dynamic lies from 0 to 10", found=f"{noise:g}")
