"""What diabetes leaves in a retina, whatever its vessels' grade: microaneurysms, haemorrhages and exudates."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from vesalius.phantom.fundus.tree import DISC_MM, FOVEA

LESIONS = ("microaneurysm", "haemorrhage", "exudate")
OFTEN = {"microaneurysm": 0.85, "haemorrhage": 0.6, "exudate": 0.5}  # of eyes with diabetic retinopathy
SPOT_MM = (0.05, 0.085)  # radii of microaneurysms
BLOT_MM = (0.12, 0.36)
HARD_MM = (0.05, 0.13)  # of one exudate in a cluster
CLEAR_MM = 1.35 * DISC_MM  # nothing lies on the disc


@dataclass(frozen=True)
class Lesion:
    """One lesion: blobs `(x, y, radius)` in mm from the middle of the disc, and how strongly it is seen.

    `stretch` is how long a blob is along the rays from the disc, relative to its width: flame haemorrhages follow the
    nerve fibres.
    """

    label: str
    blobs: tuple[tuple[float, float, float], ...]
    strength: float
    stretch: float = 1.0

    def truth(self) -> dict[str, Any]:
        """Return it as plain JSON values."""
        return {
            "label": self.label,
            "blobs_mm": [list(b) for b in self.blobs],
            "strength": self.strength,
            "stretch": self.stretch,
        }


def draw_lesions(
    often: float, seed: Callable[[int], np.random.Generator], middle: tuple[float, float], reach_mm: float
) -> tuple[Lesion, ...]:
    """Return the lesions of an eye: a share `often` has some, of one sort at least.

    They lie within `reach_mm` of `middle`, the middle of the picture, in mm from the disc. `seed` gives a generator
    for whether there are any, and one for each sort.
    """
    first = seed(0)
    ill, drawn = first.random() < often, first.random(len(LESIONS))
    if not ill:
        return ()
    chances = np.array([OFTEN[label] for label in LESIONS])
    there = drawn < chances
    there[int(np.argmin(drawn - chances))] = True
    found: list[Lesion] = []
    for k, label in enumerate(LESIONS):
        if there[k]:
            found += _DRAWN[label](seed(1 + k), middle, reach_mm)
    return tuple(found)


def _microaneurysms(random: np.random.Generator, middle: tuple[float, float], reach: float) -> list[Lesion]:
    found = []
    for _ in range(3 + int(random.poisson(5))):
        x, y = _place(random, middle, reach)
        blob = (x, y, round(float(random.uniform(*SPOT_MM)), 4))
        found.append(Lesion("microaneurysm", (blob,), round(float(random.uniform(0.35, 0.6)), 3)))
    return found


def _haemorrhages(random: np.random.Generator, middle: tuple[float, float], reach: float) -> list[Lesion]:
    found = []
    for _ in range(1 + int(random.poisson(2.2))):
        x, y = _place(random, middle, reach)
        wide = float(np.exp(random.uniform(*np.log(BLOT_MM))))
        flame = random.random() < 0.35
        blobs = [(x, y, round(wide * (0.7 if flame else 1.0), 4))]
        for _ in range(int(random.integers(2, 6))):
            turn, far = float(random.uniform(0, 2 * math.pi)), wide * float(random.uniform(0.4, 0.9))
            size = wide * float(random.uniform(0.3, 0.7))
            blobs.append(
                (round(x + far * math.cos(turn), 4), round(y + far * math.sin(turn), 4), round(size, 4))
            )
        stretch = round(float(random.uniform(1.8, 3.0)), 3) if flame else 1.0
        strength = round(float(random.uniform(0.55, 0.95)), 3)
        found.append(Lesion("haemorrhage", tuple(blobs), strength, stretch))
    return found


def _exudates(random: np.random.Generator, middle: tuple[float, float], reach: float) -> list[Lesion]:
    """Return clusters, mostly around the fovea."""
    found = []
    for _ in range(1 + int(random.choice(3, p=(0.5, 0.3, 0.2)))):
        near = (FOVEA, 2.6) if random.random() < 0.6 else (middle, reach)
        x, y = _place(random, near[0], near[1], within=(middle, reach))
        spread, blobs = float(random.uniform(0.15, 0.5)), []
        for _ in range(int(random.integers(4, 13))):
            size = float(random.uniform(*HARD_MM))
            away = random.normal(0, spread, 2)
            blobs.append((round(x + float(away[0]), 4), round(y + float(away[1]), 4), round(size, 4)))
        found.append(Lesion("exudate", tuple(blobs), round(float(random.uniform(0.55, 0.9)), 3)))
    return found


def _place(
    random: np.random.Generator,
    middle: tuple[float, float],
    reach: float,
    within: tuple[tuple[float, float], float] | None = None,
) -> tuple[float, float]:
    """Return a point in the picture that is not on the disc."""
    (cx, cy), limit = within or (middle, reach)
    x, y = middle
    for _ in range(200):
        x, y = (float(v) for v in np.array(middle) + reach * random.uniform(-1, 1, 2))
        seen = math.hypot(x - cx, y - cy) < 0.9 * limit and math.hypot(x - middle[0], y - middle[1]) < reach
        if seen and math.hypot(x, y) > CLEAR_MM:
            return round(x, 4), round(y, 4)
    return round(cx + 0.5 * limit, 4), round(cy + 0.5 * limit, 4)


_DRAWN = {"microaneurysm": _microaneurysms, "haemorrhage": _haemorrhages, "exudate": _exudates}
