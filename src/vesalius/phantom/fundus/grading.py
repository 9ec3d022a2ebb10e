"""The grade of an eye's vessels, normal, pre-plus or plus, from how wide and how tortuous they are in four quadrants.

As in the international classification of retinopathy of prematurity (ICROP, Chiang et al. 2021): plus disease is veins
that are dilated and arteries that are tortuous in two quadrants or more; pre-plus is more than normal and less than
that.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

GRADES = ("normal", "pre-plus", "plus")
QUADRANTS = ("superior temporal", "inferior temporal", "superior nasal", "inferior nasal")
TORTUOSITY = (0.07, 0.25)  # of the artery: from each on it is pre-plus, and then plus
CALIBRE_UM = (180.0, 220.0)  # of the vein at the disc: the same
ENOUGH = 2  # quadrants

# What is drawn for an aspect at each level: clear of the limits, so that a grade can be seen and not guessed.
TORTUOUS = ((0.008, 0.045), (0.10, 0.19), (0.32, 0.62))
WIDE_UM = ((138.0, 168.0), (188.0, 210.0), (232.0, 280.0))


@dataclass(frozen=True)
class Quadrant:
    """One quadrant: the tortuosity of its artery and the calibre of its vein at the disc, in µm.

    Tortuosity is the length of the vessel over that of its course without the waves, less 1.
    """

    name: str
    tortuosity: float
    calibre_um: float

    @property
    def level(self) -> int:
        """Return 0, 1 or 2: both aspects must be plus for a plus, and one pre-plus is enough for a pre-plus."""
        tortuous = sum(self.tortuosity >= t for t in TORTUOSITY)
        wide = sum(self.calibre_um >= t for t in CALIBRE_UM)
        return 2 if tortuous == wide == 2 else int(max(tortuous, wide) > 0)

    def truth(self) -> dict[str, Any]:
        """Return it as plain JSON values, with its level in words."""
        return asdict(self) | {"level": GRADES[self.level]}


def grade(quadrants: Sequence[Quadrant]) -> str:
    """Return the grade of an eye: plus where two quadrants are, else pre-plus where two are more than normal."""
    levels = [q.level for q in quadrants]
    if sum(level == 2 for level in levels) >= ENOUGH:
        return GRADES[2]
    return GRADES[1] if sum(level > 0 for level in levels) >= ENOUGH else GRADES[0]


def draw_quadrants(random: np.random.Generator, wanted: int) -> tuple[Quadrant, ...]:
    """Return the four quadrants of an eye whose grade has the number `wanted`."""
    order = random.permutation(len(QUADRANTS))
    levels = np.zeros(len(QUADRANTS), int)
    if wanted == 0:
        levels[order[: random.choice(2, p=(0.75, 0.25))]] = 1
    elif wanted == 1:
        levels[order[: random.choice((2, 3, 4), p=(0.25, 0.35, 0.4))]] = 1
        levels[order[: random.choice(2, p=(0.85, 0.15))]] = 2
    else:
        levels[order] = random.choice(2, size=len(order), p=(0.2, 0.8))
        levels[order[: random.choice((2, 3, 4), p=(0.25, 0.3, 0.45))]] = 2
    found = []
    for name, level in zip(QUADRANTS, levels, strict=True):
        tortuous, wide = _aspects(random, int(level))
        found.append(
            Quadrant(
                name,
                round(float(random.uniform(*TORTUOUS[tortuous])), 4),
                round(float(random.uniform(*WIDE_UM[wide])), 1),
            )
        )
    return tuple(found)


def calm(random: np.random.Generator) -> tuple[Quadrant, ...]:
    """Return four normal quadrants."""
    return tuple(
        Quadrant(
            name,
            round(float(random.uniform(*TORTUOUS[0])), 4),
            round(float(random.uniform(*WIDE_UM[0])), 1),
        )
        for name in QUADRANTS
    )


def _aspects(random: np.random.Generator, level: int) -> tuple[int, int]:
    """Return the levels of tortuosity and calibre of a quadrant: of a pre-plus one mostly both, else one of them."""
    pairs = ((1, 1), (1, 0), (0, 1), (2, 1), (1, 2))
    drawn = pairs[int(random.choice(len(pairs), p=(0.6, 0.14, 0.14, 0.06, 0.06)))]
    return drawn if level == 1 else (level, level)
