"""Fundus photograph with vessels that are normal, pre-plus or plus, and lesions of diabetes, from two sites."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from vesalius.core.case import Box, Case
from vesalius.core.errors import DataError
from vesalius.core.image import Array, Image
from vesalius.phantom.common import plain, tables
from vesalius.phantom.common.output import as_json, put
from vesalius.phantom.common.picture import png
from vesalius.phantom.common.streams import stream
from vesalius.phantom.contract import Recipe, Row, SyntheticPatient
from vesalius.phantom.fundus.camera import laid, picture, spots
from vesalius.phantom.fundus.changes import LESIONS, Lesion, draw_lesions
from vesalius.phantom.fundus.eye import View, draw_view
from vesalius.phantom.fundus.grading import GRADES, Quadrant, calm, draw_quadrants, grade
from vesalius.phantom.fundus.tree import ARTERY, VEIN, Vessel, grow

__all__ = ["GRADES", "LESIONS", "SORTS", "RetinaPatient", "oracle", "patient", "texts", "twin", "write"]

FORMATS = ("png",)
OPTIONS = {"size": 256, "second": 0.4, "diabetic": 0.5, "contrast": 1.0, "noise": 1.0}
FINDINGS = ("plus", "microaneurysm", "haemorrhage", "exudate")
SORTS = (VEIN, ARTERY)  # the lower one first: arteries cross over veins
AGE = (22, 80)


@dataclass(frozen=True, eq=False)
class RetinaPatient:
    """One photograph: `picture` `(Y, X, 3)` uint8 in colour.

    `vessels` `(Y, X)` uint8 is 1 where at least half of a pixel is vessel, `sorts` which one lies on top (1 an artery,
    2 a vein), `changes` which lesion (1, 2, 3 as in LESIONS), `seen` is 1 inside of the field of view. `boxes[k]`
    encloses `lesions[k]` as far as it lies in the picture.
    """

    id: str
    patient: str
    age: float
    picture: Array
    vessels: Array
    sorts: Array
    changes: Array
    seen: Array
    boxes: tuple[Box, ...]
    quadrants: tuple[Quadrant, ...]
    tree: tuple[Vessel, ...]
    lesions: tuple[Lesion, ...]
    view: View

    @property
    def grade(self) -> str:
        """Return normal, pre-plus or plus."""
        return grade(self.quadrants)

    @property
    def labels(self) -> tuple[str, ...]:
        """Return which sorts of lesions there are, each once."""
        there = {x.label for x in self.lesions}
        return tuple(label for label in LESIONS if label in there)

    def as_case(self) -> Case:
        """Return the picture with the grade, the vessels' mask, boxes and names of the lesions, and the site."""
        return Case(
            self.id,
            {"image": Image(np.moveaxis(self.picture, -1, 0)[:, None])},
            patient=self.patient,
            targets={
                "plus_disease": self.grade,
                "vessel_mask": Image(self.vessels[None, None]),
                "boxes": self.boxes,
                "findings": self.labels,
            },
            covariates={"age": self.age, "eye": self.view.eye, "site": self.view.site.name},
            region=Image(self.seen[None, None]),
            group=self.view.site.name,
        )

    def truth(self) -> dict[str, Any]:
        """Return what is known, as plain JSON values; boxes are `(y0, x0, y1, x1)` in pixels, the end excluded."""
        size = len(self.picture)
        trunks = [v for v in self.tree if v.order == 0]
        inside = self.seen > 0
        middle, pit = self.view.pixels(np.array([[0.0, 0.0], [4.6, 0.35]]), size).round(2).tolist()
        return {
            "id": self.id,
            "plus_disease": self.grade,
            "quadrants": [q.truth() for q in self.quadrants],
            "trunks": [
                {
                    "sort": v.sort,
                    "quadrant": v.quadrant,
                    "tortuosity": v.tortuosity,
                    "calibre_um": round(2000 * float(v.radii[0]), 1),
                }
                for v in trunks
            ],
            "branches": len(self.tree) - len(trunks),
            "vessel_share": round(float(self.vessels[inside].mean()), 5),
            "mm_a_pixel": round(self.view.mm_a_pixel(size), 6),
            "disc_yx": middle,
            "fovea_yx": pit,
            "age": self.age,
            "view": self.view.truth(),
            "findings": list(self.labels),
            "lesions": [
                lesion.truth() | {"box": [int(v) for v in (*box.low[1:], *box.high[1:])]}
                for lesion, box in zip(self.lesions, self.boxes, strict=True)
            ],
        }


def patient(
    index: int,
    seed: int = 0,
    *,
    size: int = 256,
    second: float = 0.4,
    diabetic: float = 0.5,
    contrast: float = 1.0,
    noise: float = 1.0,
) -> RetinaPatient:
    """Return patient number `index`: a photograph with `size` pixels a side, each grade as often as another.

    A share `second` is of site B, whose pictures are redder, narrower (about 32 degrees instead of 45), around the disc
    and less sharp. A share `diabetic` has lesions, whatever the grade. `contrast` multiplies how much vessels and
    lesions are seen, `noise` the camera's noise. The grade follows by a rule from the vessels, see `oracle`.

    Raises DataError for an option that is out of its range.
    """
    return _draw(index, seed, size, second, diabetic, contrast, noise)


def twin(
    index: int,
    seed: int = 0,
    *,
    without: str,
    size: int = 256,
    second: float = 0.4,
    diabetic: float = 0.5,
    contrast: float = 1.0,
    noise: float = 1.0,
) -> RetinaPatient:
    """Return the same eye without a sort of lesions, or, without `plus`, with vessels that are narrow and straight."""
    return _draw(index, seed, size, second, diabetic, contrast, noise, without)


def oracle(truth: Mapping[str, Any]) -> str:
    """Return the grade by the rule from a patient's `truth`, without its `plus_disease`: nothing can do better."""
    return grade([Quadrant(q["name"], q["tortuosity"], q["calibre_um"]) for q in truth["quadrants"]])


def write(root: Path, patient: SyntheticPatient, format: str) -> Row:
    """Write a photograph and its masks, and return the row of cohort.csv, with a yes or no for each lesion."""
    assert isinstance(patient, RetinaPatient)
    name = f"{patient.id}.png"
    files = {
        "image": (f"images/{name}", patient.picture),
        "vessel_mask": (f"vessels/{name}", patient.vessels),
        "arteries_veins": (f"arteries_veins/{name}", patient.sorts),
        "changes": (f"changes/{name}", patient.changes),
        "region": (f"fields/{name}", patient.seen),
    }
    for path, plane in files.values():
        put(root / path, png(plane))
    return {
        "case": patient.id,
        "patient": patient.patient,
        **{column: path for column, (path, _) in files.items()},
        "plus_disease": patient.grade,
        **{label: "yes" if label in patient.labels else "no" for label in LESIONS},
        "age": patient.age,
        "eye": patient.view.eye,
        "site": patient.view.site.name,
    }


def texts(recipe: Recipe, rows: Sequence[Row], truths: Sequence[Row]) -> Mapping[str, str]:
    """Return the README, the table of boxes and the names of the vessels' mask."""
    boxes = {
        t["id"]: [{"label": x["label"], "low": x["box"][:2], "high": x["box"][2:]} for x in t["lesions"]]
        for t in truths
    }
    files = {
        "images/<case>.png": "the photograph, RGB",
        "vessels/<case>.png": "1 where there is a vessel",
        "arteries_veins/<case>.png": "1 where an artery is seen, 2 where a vein is; "
        "learned with `--column mask=arteries_veins`",
        "changes/<case>.png": "1 a microaneurysm, 2 a haemorrhage, 3 an exudate; learned with `--column mask=changes`",
        "fields/<case>.png": "1 inside of what the camera sees",
        "boxes.csv": f"a row a lesion, and one without numbers where there is none: "
        f"{', '.join(tables.FLAT_COLUMNS)}, in pixels from 0 on, the high end excluded",
    }
    names = {"labels": {"background": 0, "vessel": 1}}
    return plain.texts(recipe, rows, truths, files=files) | {
        "boxes.csv": tables.boxes_csv(boxes, flat=True),
        "dataset.json": as_json(names),
    }


def _draw(
    index: int,
    seed: int,
    size: int,
    second: float,
    diabetic: float,
    contrast: float,
    noise: float,
    without: str = "",
) -> RetinaPatient:
    shares = {"second": (second, 1.0), "diabetic": (diabetic, 1.0)}
    _assert_possible(index, seed, size, shares | {"contrast": (contrast, 3.0), "noise": (noise, 10.0)})

    def draw(purpose: int) -> np.random.Generator:
        return stream(seed, index, purpose)

    who = draw(0)
    wanted, age = int(who.integers(len(GRADES))), round(float(who.uniform(*AGE)), 1)
    view = draw_view(draw(1), second)
    quadrants = calm(draw(2)) if without == "plus" else draw_quadrants(draw(2), wanted)
    tree = grow(quadrants, lambda number: draw(1000 + number))
    found = draw_lesions(diabetic, lambda k: draw(4 + k), view.middle, view.site.field_mm / 2)
    lesions = tuple(x for x in found if x.label != without)
    layers = {sort: laid(tree, view, size, sort) for sort in SORTS}
    covered = spots(lesions, view, size)
    shown = picture(
        layers, lesions, covered, view, size=size, contrast=contrast, noise=noise, seed=lambda k: draw(10 + k)
    )
    seen = view.seen(size) >= 0.5
    artery, vein = (layers[sort][0] >= 0.5 for sort in (ARTERY, VEIN))
    changes = np.zeros((size, size), np.uint8)
    for lesion, (window, covers) in zip(lesions, covered, strict=True):
        changes[window][_inside(covers)] = LESIONS.index(lesion.label) + 1
    return RetinaPatient(
        f"retina-{index:04d}" + (f"-without-{without}" if without else ""),
        f"R{index:04d}",
        age,
        shown,
        ((artery | vein) & seen).astype(np.uint8),
        (np.where(artery, 1, np.where(vein, 2, 0)) * seen).astype(np.uint8),
        changes * seen.astype(np.uint8),
        seen.astype(np.uint8),
        tuple(
            tables.box_around(_inside(covers), x.label, window)
            for x, (window, covers) in zip(lesions, covered, strict=True)
        ),
        quadrants,
        tree,
        lesions,
        view,
    )


def _inside(covers: Array) -> Array:
    """Return the pixels that a lesion covers by half; the most covered one, where it is too small for that."""
    return np.asarray(covers >= min(0.5, float(covers.max())))


def _assert_possible(index: int, seed: int, size: int, ranges: Mapping[str, tuple[float, float]]) -> None:
    if index < 0 or seed < 0:
        raise DataError("a phantom's index and seed are not negative", found=f"{index} and {seed}")
    if not 64 <= size <= 1024:
        raise DataError("a retina has 64 to 1024 pixels a side", found=f"size {size}", hint="size=256")
    for name, (value, most) in ranges.items():
        if not 0 <= value <= most:
            raise DataError(f"option {name} of phantom retina lies from 0 to {most:g}", found=f"{value:g}")
