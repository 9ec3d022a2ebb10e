"""Optic discs over years, a picture a visit: does the disease begin within two years of the last visit?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from vesalius.core.case import Case, Visit
from vesalius.core.errors import DataError
from vesalius.core.image import Array, Image
from vesalius.phantom.common import plain
from vesalius.phantom.common.output import put
from vesalius.phantom.common.picture import png
from vesalius.phantom.common.streams import stream
from vesalius.phantom.contract import Recipe, Row, SyntheticPatient
from vesalius.phantom.nerve import disc, growth

__all__ = ["VisitsPatient", "oracle", "patient", "texts", "write"]

FORMATS = ("png",)
OPTIONS = {"size": 64, "missing": 0.0}
COLOURS = ("red", "green", "blue")
OUTCOMES = ("no", "yes")


@dataclass(frozen=True, eq=False)
class VisitsPatient:
    """One eye over years: `pictures` `(Y, X, 3)` uint8 in colour, one a visit or None where it is missing."""

    id: str
    patient: str
    pictures: tuple[Array | None, ...]
    course: growth.Growth

    @property
    def onset(self) -> str:
        """Return whether the disease begins within two years of the last visit."""
        return OUTCOMES[self.course.soon]

    def visit(self, k: int) -> str:
        """Return the id of a visit's case."""
        return f"{self.id}-{k + 1}" if k < len(self.pictures) - 1 else self.id

    def as_case(self) -> Case:
        """Return the last visit with its outcome, and the earlier ones, which have none."""
        days = self.course.days
        earlier = tuple(
            Visit(self._case(k, self.visit(k)), float(days[-1] - day)) for k, day in enumerate(days[:-1])
        )
        return self._case(len(days) - 1, self.id, earlier=earlier)

    def truth(self) -> dict[str, Any]:
        """Return what is known, as plain JSON values; days count from the first visit."""
        one = self.course
        return {
            "id": self.id, "patient": self.patient, "onset_2y": self.onset, "days": list(one.days),
            "cups": list(one.cups), "healthy_cup": one.healthy, "rate_per_year": one.rate,
            "begins_days": one.begins_days, "onset_days": one.onset_days,
            "ages": list(one.ages), "pressures": list(one.pressures),
            "pictures": [picture is not None for picture in self.pictures],
        }  # fmt: skip

    def _case(self, k: int, name: str, *, earlier: tuple[Visit, ...] = ()) -> Case:
        picture = self.pictures[k]
        last = k == len(self.pictures) - 1
        images = (
            {}
            if picture is None
            else {"image": Image(np.moveaxis(picture, -1, 0)[:, None], channels=COLOURS)}
        )
        return Case(
            name,
            images,
            reference="image" if images else None,
            patient=self.patient,
            targets={"onset_2y": self.onset} if last else {},
            covariates={"age": self.course.ages[k], "pressure": float(self.course.pressures[k])},
            earlier=earlier,
        )


def patient(index: int, seed: int = 0, *, size: int = 64, missing: float = 0.0) -> VisitsPatient:
    """Return patient number `index`: two to seven visits, with a picture of `size` pixels a side of each.

    The picture of a share `missing` of the visits before the last was not taken.

    Raises DataError for an option that is out of its range.
    """
    _assert_possible(index, seed, size, missing)
    course = growth.draw_growth(stream(seed, index, 0))
    own, lost = disc.draw_disc(stream(seed, index, 1)), stream(seed, index, 2).random(len(course.days))
    lost[-1] = 1  # the last is there
    pictures = [
        disc.picture(own, cup, stream(seed, index, 10 + k), size=size) if lost[k] >= missing else None
        for k, cup in enumerate(course.cups)
    ]
    return VisitsPatient(f"visits-{index:05d}", f"V{index:05d}", tuple(pictures), course)


def oracle(truth: dict[str, Any]) -> str:
    """Return the outcome by the true day of onset, as it is defined: nothing can do better."""
    onset = truth["onset_days"]
    return OUTCOMES[onset is not None and onset - truth["days"][-1] <= growth.WITHIN_DAYS]


def write(root: Path, patient: SyntheticPatient, format: str) -> list[Row]:
    """Write a patient's pictures and return a row of cohort.csv a visit; the last one alone has the outcome."""
    assert isinstance(patient, VisitsPatient)
    rows: list[Row] = []
    course, many = patient.course, len(patient.pictures)
    for k, picture in enumerate(patient.pictures):
        path = f"images/{patient.visit(k)}.png" if picture is not None else ""
        if picture is not None:
            put(root / path, png(picture))
        rows.append(
            {
                "case": patient.visit(k), "patient": patient.patient, "days": course.days[k], "image": path,
                "onset_2y": patient.onset if k == many - 1 else "", "age": course.ages[k],
                "pressure": course.pressures[k],
            }
        )  # fmt: skip
    return rows


def texts(recipe: Recipe, rows: Sequence[Row], truths: Sequence[Row]) -> Mapping[str, str]:
    """Return the README."""
    words = "a picture a visit, RGB; `days` in cohort.csv count from the first, and `onset_2y` is of the last"
    return plain.texts(recipe, rows, truths, files={"images/<case>.png": words})


def _assert_possible(index: int, seed: int, size: int, missing: float) -> None:
    if index < 0 or seed < 0:
        raise DataError("a phantom's index and seed are not negative", found=f"{index} and {seed}")
    if not 32 <= size <= 512:
        raise DataError(
            "a picture of a disc has 32 to 512 pixels a side", found=f"size {size}", hint="size=64"
        )
    if not 0 <= missing < 1:
        raise DataError("option missing of phantom visits lies from 0 to less than 1", found=f"{missing:g}")
