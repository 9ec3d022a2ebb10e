"""CT, X-ray and MR of one body, with age, sex, a laboratory value and a text; whether its heart answers to therapy."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from vesalius.core.case import Case
from vesalius.core.errors import DataError, UnknownName
from vesalius.core.image import Array, Image
from vesalius.phantom.bodies.ct import SPACING_MM, calcium_mm3, draw_ct, half_width_mm, wall_mm
from vesalius.phantom.bodies.film import draw_film_of, ratio
from vesalius.phantom.bodies.mr import affine, draw_mr
from vesalius.phantom.bodies.response import COVARIATES, IMAGES, SEEN_IN, chance, draw_factors, told_by
from vesalius.phantom.bodies.words import draw_text
from vesalius.phantom.common import plain
from vesalius.phantom.common.nifti import nifti_gz
from vesalius.phantom.common.output import put
from vesalius.phantom.common.picture import png
from vesalius.phantom.common.streams import stream
from vesalius.phantom.contract import Recipe, Row, SyntheticPatient

__all__ = ["IMAGES", "SEEN_IN", "BodyPatient", "oracle", "patient", "texts", "write"]

FORMATS = ("nifti",)
OPTIONS = {"missing": 0.0}
DROPPED = (*IMAGES, "lab", "text")  # what may be missing
AGE, OLDER, MEDIAN, SPREAD = (
    66.0,
    9.0,
    1100.0,
    0.8,
)  # years a deviation; ng/l, and the spread of its logarithm
WHOLE = {  # sources taken together, beside each by itself
    "images": IMAGES,
    "covariates": COVARIATES,
    "all": tuple(SEEN_IN),
}


@dataclass(frozen=True, eq=False)
class BodyPatient:
    """One body: `ct` `(Z, Y, X)` int16 in HU, `xray` `(Y, X)` uint8 and `mr` `(Z, Y, X)` int16, each in its own frame.

    `missing` are the sources that its cohort lacks; they are drawn all the same. `scar` is its share of the muscle.
    """

    id: str
    patient: str
    factors: Mapping[str, float]
    ct: Array
    xray: Array
    mr: Array
    affines: Mapping[str, Array]
    scar: float
    text: str
    responds: bool
    missing: tuple[str, ...]

    @property
    def age(self) -> float:
        """Return the age in years."""
        return round(AGE + OLDER * self.factors["age"], 1)

    @property
    def sex(self) -> str:
        """Return F or M."""
        return "F" if self.factors["sex"] > 0 else "M"

    @property
    def lab(self) -> float:
        """Return NT-proBNP in ng/l."""
        return round(float(MEDIAN * np.exp(SPREAD * self.factors["lab"])), 1)

    @property
    def response(self) -> str:
        """Return yes or no."""
        return "yes" if self.responds else "no"

    def as_case(self) -> Case:
        """Return the images that are there, covariates, the text and the response; the first image is the reference."""
        images = {
            "ct": Image(self.ct[None], affine=self.affines["ct"], unit="HU"),
            "xray": Image(self.xray[None, None]),
            "mr": Image(self.mr[None], affine=self.affines["mr"]),
        }
        there = {name: image for name, image in images.items() if name not in self.missing}
        return Case(
            self.id,
            there,
            reference=next(iter(there)),
            patient=self.patient,
            targets={"response": self.response},
            covariates={
                "age": self.age,
                "sex": self.sex,
                "lab": None if "lab" in self.missing else self.lab,
            },
            texts={} if "text" in self.missing else {"text": self.text},
        )

    def truth(self) -> dict[str, Any]:
        """Return what is known, as plain JSON values.

        `told_by` is the chance of a response given what each source shows, given all images, all covariates, all
        sources, and all that are not missing (`there`).
        """
        there = tuple(name for name in SEEN_IN if name not in self.missing)
        sources = {name: (name,) for name in (*IMAGES, "text")} | WHOLE | {"there": there}
        return {
            "id": self.id,
            "response": self.response,
            "factors": dict(self.factors),
            "chance": round(chance(self.factors), 6),
            "told_by": {name: round(told_by(self.factors, some), 6) for name, some in sources.items()},
            "missing": list(self.missing),
            "wall_mm": round(wall_mm(self.factors), 3),
            "heart_half_width_mm": round(half_width_mm(self.factors), 3),
            "cardiothoracic_ratio": round(ratio(self.factors), 4),
            "calcium_mm3": round(calcium_mm3(self.factors), 2),
            "scar_share": round(self.scar, 5),
            "age": self.age,
            "sex": self.sex,
            "lab": self.lab,
            "text": self.text,
        }


def patient(index: int, seed: int = 0, *, missing: float = 0.0) -> BodyPatient:
    """Return patient number `index`: a CT of 24 by 48 by 48 voxels, a film of 96 by 96 pixels, an MR of 12 by 48 by 48.

    Each of CT, X-ray, MR, laboratory value and text is absent in a share `missing` of the patients, by itself; one of
    the images is always there, and so are age and sex. Whether a heart responds is drawn by a chance that follows from
    nine factors, each of which one source shows, or two; see `oracle`.

    Raises DataError for an option that is out of its range.
    """
    if index < 0 or seed < 0:
        raise DataError("a phantom's index and seed are not negative", found=f"{index} and {seed}")
    if not 0 <= missing <= 1:
        raise DataError("option missing of phantom multimodal lies from 0 to 1", found=f"{missing:g}")

    def draw(purpose: int) -> np.random.Generator:
        return stream(seed, index, purpose)

    factors = draw_factors(draw(0))
    responds = bool(draw(1).random() < chance(factors))
    mr, scar = draw_mr(factors, draw(6), draw(7))
    return BodyPatient(
        f"body-{index:05d}",
        f"B{index:05d}",
        factors,
        draw_ct(factors, draw(4), draw(5)),
        draw_film_of(factors, lambda purpose: draw(100 + purpose)),
        mr,
        _affines(draw(3)),
        scar,
        draw_text(factors, draw(8)),
        responds,
        _absent(draw(2), missing),
    )


def oracle(truth: Mapping[str, Any], sources: Collection[str] = tuple(SEEN_IN)) -> float:
    """Return the chance of a response given what those sources show, from a patient's `truth`: nothing can do better.

    `sources` are ct, xray, mr, age, sex, lab and text, also those that are missing. Raises UnknownName for another.
    """
    for name in sources:
        if name not in SEEN_IN:
            raise UnknownName("source of phantom multimodal", name, SEEN_IN)
    return told_by(truth["factors"], sources)


def write(root: Path, patient: SyntheticPatient, format: str) -> Row:
    """Write the images that are there, and return the row of cohort.csv; a cell of what is missing is empty."""
    assert isinstance(patient, BodyPatient)
    suffixes = {"ct": ".nii.gz", "xray": ".png", "mr": ".nii.gz"}
    row: Row = {"case": patient.id, "patient": patient.patient}
    for name, suffix in suffixes.items():
        row[name] = "" if name in patient.missing else f"images/{patient.id}-{name}{suffix}"
        if row[name]:
            put(root / row[name], _stored(patient, name))
    return row | {
        "age": patient.age,
        "sex": patient.sex,
        "lab": "" if "lab" in patient.missing else patient.lab,
        "text": "" if "text" in patient.missing else patient.text,
        "response": patient.response,
    }


def _stored(patient: BodyPatient, name: str) -> bytes:
    """Return the bytes of an image's file."""
    if name == "xray":
        return png(patient.xray)
    return nifti_gz(patient.ct if name == "ct" else patient.mr, patient.affines[name])


def texts(recipe: Recipe, rows: Sequence[Row], truths: Sequence[Row]) -> Mapping[str, str]:
    """Return the README."""
    files = {
        "images/<case>-ct.nii.gz": "a CT of the heart with contrast, HU",
        "images/<case>-xray.png": "a chest X-ray from behind, grey",
        "images/<case>-mr.nii.gz": "late enhancement across the left ventricle, in units of its own",
    }
    return plain.texts(recipe, rows, truths, files=files)


def _affines(random: np.random.Generator) -> dict[str, Array]:
    """Return where CT and MR lie, index (x, y, z) to LPS mm: each in a frame of its own, so that no grid is shared."""
    dz, dy, dx = SPACING_MM
    shift = [round(float(v), 1) for v in random.uniform((-160, -200, -900), (-80, -120, -500))]
    ct = np.array([[dx, 0, 0, shift[0]], [0, dy, 0, shift[1]], [0, 0, dz, shift[2]], [0, 0, 0, 1.0]])
    away = [round(float(v), 1) for v in random.uniform((-30, -60, -40), (60, 10, 60))]
    turn = round(float(random.normal(0, 0.15)), 4)
    return {"ct": ct, "mr": affine(turn, (away[0], away[1], away[2]))}


def _absent(random: np.random.Generator, share: float) -> tuple[str, ...]:
    """Return what is missing; where that would be all images, one of them is there."""
    drawn, kept = random.random(len(DROPPED)), int(random.integers(len(IMAGES)))
    gone = [name for name, u in zip(DROPPED, drawn, strict=True) if u < share]
    if all(name in gone for name in IMAGES):
        gone.remove(IMAGES[kept])
    return tuple(gone)
