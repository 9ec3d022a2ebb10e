"""Time courses of six regions without an image: four classes by the order in which the regions follow one another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from vesalius.core.case import Case
from vesalius.core.course import Course
from vesalius.core.errors import DataError
from vesalius.core.image import Array
from vesalius.phantom.common import plain
from vesalius.phantom.common.output import as_csv, put
from vesalius.phantom.common.streams import stream
from vesalius.phantom.contract import Recipe, Row, SyntheticPatient
from vesalius.phantom.regions import signals

__all__ = ["CLASSES", "CoursePatient", "oracle", "patient", "texts", "write"]

FORMATS = ("csv",)
OPTIONS = {"noise": 1.6}
CLASSES = tuple(signals.CLASSES)
DIGITS = 4


@dataclass(frozen=True, eq=False)
class CoursePatient:
    """One course: `values` `(T, 6)` of the regions at `times_s`, which are uneven, and its class.

    `noise` is that of each value; `chances` are those of each class given the course, by Bayes' rule.
    """

    id: str
    patient: str
    times_s: tuple[float, ...]
    values: Array
    kind: str
    noise: float

    @property
    def chances(self) -> dict[str, float]:
        """Return the chance of each class given the values, which no model can better."""
        return signals.chances(np.array(self.times_s), self.values, noise=self.noise)

    def as_case(self) -> Case:
        """Return the course with its class, and no image."""
        return Case(
            self.id,
            {},
            reference=None,
            patient=self.patient,
            targets={"class": self.kind},
            courses={"course": Course(self.values, signals.REGIONS, self.times_s)},
        )

    def truth(self) -> dict[str, Any]:
        """Return what is known, as plain JSON values."""
        told = {name: round(p, 6) for name, p in self.chances.items()}
        dorsal, ventral = signals.CLASSES[self.kind]
        return {
            "id": self.id, "class": self.kind, "dorsal": dorsal, "ventral": ventral, "lag_s": signals.LAG_S,
            "noise": self.noise, "times": len(self.times_s), "chances": told,
        }  # fmt: skip


def patient(index: int, seed: int = 0, *, noise: float = 1.6) -> CoursePatient:
    """Return patient number `index`: a course of one of four classes, each as often as another.

    `noise` is the spread of each value about a signal of spread 1.

    Raises DataError for an option that is out of its range.
    """
    if index < 0 or seed < 0:
        raise DataError("a phantom's index and seed are not negative", found=f"{index} and {seed}")
    if not 0.05 <= noise <= 10:
        raise DataError("option noise of phantom course lies from 0.05 to 10", found=f"{noise:g}")
    who, signal = stream(seed, index, 0), stream(seed, index, 1)
    kind = CLASSES[int(who.integers(len(CLASSES)))]
    times = signals.draw_times(who)
    values = np.round(signals.draw_values(signal, kind, times, noise=noise), DIGITS)
    return CoursePatient(
        f"course-{index:05d}", f"T{index:05d}", tuple(float(t) for t in times), values, kind, noise
    )


def oracle(truth: dict[str, Any]) -> dict[str, float]:
    """Return the chance of each class given the course alone, by Bayes' rule: no model's can be better."""
    return dict(truth["chances"])


def write(root: Path, patient: SyntheticPatient, format: str) -> Row:
    """Write a patient's course and return the row of cohort.csv."""
    assert isinstance(patient, CoursePatient)
    path = f"courses/{patient.id}.csv"
    rows = [
        {"time_s": f"{t:.2f}"}
        | {name: f"{v:.{DIGITS}f}" for name, v in zip(signals.REGIONS, values, strict=True)}
        for t, values in zip(patient.times_s, patient.values, strict=True)
    ]
    put(root / path, as_csv(rows).encode())
    return {"case": patient.id, "patient": patient.patient, "course": path, "class": patient.kind}


def texts(recipe: Recipe, rows: Sequence[Row], truths: Sequence[Row]) -> Mapping[str, str]:
    """Return the README."""
    words = f"`time_s`, and the signal of {', '.join(signals.REGIONS)} then"
    return plain.texts(recipe, rows, truths, files={"courses/<case>.csv": words})
