"""A hole in the vault as a craniotomy leaves it: where it lies, how large it is, and in which shape."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vesalius.core.image import Array
from vesalius.core.saw import SHAPES, Saw, drawn_radii, frame_of
from vesalius.phantom.skulls import parameters as law
from vesalius.phantom.skulls.person import Person


@dataclass(frozen=True, eq=False)
class Hole:
    """A hole: the bone that it lies in, its shape, its diameter in mm, its walls' slope, and the saw in the head."""

    place: str
    shape: str
    diameter_mm: float
    bevel_deg: float
    saw: Saw


def draw_hole(random: np.random.Generator, person: Person) -> Hole:
    """Return a hole in a person's vault; one of four lies at the midline by intent, and others may reach it."""
    names = list(law.PLACES)
    place = names[int(random.choice(len(names), p=[law.PLACES[name][2] for name in names]))]
    shape = SHAPES[int(random.integers(len(SHAPES)))]
    diameter = float(random.uniform(law.DIAMETER_MM[0], law.MOST_MM[place]))
    way = _where(random, place, diameter)
    point, normal, _ = person.vault.surface(way[:, None])
    lean = np.tan(np.radians(random.normal(0, law.LEAN_DEG, 3)))
    axis = normal[:, 0] + lean - normal[:, 0] * float(lean @ normal[:, 0])
    axis = axis / np.linalg.norm(axis)
    bevel = float(random.uniform(*law.BEVEL_DEG))
    radii = drawn_radii(random, shape, radius_mm=diameter / 2)
    slope = float(np.tan(np.radians(bevel)))
    return Hole(
        place, shape, diameter, bevel, Saw(point[:, 0], axis, frame_of(axis), radii, slope, law.DEPTH_MM)
    )


def _where(random: np.random.Generator, place: str, diameter: float) -> Array:
    """Return the direction (3,) of a hole's middle: as high as its size needs to stay within the vault."""
    (front, back), (low, high), _ = law.PLACES[place]
    side = 1 if random.random() < 0.5 else -1
    turn, rise = random.uniform(front, back), random.uniform(low, high)
    at_midline = random.random() < law.MIDLINE and place != "temporal"
    aside = random.normal(0, 6.0)
    reach = float(np.degrees(diameter / 2 / 76.0))
    rise = max(rise, reach + law.FLOOR_DEG[place])
    if at_midline and place == "parietal":
        turn, rise = random.uniform(60, 120), 90 - abs(aside)
    elif at_midline:
        turn = aside if place == "frontal" else 180 + aside
    a, b = np.radians(side * turn), np.radians(min(rise, 90.0))
    return np.array([np.sin(a) * np.cos(b), -np.cos(a) * np.cos(b), np.sin(b)])
