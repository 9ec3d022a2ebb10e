"""Tissue: an anatomy drawn on a grid, as Hounsfield units and as a label map of organs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vesalius.core.image import Array
from vesalius.phantom.abdomen.anatomy import RIB_MM, VERTEBRA_MM, Anatomy, Blob
from vesalius.phantom.abdomen.person import Person

ORGANS = {
    "liver": 1,
    "spleen": 2,
    "kidney_right": 3,
    "kidney_left": 4,
    "aorta": 5,
    "spine": 6,
    "ribs": 7,
}
LESION = 8


@dataclass(frozen=True, slots=True)
class Densities:
    """Hounsfield units in the portal venous phase; the spread between patients is in `draw_densities`."""

    fat: float
    muscle: float
    lung: float
    liver: float
    spleen: float
    kidney: float
    aorta: float
    vein: float
    bone: float
    marrow: float
    bowel: float


def draw_densities(rng: np.random.Generator, person: Person) -> Densities:
    """Fatty livers are darker with a high BMI; the marrow of the old is less dense."""

    def near(value: float, sd: float) -> float:
        return round(float(value + sd * np.clip(rng.normal(), -2, 2)), 2)

    boost = float(np.clip(rng.normal(), -2, 2)) * 8
    return Densities(
        fat=near(-102, 4),
        muscle=near(58, 4),
        lung=near(-840, 20),
        liver=near(108 - 0.8 * max(person.bmi - 26, 0) + 0.6 * boost, 5),
        spleen=near(122 + 0.7 * boost, 5),
        kidney=near(185 + boost, 8),
        aorta=near(158 + boost, 8),
        vein=near(150 + boost, 6),
        bone=near(420, 35),
        marrow=near(190 - 2.0 * (person.age_years - 60), 14),
        bowel=near(28, 8),
    )


class Canvas:
    """Hounsfield units and labels in the making; shapes are laid over one another with soft edges.

    `q` (3, Z, Y, X) are atlas millimetres of the voxels, `edge_mm` the width over which a surface mixes.
    """

    def __init__(self, q: Array, edge_mm: float) -> None:
        self.q, self.edge_mm = q, edge_mm
        self.hu = np.full(q.shape[1:], -1000, np.float32)
        self.labels = np.zeros(q.shape[1:], np.uint8)
        self._span = [self._profile(axis) for axis in range(3)]

    def _profile(self, axis: int) -> tuple[Array, Array]:
        """Smallest and largest coordinate `axis` (x, y, z) over each plane along it."""
        others = tuple(j for j in range(3) if j != 2 - axis)
        return self.q[axis].min(axis=others), self.q[axis].max(axis=others)

    def lay(self, where: tuple[slice, ...], distance: Array, value: Array | float, label: int | None) -> None:
        """Mix `value` into the part `where` by how much of each voxel is inside; label what is mostly inside."""
        inside = np.clip(np.float32(0.5) - distance / np.float32(self.edge_mm), 0, 1)
        part = self.hu[where]
        part += inside * (value - part)
        if label is not None:
            self.labels[where][distance < 0] = label

    def window(self, blob: Blob) -> tuple[slice, ...]:
        """Return the part of the grid that `blob` can touch."""
        reach = max(blob.radii) * 1.75 + self.edge_mm
        found = []
        for axis in (2, 1, 0):
            low, high = self._span[axis]
            near = (high > blob.centre[axis] - reach) & (low < blob.centre[axis] + reach)
            hits = np.flatnonzero(near)
            found.append(slice(int(hits[0]), int(hits[-1]) + 1) if hits.size else slice(0, 0))
        return tuple(found)

    def blob(self, blob: Blob, value: float, label: int | None = None) -> None:
        """Lay one superellipsoid."""
        where = self.window(blob)
        if all(s.stop > s.start for s in where):
            self.lay(where, blob.distance(self.q[(slice(None), *where)]), value, label)


ALL = (slice(None),) * 3


def draw_tissue(canvas: Canvas, anatomy: Anatomy, hu: Densities) -> None:
    """Lay the whole abdomen, from the skin inwards; what is laid later lies on top."""
    q = canvas.q
    cavity = anatomy.cavity_distance(q)
    canvas.lay(ALL, cavity - (anatomy.muscle_mm + anatomy.fat_mm), hu.fat, None)
    canvas.lay(ALL, cavity - anatomy.muscle_mm, hu.muscle, None)
    canvas.lay(ALL, cavity, hu.fat + 4, None)
    for loop, gas in zip(anatomy.bowel, anatomy.gas, strict=True):
        canvas.blob(loop, hu.bowel)
        if gas:
            x, y, z = loop.centre
            a, b, c = loop.radii
            canvas.blob(Blob((x, y - 0.35 * b, z), (0.6 * a, 0.45 * b, 0.6 * c)), -850)
    canvas.blob(anatomy.stomach, hu.bowel + 8)
    x, y, z = anatomy.stomach.centre
    a, b, c = anatomy.stomach.radii
    canvas.blob(Blob((x, y - 0.55 * b, z), (0.5 * a, 0.25 * b, 0.5 * c)), -900)
    canvas.lay(ALL, np.maximum(anatomy.diaphragm_distance(q), cavity + 2), hu.lung, None)
    _draw_back(canvas, hu)
    where = canvas.window(anatomy.spleen)
    spleen = np.maximum(anatomy.spleen.distance(q[(slice(None), *where)]), cavity[where] + 3)
    canvas.lay(where, spleen, hu.spleen, ORGANS["spleen"])
    liver = anatomy.liver_distance(q, cavity=cavity)
    canvas.lay(ALL, liver, hu.liver, ORGANS["liver"])
    for vein in _veins():
        where = canvas.window(vein)
        inside = np.maximum(vein.distance(q[(slice(None), *where)]), liver[where] + 4)
        canvas.lay(where, inside, hu.vein, None)
    for name, side in (("kidney_right", anatomy.kidney_right), ("kidney_left", anatomy.kidney_left)):
        _draw_kidney(canvas, side, hu, ORGANS[name])
    _draw_spine(canvas, anatomy, hu)
    aorta = np.sqrt((q[0] - 9) ** 2 + (q[1] - 27) ** 2) - np.float32(anatomy.aorta_mm)
    canvas.lay(ALL, aorta, hu.aorta, ORGANS["aorta"])
    _draw_ribs(canvas, anatomy, hu, cavity)


def _draw_back(canvas: Canvas, hu: Densities) -> None:
    """The muscles along the spine, the psoas, and the inferior vena cava."""
    q = canvas.q
    x = np.abs(q[0])
    back = (np.sqrt(((x - 33) / 25) ** 2 + ((q[1] - 88) / 20) ** 2) - 1) * 20
    psoas = (np.sqrt(((x - 33) / 16) ** 2 + ((q[1] - 62) / 17) ** 2) - 1) * 16
    canvas.lay(ALL, np.minimum(back, np.maximum(psoas, q[2] + 10)), hu.muscle, None)
    canvas.lay(ALL, np.sqrt((q[0] + 19) ** 2 + (q[1] - 30) ** 2) - 10, hu.vein - 15, None)


def _veins() -> tuple[Blob, ...]:
    """Return the portal vein and two hepatic veins, as elongated blobs inside the liver."""
    return (
        Blob((-50, 2, 20), (42, 7, 7), 2.0, (0.25, 0.0)),
        Blob((-48, 18, 66), (36, 6, 6), 2.0, (-0.5, 0.1)),
        Blob((-24, -14, 66), (6, 34, 6), 2.0, (0.0, 0.3)),
    )


def _draw_kidney(canvas: Canvas, kidney: Blob, hu: Densities, label: int) -> None:
    """Bright cortex, darker medulla, and the fat of the hilum cut out on the side of the spine."""
    where = canvas.window(kidney)
    q = canvas.q[(slice(None), *where)]
    outer = kidney.distance(q)
    x, y, z = kidney.centre
    a, b, c = kidney.radii
    hilum = Blob((x - np.sign(x) * 0.75 * a, y - 0.2 * b, z), (0.75 * a, 0.35 * b, 0.35 * c)).distance(q)
    canvas.lay(where, np.maximum(outer, -hilum), hu.kidney, label)
    canvas.lay(where, np.maximum(outer + 9, -hilum), hu.kidney - 40, None)


def _draw_spine(canvas: Canvas, anatomy: Anatomy, hu: Densities) -> None:
    """Vertebral bodies with cortex and discs, the arch with its processes, and the canal between them."""
    q = canvas.q
    body = (np.sqrt((q[0] / 22) ** 2 + ((q[1] - 58) / 17) ** 2) - 1) * 18
    along = np.abs(np.mod(q[2] + np.float32(anatomy.vertebra_phase), VERTEBRA_MM) - VERTEBRA_MM / 2)
    disc = VERTEBRA_MM / 2 - 4 - along  # negative between two vertebrae
    canal = np.sqrt(q[0] ** 2 + (q[1] - 83) ** 2) - 8
    arch = np.abs(np.sqrt((q[0] / 1.25) ** 2 + (q[1] - 83) ** 2) - 12) - 4
    process = (np.sqrt((q[0] / 4.5) ** 2 + ((q[1] - 103) / 15) ** 2) - 1) * 5
    transverse = (np.sqrt((q[0] / 36) ** 2 + ((q[1] - 80) / 5) ** 2) - 1) * 6
    spread = np.maximum(np.minimum(process, transverse), along - 9)
    bone = np.maximum(np.minimum(np.minimum(body, arch), spread), -canal)
    canvas.lay(ALL, bone, hu.bone, ORGANS["spine"])
    canvas.lay(ALL, body + 3, hu.marrow, ORGANS["spine"])
    canvas.lay(ALL, np.maximum(body, disc), hu.muscle + 30, ORGANS["spine"])
    canvas.lay(ALL, canal, 30, None)
    canvas.labels[canal < 0] = 0


def _draw_ribs(canvas: Canvas, anatomy: Anatomy, hu: Densities, cavity: Array) -> None:
    """Ribs as bows in the abdominal wall that sink towards the front, down to the costal margin."""
    q = canvas.q
    angle = np.abs(np.arctan2(q[0], q[1])) / np.float32(np.pi)  # 0 at the back, 1 at the front
    height = q[2] + 95 * angle
    along = np.abs(np.mod(height + np.float32(anatomy.rib_phase), RIB_MM) - RIB_MM / 2)
    rib = np.sqrt((cavity - np.float32(anatomy.muscle_mm / 2)) ** 2 + (along * np.float32(0.75)) ** 2) - 4.8
    margin = np.maximum(
        -50 + 75 * angle**2 - q[2], np.maximum((angle - np.float32(0.8)) * 300, (0.13 - angle) * 300)
    )
    canvas.lay(ALL, np.maximum(rib, margin), hu.bone - 60, ORGANS["ribs"])
