"""The film: X-rays behind a chest, with scatter, blur and noise, and how a site shows their logarithm."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from scipy import ndimage

from vesalius.core.image import Array
from vesalius.phantom.thorax.body import FIELD_MM

WEAKENED_PER_MM = 0.0175  # of water, for a tube voltage of about 120 kV
SCATTER = 0.30  # the share of what reaches the film that was scattered, smooth over SCATTER_MM
SCATTER_MM = 45.0


@dataclass(frozen=True)
class Film:
    """One exposure: `photons` a pixel of 2 mm where nothing lies in the way, relative to a good one, and its display.

    `evened` is how much of the slow changes over the film the display takes out, `gamma` its curve, `blur_mm` the
    spread of a point.
    """

    site: str
    photons: float
    evened: float
    gamma: float
    blur_mm: float
    window: tuple[float, float]

    def truth(self) -> dict[str, Any]:
        """Return it as plain JSON values."""
        return asdict(self) | {"window": list(self.window)}


SITES = {"A": (0.45, 1.0, 0.7), "B": (0.25, 0.85, 0.9), "C": (0.55, 1.15, 0.6)}


def draw_film(random: np.random.Generator, *, front: bool) -> Film:
    """Return how a film is exposed and shown; those from the front, on the ward, have fewer photons and more blur."""
    site = str(random.choice(list(SITES)))
    evened, gamma, blur = SITES[site]
    exposure = float(np.exp(random.normal(0, 0.35))) * (0.5 if front else 1.0)
    window = round(float(random.uniform(0.4, 2.5)), 3), round(float(random.uniform(97.5, 99.6)), 3)
    return Film(
        site,
        round(exposure, 4),
        round(evened + float(random.uniform(-0.08, 0.08)), 4),
        round(gamma * float(random.uniform(0.9, 1.1)), 4),
        round(blur * (1.25 if front else 1.0), 3),
        window,
    )


def shown(water: Array, film: Film, random: np.random.Generator, *, noise: float) -> Array:
    """Return grey values `(Y, X)` uint8 of a chest in mm of water: what is dense is bright."""
    pixel = FIELD_MM / len(water)
    rays = np.exp(-WEAKENED_PER_MM * water)
    scattered = ndimage.gaussian_filter(rays, SCATTER_MM / pixel, mode="nearest")
    through = (1 - SCATTER) * rays + SCATTER * np.minimum(scattered, 4 * rays + 0.3 * scattered)
    through = ndimage.gaussian_filter(through, film.blur_mm / pixel, mode="nearest")
    photons = 1.2e5 * film.photons * (pixel / 2) ** 2 / max(noise, 1e-3) ** 2
    counted = through + np.sqrt(through / photons) * random.standard_normal(water.shape)
    dark = -np.log(np.clip(counted, 0.2 * float(through.min()), None))
    even = dark - film.evened * ndimage.gaussian_filter(dark, 55 / pixel, mode="nearest")
    inner = even[len(even) // 12 : -len(even) // 12, len(even) // 12 : -len(even) // 12]
    low, high = np.percentile(inner, film.window)
    grey = np.clip((even - low) / (high - low), 0, 1) ** film.gamma
    return np.asarray(np.rint(255 * grey).astype(np.uint8))
