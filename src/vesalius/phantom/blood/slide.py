"""A slide and its site: how red cells are, how strongly it was stained, and how microscope and camera show it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

PIXEL_UM = 0.25
RED_UM = (
    5.6,
    9.4,
)  # the mean diameter of a slide's red cells: small and large ones, so that area is no count
GRADES = ("normal", "mild", "moderate", "severe")
LIMITS = (
    0.45,
    0.6,
    0.75,
)  # of the mean pallor of a slide's red cells: from each on, the next grade of hypochromia


@dataclass(frozen=True)
class Site:
    """A laboratory: its stains' strengths, how blue its red cells get, its lamp's colour, and its camera.

    `light` is the grey value (R, G, B) of an empty part of a slide, `blur_um` the spread of a point that is in focus.
    """

    name: str
    eosin: float
    azure: float
    blueness: float
    light: tuple[float, float, float]
    blur_um: float
    gamma: float


SITES = (
    Site("north", 1.0, 1.0, 0.06, (222.0, 226.0, 220.0), 0.22, 1.0),
    Site("south", 1.25, 0.85, 0.02, (238.0, 228.0, 214.0), 0.28, 1.1),
    Site("west", 0.8, 1.2, 0.14, (208.0, 216.0, 232.0), 0.18, 0.92),
)


@dataclass(frozen=True)
class Slide:
    """One person's slide. `red_um` and `pallor` are means over its red cells, `platelets`
    and `clumping`, of red cells, are relative to the usual.

    `defocus_um` adds to the site's blur, `eosin` and `azure` multiply the site's stains, `falloff` is how much darker
    a corner is than the middle of the light, which lies at `lamp` `(y, x)` as a share of the picture.
    """

    site: Site
    red_um: float
    pallor: float
    platelets: float
    clumping: float
    eosin: float
    azure: float
    defocus_um: float
    falloff: float
    lamp: tuple[float, float]

    @property
    def hypochromia(self) -> str:
        """Return the grade of how pale the red cells are."""
        return hypochromia(self.pallor)

    def truth(self) -> dict[str, Any]:
        """Return it as plain JSON values."""
        return asdict(self) | {"site": self.site.name, "lamp": list(self.lamp)}


def hypochromia(pallor: float) -> str:
    """Return normal, mild, moderate or severe, by the mean pallor of a slide's red cells and LIMITS."""
    return GRADES[sum(pallor >= limit for limit in LIMITS)]


def draw_slide(random: np.random.Generator, *, sites: Sequence[Site] = SITES) -> Slide:
    """Return a slide of one of the sites, each as often as another."""
    site = sites[int(random.integers(len(sites)))]

    def between(low: float, high: float) -> float:
        return round(float(random.uniform(low, high)), 4)

    pallor = between(0.3, 0.9)
    red_um = round(float(np.clip(random.normal(7.6 - 1.6 * max(pallor - 0.5, 0), 0.8), *RED_UM)), 3)
    return Slide(
        site,
        red_um,
        pallor,
        round(float(np.exp(random.normal(0, 0.4))), 4),
        between(0.2, 1.8),
        between(0.85, 1.15),
        between(0.85, 1.15),
        round(0.35 * float(random.random()) ** 2, 4),
        between(0.04, 0.2),
        (between(0.3, 0.7), between(0.3, 0.7)),
    )
