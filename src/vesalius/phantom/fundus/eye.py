"""Whose eye it is and which camera looked at it: colours, field of view, sharpness, and where things lie."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from vesalius.core.image import Array

RING = 0.94  # of a picture's side: the width of what the camera sees


@dataclass(frozen=True)
class Site:
    """A clinic and its camera.

    `light` is the grey value (R, G, B) of the retina between vessels, `disc` that of the disc, `spread` how much eyes
    differ (a standard deviation of the logarithm), `field_mm` how wide the field is, `beside_mm` how far from the disc
    towards the fovea its middle lies, `blur` the spread of a point in 256ths of the picture's side, `noise` the
    standard deviation of a pixel in grey values, `dim` how much darker the rim is, `striped` how strongly the vessels
    of the choroid show through, `blood` how much of red, green and blue it absorbs here, relative to site A.
    """

    name: str
    light: tuple[float, float, float]
    disc: tuple[float, float, float]
    spread: tuple[float, float, float]
    field_mm: float
    beside_mm: tuple[float, float]
    blur: float
    noise: float
    dim: float
    striped: float
    blood: tuple[float, float, float]


SITES = {  # like DRIVE's camera (45 degrees, towards the fovea) and CHASE_DB1's (30 degrees, at the disc)
    "A": Site(
        "A",
        (190.0, 100.0, 58.0),
        (250.0, 214.0, 134.0),
        (0.14, 0.16, 0.2),
        13.1,
        (1.6, 2.8),
        0.50,
        2.4,
        0.16,
        0.22,
        (1.0, 1.0, 1.0),
    ),
    "B": Site(
        "B",
        (196.0, 72.0, 14.0),
        (250.0, 158.0, 50.0),
        (0.2, 0.2, 0.3),
        9.4,
        (0.0, 0.6),
        0.65,
        3.0,
        0.42,
        0.30,
        (0.8, 1.35, 3.6),
    ),
}


@dataclass(frozen=True)
class View:
    """One picture: the site, which eye, and where the middle of the field lies, in mm from the disc.

    `turn` is how the head was held, in radians. `light` and `disc` are the eye's own colours, `tilt` from where the
    light comes (x, y), `defocus` and `striped` add to the site's blur and show of the choroid, `fovea` is how dark the
    fovea is, `cup` the radius of the disc's cup, relative to the disc's.
    """

    site: Site
    eye: str
    middle: tuple[float, float]
    turn: float
    light: tuple[float, float, float]
    disc: tuple[float, float, float]
    disc_mm: tuple[float, float]
    tilt: tuple[float, float]
    defocus: float
    striped: float
    fovea: float
    cup: float

    def mm_a_pixel(self, size: int) -> float:
        """Return how many millimetres a pixel has in a picture with `size` pixels a side."""
        return self.site.field_mm / (RING * size)

    def pixels(self, points: Array, size: int) -> Array:
        """Return where points `(N, 2)`, in mm `(x, y)` from the disc, lie in a picture: `(N, 2)` rows and columns."""
        x, y = (np.asarray(points, float) - np.array(self.middle)).T
        c, s = math.cos(self.turn), math.sin(self.turn)
        x, y = c * x - s * y, s * x + c * y
        x = -x if self.eye == "right" else x  # the temple is on the picture's left
        return np.asarray(np.stack([y, x], axis=1) / self.mm_a_pixel(size) + (size - 1) / 2)

    def places(self, size: int) -> Array:
        """Return where pixels lie, `(2, Y, X)`: x and y in mm from the disc."""
        away = (np.arange(size) - (size - 1) / 2) * self.mm_a_pixel(size)
        y, x = np.meshgrid(away, away, indexing="ij")
        x = -x if self.eye == "right" else x
        c, s = math.cos(self.turn), math.sin(self.turn)
        x, y = c * x + s * y, -s * x + c * y
        return np.asarray(np.stack([x + self.middle[0], y + self.middle[1]]), np.float32)

    def seen(self, size: int) -> Array:
        """Return how much of each pixel the camera sees, `(Y, X)` from 0 to 1: a disc."""
        away = np.arange(size) - (size - 1) / 2
        far = np.hypot(away[:, None], away[None])
        return np.asarray(np.clip(RING * size / 2 - far + 0.5, 0, 1))

    def truth(self) -> dict[str, Any]:
        """Return it as plain JSON values."""
        told = asdict(self) | {"site": self.site.name}
        return {k: list(v) if isinstance(v, tuple) else v for k, v in told.items()}


def draw_view(random: np.random.Generator, second: float) -> View:
    """Return how an eye was seen, by site B in a share `second`."""
    site = SITES["B" if random.random() < second else "A"]
    eye = "right" if random.random() < 0.5 else "left"
    middle = float(random.uniform(*site.beside_mm)), float(random.normal(0, 0.3))
    shared, own = random.normal(0, 0.85), random.normal(0, 0.4, 3)
    light = [v * math.exp(s * (shared + o)) for v, s, o in zip(site.light, site.spread, own, strict=True)]
    pale = float(random.normal(0, 0.06))
    disc = [max(min(v * math.exp(pale), 255.0), 1.15 * w) for v, w in zip(site.disc, light, strict=True)]
    return View(
        site,
        eye,
        (round(middle[0], 3), round(middle[1], 3)),
        round(float(random.normal(0, 0.1)), 4),
        _three(np.minimum(light, (235.0, 150.0, 110.0))),
        _three(np.minimum(disc, 254.0)),
        (round(float(random.uniform(0.8, 0.92)), 3), round(float(random.uniform(0.9, 1.02)), 3)),
        (round(float(random.normal(0, 0.06)), 4), round(float(random.normal(0, 0.05)), 4)),
        round(0.6 * float(random.random()) ** 2, 3),
        round(site.striped * float(random.random()) ** 2, 4),
        round(float(random.uniform(0.14, 0.34)), 4),
        round(float(random.uniform(0.3, 0.6)), 3),
    )


def _three(values: Array) -> tuple[float, float, float]:
    r, g, b = (round(float(v), 2) for v in values)
    return r, g, b
