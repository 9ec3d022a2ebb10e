"""A head in T1: scalp, skull, fluid, grey and white matter, ventricles that widen with age, and a lesion or none."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vesalius.core.image import Array
from vesalius.phantom.common.fields import draw_deformation

SIDE_MM = 200.0  # of the cube that a head lies in
AIR, SCALP, SKULL, FLUID, GREY, WHITE, LESION = range(7)
WHAT = ("air", "scalp", "skull", "fluid", "grey matter", "white matter", "lesion")
T1 = (0.0, 0.75, 0.10, 0.22, 0.58, 0.85, 0.42)  # brightness by tissue on the first scanner
LESION_MM = (9.0, 13.0)  # radius


@dataclass(frozen=True, eq=False)
class Head:
    """Tissues `(Z, Y, X)` of one person on a grid of cubes, by number, and what they follow from."""

    tissue: Array
    age: float
    sex: str
    lesion_mm: tuple[float, float, float, float] | None  # centre (x, y, z) and radius

    def volumes_ml(self) -> dict[str, float]:
        """Return the volume of each tissue."""
        voxel = (SIDE_MM / self.tissue.shape[0]) ** 3 / 1000
        return {name: round(float((self.tissue == k).sum()) * voxel, 2) for k, name in enumerate(WHAT) if k}


def draw_head(who: np.random.Generator, shape: np.random.Generator, *, size: int, lesion: bool) -> Head:
    """Return a head on `size` cubes a side; `who` decides age and sex, `shape` the anatomy and where a lesion lies."""
    age, sex = round(float(who.uniform(20, 80)), 1), "F" if who.random() < 0.5 else "M"
    places = (np.arange(size, dtype=np.float32) + 0.5) / size * SIDE_MM - SIDE_MM / 2
    z, y, x = np.meshgrid(places, places, places, indexing="ij")
    bent = draw_deformation(shape, rms_mm=2.5)(np.stack([x, y, z]))
    scale = (1.03 if sex == "M" else 0.97) * shape.uniform(0.97, 1.03)
    half = np.array([70.0, 86.0, 74.0]) * scale
    out = np.sqrt(sum((bent[k] / half[k]) ** 2 for k in range(3)))  # 1 at the scalp's outer side
    thinned = 0.012 * (age - 50) / 30
    tissue = np.zeros(out.shape, np.uint8)
    rims = ((1.0, SCALP), (0.91, SKULL), (0.83, FLUID), (0.79 - thinned, GREY), (0.64 - thinned, WHITE))
    for edge, kind in rims:
        tissue[out < edge] = kind
    wide = (0.75 + 0.55 * (age - 20) / 60) * shape.uniform(0.93, 1.07)
    for side in (-1, 1):
        inner = ((bent[0] - 11 * side * scale) / 8) ** 2 + (bent[1] / 27) ** 2 + (bent[2] / 11) ** 2
        tissue[inner < wide**2] = FLUID
    angle, up = shape.uniform(0, 2 * np.pi), shape.uniform(-15, 20)
    radius = float(shape.uniform(*LESION_MM))
    centre = (float(31 * np.cos(angle)), float(38 * np.sin(angle)), float(up))
    if lesion:
        near = sum((bent[k] - centre[k]) ** 2 for k in range(3)) < radius**2
        tissue[near & (tissue == WHITE)] = LESION
    found = (*(round(c, 2) for c in centre), round(radius, 2))
    return Head(tissue, age, sex, (found[0], found[1], found[2], found[3]) if lesion else None)
