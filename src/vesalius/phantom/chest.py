"""Chest X-ray with nodules, consolidation, effusion, pneumothorax and large hearts at known places, and a report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from vesalius.core.case import Box, Case
from vesalius.core.errors import DataError
from vesalius.core.image import Array, Image
from vesalius.phantom.common import plain, tables
from vesalius.phantom.common.output import put
from vesalius.phantom.common.picture import png
from vesalius.phantom.common.streams import stream
from vesalius.phantom.contract import Recipe, Row, SyntheticPatient
from vesalius.phantom.reports import files as reported
from vesalius.phantom.reports.asked import asked_for, assert_unasked
from vesalius.phantom.reports.patient import DictatedPatient
from vesalius.phantom.thorax import findings as found
from vesalius.phantom.thorax.body import Person, Shape, draw_person, draw_shape
from vesalius.phantom.thorax.dictated import Look, dictated
from vesalius.phantom.thorax.film import Film, draw_film, shown
from vesalius.phantom.thorax.findings import FINDINGS as LABELS
from vesalius.phantom.thorax.findings import GRADES, Finding, severity, truth_of
from vesalius.phantom.thorax.report import draw_courses, write_report
from vesalius.phantom.thorax.scene import draw_scene
from vesalius.phantom.thorax.told import STRUCTURES

__all__ = [
    "GRADES", "LABELS", "ChestPatient", "cohort_truth", "oracle", "patient", "severity", "texts", "twin", "write",
]  # fmt: skip

FORMATS = ("png",)
OPTIONS = {
    "size": 192,
    "contrast": 1.0,
    "noise": 1.0,
    "healthy": 0.35,
    "reports": False,
    "styles": "1,2,3,4,5,6",
    "test_styles": "",
    "wrong_sides": 0.0,
    "earlier": 0.0,
}
FINDINGS = ("nodule", "consolidation", "effusion", "pneumothorax", "cardiomegaly")


@dataclass(frozen=True, eq=False)
class ChestPatient:
    """One film `(Y, X)` uint8, the patient's right side on its left; what is dense is bright.

    `boxes[k]` encloses what is seen of `findings[k]`. `courses` are how they went since an earlier film, if there is
    one.
    """

    id: str
    patient: str
    picture: Array
    person: Person
    shape: Shape
    film: Film
    findings: tuple[Finding, ...]
    boxes: tuple[Box, ...]
    heart: Box
    courses: Mapping[str, str] | None
    report: Mapping[str, str]

    @property
    def labels(self) -> tuple[str, ...]:
        """Return which findings there are, each once."""
        present = {f.label for f in self.findings}
        return tuple(name for name in FINDINGS if name in present)

    @property
    def severity(self) -> str:
        """Return the grade of the film: what `oracle` finds."""
        return severity([f.degree for f in self.findings])

    @property
    def report_text(self) -> str:
        """Return the report as one string in which each section begins with its name."""
        return " ".join(f"{name.upper()}: {text}" for name, text in self.report.items())

    def as_case(self) -> Case:
        """Return the film with its boxes, findings and severity, and who it is of as covariates."""
        return Case(
            self.id,
            {"image": Image(self.picture[None, None])},
            patient=self.patient,
            targets={
                "boxes": self.boxes,
                "findings": self.labels,
                "severity": self.severity,
                "age": self.person.age,
            },
            covariates={"age": self.person.age, "sex": self.person.sex, "view": self.person.view},
            report=self.report_text,
            group=self.film.site,
        )

    def truth(self) -> dict[str, Any]:
        """Return what is known, as plain JSON values; boxes are `(y0, x0, y1, x1)` in pixels, the end excluded."""
        return {
            "id": self.id,
            "age": self.person.age,
            "sex": self.person.sex,
            "view": self.person.view,
            "cardiothoracic_ratio": self.person.ratio,
            "seen_ratio": round(self.person.seen_ratio, 4),
            "heart_box": _corners(self.heart),
            **self.shape.truth(),
            "labels": list(self.labels),
            "severity": self.severity,
            "findings": [truth_of(f, _corners(b)) for f, b in zip(self.findings, self.boxes, strict=True)],
            "since_earlier": None if self.courses is None else dict(self.courses),
            "film": self.film.truth(),
            "report": dict(self.report),
        }


def patient(
    index: int,
    seed: int = 0,
    *,
    size: int = 192,
    contrast: float = 1.0,
    noise: float = 1.0,
    healthy: float = 0.35,
    reports: bool = False,
    styles: str | tuple[int, ...] = "1,2,3,4,5,6",
    test_styles: str | tuple[int, ...] = "",
    wrong_sides: float = 0.0,
    earlier: float = 0.0,
) -> ChestPatient | DictatedPatient:
    """Return patient number `index`: a film of 350 by 350 mm with `size` pixels a side.

    A share `healthy` has no finding. `contrast` multiplies how opaque findings are, `noise` the noise of the film.
    The severity follows from the findings by a rule, see `oracle`. With `reports` there are eight findings, structures
    and a report by one of several writers, as `Asked` has it of the options after it.

    Raises DataError for an option out of its range.
    """
    if reports:
        _assert_possible(index, seed, size, _ranges(contrast, noise, healthy))
        asked = asked_for(styles, test_styles, wrong_sides, earlier)
        return dictated(index, seed, asked, Look(size, contrast, noise), healthy=healthy)
    assert_unasked(styles, test_styles, wrong_sides, earlier)
    return _draw(index, seed, size, contrast, noise, healthy)


def twin(
    index: int,
    seed: int = 0,
    *,
    without: str,
    size: int = 192,
    contrast: float = 1.0,
    noise: float = 1.0,
    healthy: float = 0.35,
    reports: bool = False,
    styles: str | tuple[int, ...] = "1,2,3,4,5,6",
    test_styles: str | tuple[int, ...] = "",
    wrong_sides: float = 0.0,
    earlier: float = 0.0,
) -> ChestPatient | DictatedPatient:
    """Return the same patient without a finding; all else stays, but what lies in a lung that had shrunk moves back.

    Severity and report follow.
    """
    if reports:
        _assert_possible(index, seed, size, _ranges(contrast, noise, healthy))
        asked = asked_for(styles, test_styles, wrong_sides, earlier)
        return dictated(index, seed, asked, Look(size, contrast, noise), healthy=healthy, without=without)
    assert_unasked(styles, test_styles, wrong_sides, earlier)
    return _draw(index, seed, size, contrast, noise, healthy, without)


def oracle(truth: Mapping[str, Any]) -> str:
    """Return the severity by the rule from a patient's `truth`: 1 to 3 for each finding's degree, and their sum.

    0 is normal, 1 or 2 mild, 3 or 4 moderate, 5 and more severe.
    """
    return severity([GRADES.index(f["degree"]) for f in truth["findings"]])


def write(root: Path, patient: SyntheticPatient, format: str) -> Row | Sequence[Row]:
    """Write a film and return the row of cohort.csv, with a yes or no for each finding; of two films two rows."""
    if isinstance(patient, DictatedPatient):
        return reported.write(root, patient, format)
    assert isinstance(patient, ChestPatient)
    path = f"images/{patient.id}.png"
    put(root / path, png(patient.picture))
    return {
        "case": patient.id,
        "patient": patient.patient,
        "image": path,
        **{name: "yes" if name in patient.labels else "no" for name in FINDINGS},
        "severity": patient.severity,
        "age": patient.person.age,
        "sex": patient.person.sex,
        "view": patient.person.view,
        "site": patient.film.site,
        "report": patient.report_text,
    }


def texts(recipe: Recipe, rows: Sequence[Row], truths: Sequence[Row]) -> Mapping[str, str]:
    """Return the README and the table of boxes, and of a cohort with reports the tables of what is true and said."""
    if recipe.options["reports"]:
        return reported.texts(recipe, rows, truths, STRUCTURES)
    boxes = {
        t["id"]: [{"label": f["label"], "low": f["box"][:2], "high": f["box"][2:]} for f in t["findings"]]
        for t in truths
    }
    files = {
        "images/<case>.png": "the film, grey, the patient's right side on its left",
        "boxes.csv": f"a row a finding, and one without numbers where there is none: "
        f"{', '.join(tables.FLAT_COLUMNS)}, in pixels from 0 on, the high end excluded",
    }
    return plain.texts(recipe, rows, truths, files=files) | {"boxes.csv": tables.boxes_csv(boxes, flat=True)}


def cohort_truth(recipe: Recipe) -> dict[str, Any]:
    """Return what truth.json says of the cohort as a whole."""
    return reported.cohort_truth(recipe) if recipe.options["reports"] else plain.cohort_truth(recipe)


def _draw(
    index: int, seed: int, size: int, contrast: float, noise: float, healthy: float, without: str = ""
) -> ChestPatient:
    _assert_possible(index, seed, size, _ranges(contrast, noise, healthy))

    def draw(purpose: int) -> np.random.Generator:
        return stream(seed, index, purpose)

    names = tuple(n for n in found.draw_names(draw(1), healthy=healthy) if n != without)
    person = draw_person(draw(0))
    if "cardiomegaly" in names:
        person = replace(person, ratio=found.enlarged(draw(2)))
    shape = draw_shape(draw(3), person)
    scene = draw_scene(
        person,
        shape,
        [f for name in names for f in _FOUND[name](draw(4 + FINDINGS.index(name)), shape, person)],
        lambda purpose: draw(20 + purpose),
        size=size,
        contrast=contrast,
    )
    film = draw_film(draw(10), front=person.view == "AP")
    courses = draw_courses(draw(12), names)
    return ChestPatient(
        f"chest-{index:04d}" + (f"-without-{without}" if without else ""),
        f"C{index:04d}",
        shown(scene.water, film, draw(11), noise=noise),
        person,
        shape,
        film,
        scene.findings,
        tuple(_box(where, f.label) for f, where in zip(scene.findings, scene.marked, strict=True)),
        _box(scene.heart, "heart"),
        courses,
        write_report(draw(13), person, scene.findings, courses),
    )


_FOUND = {
    "nodule": lambda random, shape, person: found.nodules(random, shape),
    "consolidation": lambda random, shape, person: [found.consolidation(random, shape)],
    "effusion": lambda random, shape, person: [found.effusion(random, shape)],
    "pneumothorax": lambda random, shape, person: [found.pneumothorax(random)],
    "cardiomegaly": lambda random, shape, person: [found.large_heart(person)],
}


def _box(where: Array, label: str) -> Box:
    return tables.box_around(where, label, (slice(0, None), slice(0, None)))


def _corners(box: Box) -> list[int]:
    return [int(v) for v in (*box.low[1:], *box.high[1:])]


def _ranges(contrast: float, noise: float, healthy: float) -> dict[str, tuple[float, float]]:
    return {"contrast": (contrast, 4.0), "noise": (noise, 10.0), "healthy": (healthy, 1.0)}


def _assert_possible(index: int, seed: int, size: int, ranges: Mapping[str, tuple[float, float]]) -> None:
    if index < 0 or seed < 0:
        raise DataError("a phantom's index and seed are not negative", found=f"{index} and {seed}")
    if not 64 <= size <= 1024:
        raise DataError("a chest has 64 to 1024 pixels a side", found=f"size {size}", hint="size=192")
    for name, (value, most) in ranges.items():
        if not 0 <= value <= most:
            raise DataError(f"option {name} of phantom chest lies from 0 to {most:g}", found=f"{value:g}")
