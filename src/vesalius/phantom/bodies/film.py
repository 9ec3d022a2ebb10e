"""A chest X-ray of the same person: the heart as wide as it is, and lungs that are congested or clear."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from scipy import ndimage

from vesalius.core.image import Array
from vesalius.phantom.thorax.body import SIDES, Person, draw_shape, grid
from vesalius.phantom.thorax.film import draw_film, shown
from vesalius.phantom.thorax.scene import draw_scene

SIZE = 96
LATTICE_MM, BASES_MM = 20.0, 36.0  # of water, at the most: thickened septa, and fluid at the bases


def ratio(factors: Mapping[str, float]) -> float:
    """Return the cardiothoracic ratio."""
    return 0.50 + 0.05 * factors["width"]


def draw_film_of(factors: Mapping[str, float], seed: Callable[[int], np.random.Generator]) -> Array:
    """Return a film `(Y, X)` uint8 of 350 by 350 mm; neither age nor sex is seen in it. `seed` gives a generator."""
    random = seed(0)
    scale, thick = float(random.normal(1.0, 0.025)), float(np.clip(random.normal(222, 15), 185, 265))
    person = Person(60.0, "M", "PA", round(scale, 4), round(thick, 1), round(ratio(factors), 4))
    shape = draw_shape(seed(1), person)
    scene = draw_scene(person, shape, (), lambda purpose: seed(20 + purpose), size=SIZE, contrast=1.0)
    y, x = grid(SIZE)
    amount = (factors["congestion"] + 2.2) / 4.4
    air = sum(shape.lung(side, y, x) * (y < shape.floor(side, x)) for side in SIDES) / 150
    air = ndimage.gaussian_filter(np.asarray(air, float), 0.6)
    random = seed(2)
    noise = ndimage.gaussian_filter(random.standard_normal((SIZE, SIZE)), 0.9, mode="wrap")
    lattice = np.clip(1.3 * np.abs(noise) / noise.std(), 0, 2.2)
    low = np.clip((y + 30) / 110, 0, 1)
    water = scene.water + amount * air * (LATTICE_MM * lattice * (0.5 + 0.5 * low) + BASES_MM * low**1.5)
    return shown(water, draw_film(seed(3), front=False), seed(4), noise=0.7)
