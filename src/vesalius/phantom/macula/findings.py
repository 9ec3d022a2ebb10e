"""What is found in a macula: drusen under the pigment epithelium, and fluid within the retina or under it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from vesalius.core.image import Array

FINDINGS = ("drusen", "fluid")
CLASSES = ("normal", "drusen", "fluid")
DRUSE_HIGH_UM, DRUSE_WIDE_MM = (28.0, 95.0), (0.10, 0.42)  # height, and half width
LENS_HIGH_UM, LENS_WIDE_MM = (45.0, 170.0), (0.35, 1.1)  # of fluid under the retina
CYST_HIGH_UM, CYST_WIDE_MM = (14.0, 60.0), (0.04, 0.16)  # half axes of fluid within it
HALF_SEEN_MM = 2.3  # findings lie within so much of the middle of the scan


@dataclass(frozen=True)
class Druse:
    """A heap under the pigment epithelium: its middle `x` and half its width in mm, and its height in µm."""

    x: float
    half: float
    high: float

    def truth(self) -> dict[str, Any]:
        """Return it as plain JSON values."""
        return asdict(self)

    def raises(self, x: Array) -> Array:
        """Return by how much the epithelium is raised at places `(X,)` in mm, in µm: a dome."""
        return np.asarray(self.high * np.exp(-(np.abs((x - self.x) / self.half) ** 2.6) * 0.9))


@dataclass(frozen=True)
class Lens:
    """Fluid between the photoreceptors and the pigment epithelium, flat below: as a druse, and wider."""

    x: float
    half: float
    high: float

    def truth(self) -> dict[str, Any]:
        """Return it as plain JSON values."""
        return {"kind": "subretinal"} | asdict(self)

    def raises(self, x: Array) -> Array:
        """Return how thick it is at places `(X,)` in mm, in µm: a parabola."""
        return np.asarray(self.high * np.clip(1 - ((x - self.x) / self.half) ** 2, 0, None))


@dataclass(frozen=True)
class Cyst:
    """Fluid within the retina: an ellipse in a layer, at a share `depth` of what lies between two boundaries.

    `x` and `half` are in mm, `high` is half its height in µm, `layer` the nuclear layer that it lies in.
    """

    x: float
    half: float
    high: float
    layer: str
    depth: float

    def truth(self) -> dict[str, Any]:
        """Return it as plain JSON values."""
        return {"kind": "intraretinal"} | asdict(self)

    def swells(self, x: Array) -> Array:
        """Return by how much its layer is thicker for it at places `(X,)` in mm, in µm."""
        return np.asarray(1.3 * self.high * np.exp(-(((x - self.x) / (1.5 * self.half + 0.15)) ** 2)))


def which(drusen: int, fluid: int) -> str:
    """Return the class of a scan: fluid before drusen, normal where there is neither."""
    return CLASSES[2 if fluid else 1 if drusen else 0]


def draw_drusen(random: np.random.Generator) -> tuple[Druse, ...]:
    """Return one to eight drusen, which may touch."""
    found = []
    for _ in range(1 + int(random.binomial(7, 0.35))):
        high = float(np.exp(random.uniform(*np.log(DRUSE_HIGH_UM))))
        half = float(random.uniform(*DRUSE_WIDE_MM)) * (0.6 + 0.4 * high / DRUSE_HIGH_UM[1])
        x = float(random.uniform(-HALF_SEEN_MM, HALF_SEEN_MM))
        found.append(Druse(round(x, 4), round(half, 4), round(high, 2)))
    return tuple(sorted(found, key=lambda one: one.x))


def draw_fluid(random: np.random.Generator) -> tuple[tuple[Lens, ...], tuple[Cyst, ...]]:
    """Return fluid under the retina, within it, or both."""
    lenses: list[Lens] = []
    cysts: list[Cyst] = []
    sort = int(random.choice(3, p=(0.35, 0.35, 0.3)))
    if sort != 1:
        half = float(random.uniform(*LENS_WIDE_MM))
        high = float(np.exp(random.uniform(*np.log(LENS_HIGH_UM))))
        lenses.append(Lens(round(float(random.uniform(-1.1, 1.1)), 4), round(half, 4), round(high, 2)))
    if sort != 0:
        middle = float(random.uniform(-1.0, 1.0))
        for _ in range(2 + int(random.binomial(9, 0.4))):
            high = float(np.exp(random.uniform(*np.log(CYST_HIGH_UM))))
            half = float(random.uniform(*CYST_WIDE_MM)) * (0.7 + 0.6 * high / CYST_HIGH_UM[1])
            layer = "outer nuclear" if random.random() < 0.55 else "inner nuclear"
            x = float(np.clip(random.normal(middle, 0.45), -HALF_SEEN_MM, HALF_SEEN_MM))
            depth = round(float(random.uniform(0.3, 0.7)), 3)
            cysts.append(Cyst(round(x, 4), round(half, 4), round(high, 2), layer, depth))
    return tuple(lenses), tuple(cysts)
