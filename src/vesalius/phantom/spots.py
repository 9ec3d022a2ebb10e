"""A faint round spot in noise, or noise alone, of people with sex, age and site; for one sex it can be fainter."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from vesalius.core.case import Case
from vesalius.core.errors import DataError
from vesalius.core.image import Array, Image
from vesalius.phantom.common.streams import stream

__all__ = ["RADIUS", "SpotsPatient", "auc", "oracle", "patient", "twin"]

FORMATS = ("png",)
OPTIONS = {"size": 28, "contrast": 24.0, "noise": 32.0, "gap": 0.0, "share": 0.5, "marker": 0.0}
FINDINGS = ("spot",)
RADIUS = 3.0  # of a spot, in pixels
GREY = 100.0  # of the ground
WORSE, BETTER = "F", "M"  # the sex that `gap` and `marker` are about, and the other
SITES = ("north", "south", "west")
_CORNER = 4  # pixels along each side of a marker


@dataclass(frozen=True, eq=False)
class SpotsPatient:
    """One picture `(Y, X)` uint8. `centre` `(y, x)` is where a spot lies, or would lie, in pixels.

    `contrast` is how much brighter a spot of this patient is than the ground, `noise` the standard deviation of a
    pixel. `marked` says whether a bright square stands in the upper left corner.
    """

    id: str
    patient: str
    picture: Array
    spot: bool
    sex: str
    age: float
    site: str
    centre: tuple[float, float]
    contrast: float
    noise: float
    marked: bool

    def as_case(self) -> Case:
        """Return the picture with its class, and with sex and age as covariates and the site as group."""
        return Case(
            self.id,
            {"image": Image(self.picture[None, None])},
            patient=self.patient,
            targets={"class": "spot" if self.spot else "none"},
            covariates={"sex": self.sex, "age": self.age, "site": self.site},
            group=self.site,
        )

    def truth(self) -> dict[str, Any]:
        """Return what is known, as plain JSON values."""
        return {
            "id": self.id, "spot": self.spot, "sex": self.sex, "age": self.age, "site": self.site,
            "centre_yx_pixels": list(self.centre), "radius_pixels": RADIUS, "contrast": self.contrast,
            "noise": self.noise, "marked": self.marked, "best_auc": auc(self.contrast, self.noise),
        }  # fmt: skip


def patient(
    index: int,
    seed: int = 0,
    *,
    size: int = 28,
    contrast: float = 24.0,
    noise: float = 32.0,
    gap: float = 0.0,
    share: float = 0.5,
    marker: float = 0.0,
) -> SpotsPatient:
    """Return patient number `index`; every other one has a spot.

    A `share` of the patients are of sex F. Their spots are fainter by `gap`, from 0 (as bright as others') to 1 (not
    to be seen). In that sex a bright corner marks pictures with a spot with the chance `marker`, and no others: a
    short cut that is right there and absent elsewhere. Age and site say nothing about the picture. Raises DataError
    for an option that is out of its range.
    """
    return _draw(index, seed, size, contrast, noise, gap, share, marker, spot=index % 2 == 1)


def twin(
    index: int,
    seed: int = 0,
    *,
    without: str,
    size: int = 28,
    contrast: float = 24.0,
    noise: float = 32.0,
    gap: float = 0.0,
    share: float = 0.5,
    marker: float = 0.0,
) -> SpotsPatient:
    """Return the same patient with the same noise, without the spot and without a mark."""
    return _draw(
        index, seed, size, contrast, noise, gap, share, marker, spot=False, name=f"-without-{without}"
    )


def oracle(of: SpotsPatient) -> float:
    """Return how much brighter the picture is where the spot lies, or would lie, than elsewhere, in grey levels.

    It reads the truth for the place, so nothing that only sees pixels does better, but for a marker.
    """
    inside = _inside(of.picture.shape[0], of.centre)
    return float(of.picture[inside].mean() - of.picture[~inside].mean())


def auc(contrast: float, noise: float) -> float:
    """Return the area under the ROC curve of who knows the place: Φ(d′ / √2), d′ = contrast · √n / noise.

    `n` is the number of pixels of a spot, and the ground's mean is taken for known (Green and Swets 1966).
    """
    pixels = math.pi * RADIUS**2
    return 0.5 * (1 + math.erf(contrast * math.sqrt(pixels) / noise / 2))


def _draw(
    index: int,
    seed: int,
    size: int,
    contrast: float,
    noise: float,
    gap: float,
    share: float,
    marker: float,
    *,
    spot: bool,
    name: str = "",
) -> SpotsPatient:
    _assert_possible(size, noise, {"gap": gap, "share": share, "marker": marker})
    who = stream(seed, index, 0)
    sex = WORSE if who.random() < share else BETTER
    age, site = round(float(who.uniform(20, 90)), 1), SITES[int(who.integers(len(SITES)))]
    y, x = (
        round(float(c), 3) for c in stream(seed, index, 1).uniform(RADIUS + _CORNER, size - 1 - RADIUS, 2)
    )
    own = contrast * (1 - gap) if sex == WORSE else contrast
    picture = stream(seed, index, 2).normal(GREY, noise, (size, size))
    marked = bool(spot and sex == WORSE and stream(seed, index, 3).random() < marker)
    if spot:
        picture[_inside(size, (y, x))] += own
    if marked:
        picture[:_CORNER, :_CORNER] = 255
    return SpotsPatient(
        f"spots-{index:04d}{name}", f"S{index:04d}", np.clip(np.rint(picture), 0, 255).astype(np.uint8),
        spot, sex, age, site, (y, x), own, noise, marked,
    )  # fmt: skip


def _inside(size: int, centre: tuple[float, float]) -> Array:
    y, x = np.ogrid[:size, :size]
    return np.asarray((y - centre[0]) ** 2 + (x - centre[1]) ** 2 <= RADIUS**2)


def _assert_possible(size: int, noise: float, shares: dict[str, float]) -> None:
    least = int(4 * RADIUS + 2 * _CORNER)
    if size < least or noise <= 0:
        raise DataError(
            "a picture of spots needs room and noise",
            found=f"size {size}, noise {noise:g}",
            hint=f"a size from {least} on and a noise above 0",
        )
    for name, value in shares.items():
        if not 0 <= value <= 1:
            raise DataError(f"option {name} of phantom spots lies from 0 to 1", found=f"{value:g}")
