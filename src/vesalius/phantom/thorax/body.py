"""A chest as an X-ray sees it: how many millimetres of tissue, air and bone lie on the way to each pixel.

Coordinates are millimetres from the middle of the film: x to the patient's left, which is to the right in the picture,
and y to the feet. `side` is −1 for the right lung and +1 for the left one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from vesalius.core.image import Array

FIELD_MM = 350.0
SIDES: dict[int, str] = {-1: "right", 1: "left"}
View = Literal["PA", "AP"]
MEDIAL_MM = 27.0  # from the midline to each lung
LARGE = 0.5  # the cardiothoracic ratio above which a heart is enlarged
AP_LARGER = 1.1  # how much wider a heart looks from the front, where it lies farther from the film


@dataclass(frozen=True)
class Person:
    """Whose chest it is, and how the film was taken. `ratio` is the heart's width over the chest's inner width."""

    age: float
    sex: Literal["F", "M"]
    view: View
    scale: float
    thickness_mm: float
    ratio: float

    @property
    def seen_ratio(self) -> float:
        """Return the cardiothoracic ratio as it is seen on the film."""
        return self.ratio * (AP_LARGER if self.view == "AP" else 1.0)


@dataclass(frozen=True)
class Shape:
    """Where things lie in one chest, in mm: half the width of each lung, its apex, its dome by side, and the heart."""

    half: float
    apex: float
    dome: tuple[float, float]
    depth: float
    heart: tuple[float, float, float, float]
    aorta: float
    ribs: float

    def width(self, y: Array | float) -> Array:
        """Return half the width of a lung at a height."""
        grown = np.clip((np.asarray(y) - self.apex) / 150, 0, 1)
        return np.asarray(self.half * (0.55 + 0.45 * grown * (2 - grown)))

    def floor(self, side: int, x: Array) -> Array:
        """Return the height of the diaphragm below a lung."""
        u = (side * x - MEDIAL_MM - 0.8 * self.half) / self.half
        return np.asarray(self.dome[(side + 1) // 2] + np.where(u > 0, 26, 8) * u**2)

    def lung(self, side: int, y: Array, x: Array) -> Array:
        """Return how many mm of one lung lie at points above the diaphragm, without the heart; 0 outside."""
        half = self.width(y)
        across = np.abs(side * x - MEDIAL_MM - half) / half
        middle = self.apex + 110
        up = np.clip((middle - y) / 110, 0, None)
        inside = np.clip(1 - across**2.6 - up**2.6, 0, None)
        return np.asarray(self.depth * inside**0.42)

    def truth(self) -> dict[str, Any]:
        """Return the heart's place as plain JSON values."""
        y, x, half_y, half_x = self.heart
        return {"heart_mm": {"y": y, "x": x, "half_height": half_y, "half_width": half_x}}


def draw_person(random: np.random.Generator) -> Person:
    """Return a person of 18 to 92 years; three films in ten are taken from the front, mostly of the older."""
    age = round(float(random.uniform(18, 92)), 1)
    male = bool(random.random() < 0.5)
    front = bool(random.random() < 0.15 + 0.003 * (age - 18))
    scale = float(np.clip(random.normal(1.03 if male else 0.96, 0.035), 0.86, 1.12))
    ratio = float(np.clip(random.normal(0.43 + 0.0004 * (age - 50), 0.025), 0.36, 0.49))
    thick = float(np.clip(random.normal(225, 22), 175, 290))
    return Person(
        age, "M" if male else "F", "AP" if front else "PA", round(scale, 4), round(thick, 1), round(ratio, 4)
    )


def draw_shape(random: np.random.Generator, person: Person) -> Shape:
    """Return where things lie in a person's chest; the aorta widens with age, as it does."""

    def near(value: float, sd: float) -> float:
        return float(value + sd * np.clip(random.normal(), -2, 2))

    half = near(60, 1.6) * person.scale
    apex = near(-132, 4) * person.scale
    breath = near(0, 8) - (12 if person.view == "AP" else 0)
    right = near(88, 3) * person.scale + breath
    dome = (right, right + near(11, 4))
    inner = 2 * (MEDIAL_MM + 2 * half)
    wide = person.seen_ratio * inner
    tall = near(0.40, 0.02) * wide + 14
    heart = (dome[1] - 0.62 * tall + 6, 0.16 * wide, tall, wide / 2)
    aorta = near(12 + 0.14 * (person.age - 20), 1.2)
    return Shape(half, apex, dome, 150 * person.scale, heart, aorta, near(26.5, 0.6) * person.scale)


def grid(size: int) -> tuple[Array, Array]:
    """Return y and x in mm of the pixels of a film, each `(size, size)`."""
    along = (np.arange(size) + 0.5) * FIELD_MM / size - FIELD_MM / 2
    y, x = np.meshgrid(along, along, indexing="ij")
    return y, x


def soft(distance: Array, width: float) -> Array:
    """Return 1 well below 0 and 0 well above it, with an edge of about `width` mm."""
    return np.asarray(1 / (1 + np.exp(np.clip(distance / width * 4, -40, 40))))


def heart_profile(shape: Shape, y: Array, x: Array) -> Array:
    """Return from 0 outside to 1 in the thickest part of the heart: an egg that leans to the left."""
    cy, cx, half_y, half_x = shape.heart
    v = (y - cy) / half_y
    u = (x - cx - 0.18 * (y - cy)) / (half_x * (0.92 + 0.08 * np.clip(v, -1, 1)))
    return np.asarray(np.sqrt(np.clip(1 - u**2 - v**2, 0, None)))


def trunk(person: Person, y: Array, x: Array) -> Array:
    """Return how thick the trunk, the neck and the shoulders are, in mm, as if there were no air in them."""
    wide = 170 * person.scale + 0.2 * (person.thickness_mm - 200)
    shoulders = wide + 70 * soft(y + 95 * person.scale, 50)
    chest = person.thickness_mm * np.clip(1 - np.abs(x / shoulders) ** 2.5, 0, None) ** 0.5
    top = -153 * person.scale + 10 * np.abs(x / 100) + 30 * (np.abs(x) / 175) ** 6
    chest = chest * soft(top - y, 24)
    neck = 120 * np.sqrt(np.clip(1 - (x / 58) ** 2, 0, None)) * soft(y - top, 30)
    return np.asarray(chest + neck)


def breasts(person: Person, y: Array, x: Array, random: np.random.Generator) -> Array:
    """Return the thickness of a woman's breasts; nothing in a man."""
    thick, low = float(random.uniform(14, 42)), float(random.uniform(38, 62))
    if person.sex == "M":
        return np.zeros_like(y)
    found = np.zeros_like(y)
    for side in SIDES:
        inside = 1 - ((x - side * 84) / 68) ** 2 - ((y - low) / np.where(y > low, 46, 95)) ** 2
        found += thick * np.clip(inside, 0, None) ** np.where(y > low, 0.9, 1.6)
    return found
