"""Incidental findings of an abdominal CT: stones, renal cysts, pleural fluid, a lymph node, calcium, a fatty liver."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from vesalius.core.finding import Side
from vesalius.core.image import Array
from vesalius.phantom.abdomen.anatomy import Anatomy, Blob
from vesalius.phantom.abdomen.tissue import ALL, Canvas, Densities

OFTEN = {
    "stone": 0.28,
    "renal cyst": 0.25,
    "effusion": 0.28,
    "lymph node": 0.25,
    "calcification": 0.3,
    "steatosis": 0.28,
}
SIDES: dict[int, Side] = {-1: "right", 1: "left"}
STONE_MM, CYST_MM, NODE_MM = (6.0, 14.0), (18.0, 38.0), (14.0, 30.0)  # diameters, uniform in the logarithm
STONE_HU, FLUID_HU, NODE_HU, CALCIUM_HU = 1100.0, 8.0, 80.0, 800.0
DEEP_MM = (24.0, 70.0)  # of pleural fluid, from the back
PLAQUES = (3, 10)
FATTY_HU = (50.0, 82.0)  # of a liver with steatosis
LEAN_HU = 104.0  # the least of any other
AIR_HU = -400.0


@dataclass(frozen=True)
class Incidental:
    """One finding beside the lesions of the liver. `side` is −1, +1 or 0, `amount` its size, as its kind measures it.

    That is a diameter in mm of stones, cysts and nodes, the depth of fluid in mm, the number of plaques, and how much
    darker than 100 HU a liver is. `at` are numbers from 0 to 1 that say where it lies.
    """

    kind: str
    side: int
    amount: float
    at: tuple[float, ...]


def draw_incidentals(name: str, random: np.random.Generator) -> tuple[Incidental, ...]:
    """Return one finding of a kind, or two: stones, cysts and fluid can be on both sides."""

    def one(side: int) -> Incidental:
        low, high = {"stone": STONE_MM, "renal cyst": CYST_MM, "lymph node": NODE_MM}.get(name, (1.0, 1.0))
        amount = float(np.exp(random.uniform(np.log(low), np.log(high))))
        if name == "effusion":
            amount = float(random.uniform(*DEEP_MM))
        if name == "calcification":
            amount = float(random.integers(*PLAQUES))
        if name == "steatosis":
            amount = 100 - float(random.uniform(*FATTY_HU))
        return Incidental(name, side, round(amount, 1), tuple(round(float(u), 4) for u in random.random(24)))

    side = -1 if random.random() < 0.5 else 1
    if name == "lymph node":
        return (one(1),)
    if name in ("calcification", "steatosis"):
        return (one(0),)
    both = random.random() < 0.25
    return (one(side), one(-side)) if both else (one(side),)


def with_liver(densities: Densities, there: tuple[Incidental, ...]) -> Densities:
    """Return densities with a liver as dark as its fat makes it, and clearly brighter where it has none."""
    fat = next((one.amount for one in there if one.kind == "steatosis"), None)
    liver = max(densities.liver, LEAN_HU) if fat is None else 100 - fat
    return replace(densities, liver=round(liver, 2))


def lay(canvas: Canvas, anatomy: Anatomy, one: Incidental, organs: Array) -> Array:
    """Lay a finding on the canvas, and return where it is `(Z, Y, X)`; a fatty liver is where the liver is."""
    if one.kind == "steatosis":
        return organs
    if one.kind == "effusion":
        return _fluid(canvas, anatomy, one)
    if one.kind == "calcification":
        return _plaques(canvas, anatomy, one)
    return _ball(canvas, *_blob_of(anatomy, one))


def _blob_of(anatomy: Anatomy, one: Incidental) -> tuple[Blob, float]:
    """Return where a stone, a cyst or a node lies in the atlas, and how dense it is."""
    radius = one.amount / 2 / anatomy.scale
    kidney = anatomy.kidney_right if one.side < 0 else anatomy.kidney_left
    x, y, z = kidney.centre
    a, b, c = kidney.radii
    if one.kind == "stone":
        place = (x + one.side * 0.3 * a, y + 0.15 * b, z + (one.at[0] - 0.5) * c)
        return Blob(place, (radius,) * 3), STONE_HU
    if one.kind == "renal cyst":
        place = (x + one.side * (0.55 * a + 0.5 * radius), y, z + (one.at[0] - 0.5) * 0.9 * c)
        return Blob(place, (radius,) * 3), FLUID_HU
    beside = 9 + anatomy.aorta_mm + radius + 1.5
    return Blob((beside, 16 - 4 * one.at[1], 2 + 30 * one.at[0]), (radius,) * 3), NODE_HU


def _ball(canvas: Canvas, blob: Blob, hu: float) -> Array:
    """Lay a ball; one that is too small for the grid keeps the voxel nearest to it."""
    found = np.zeros(canvas.hu.shape, bool)
    where = canvas.window(blob)
    if not all(s.stop > s.start for s in where):
        return found
    distance = blob.distance(canvas.q[(slice(None), *where)])
    canvas.lay(where, distance, hu, None)
    inside = distance < 0
    if not inside.any():
        inside.flat[int(np.argmin(distance))] = True
    found[where] = inside
    return found


def _fluid(canvas: Canvas, anatomy: Anatomy, one: Incidental) -> Array:
    """Fill the back of one pleural space with fluid up to a level, as it lies in a patient on the back."""
    q = canvas.q
    cavity = anatomy.cavity_distance(q)
    space = np.maximum(anatomy.diaphragm_distance(q) - 2, cavity + 2)
    level = anatomy.cavity[1] - one.amount - q[1]
    distance = np.maximum(np.maximum(space, level), 4 - one.side * q[0])
    air = canvas.hu < AIR_HU
    canvas.lay(ALL, np.where(air, distance, np.float32(1e3)), FLUID_HU, None)
    return np.asarray((distance < 0) & air)


def _plaques(canvas: Canvas, anatomy: Anatomy, one: Incidental) -> Array:
    """Lay plaques of calcium on the wall of the aorta."""
    found = np.zeros(canvas.hu.shape, bool)
    for k in range(int(one.amount)):
        angle, height = 2 * np.pi * one.at[2 * k], -95 + 170 * one.at[2 * k + 1]
        wide = 4.2 + 1.5 * one.at[(2 * k + 7) % len(one.at)]
        x, y = 9 + anatomy.aorta_mm * np.cos(angle), 27 + anatomy.aorta_mm * np.sin(angle)
        found |= _ball(canvas, Blob((float(x), float(y), height), (wide, wide, 1.7 * wide)), CALCIUM_HU)
    return found
