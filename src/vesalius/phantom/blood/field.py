"""A field of view: how many cells lie in it, where each lies, and which lies upon which."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from vesalius.core.image import Array
from vesalius.phantom.blood.cells import PLATELET, RED, WHITE, Cell, draw_cell
from vesalius.phantom.blood.slide import PIXEL_UM, Slide

IN_SIGHT = (
    0.25  # of a cell at the border: the least share that lies in the picture, else it is not there at all
)
VISIBLE = 0.55  # of a cell's part in the picture: the least share that no cell above it hides
DEEPEST = 0.35  # overlap of two red cells, as a share of the sum of their radii
WITH_WHITE = 0.08  # the same where one of the two is a white cell, which push others aside
ON_A_CELL = 0.2  # the share of platelets that lie on a red cell
TRIES = 60
FIELD_UM2 = 2304.0  # the area that the rates below are for
RATES = {WHITE: 0.7, PLATELET: 3.0}
SPREAD = 0.45  # of the logarithm of the share that red cells cover, between fields of one slide and others


@dataclass(eq=False)
class Field:
    """Cells as they are laid down, the first lowest: `ids` `(Y, X)` int32 is which cell is seen, k + 1 or 0."""

    size: int
    cells: list[Cell] = field(default_factory=list)
    ids: Array = field(default_factory=lambda: np.zeros((0, 0), np.int32))
    areas: Array = field(
        default_factory=lambda: np.zeros(0, np.int64)
    )  # of each cell in the picture, in pixels
    seen: Array = field(
        default_factory=lambda: np.zeros(0, np.int64)
    )  # of these, how many no other one hides
    places: Array = field(default_factory=lambda: np.zeros((0, 4)))  # y, x, radius, and 1 for a white cell

    def __post_init__(self) -> None:
        self.ids = np.zeros((self.size, self.size), np.int32)

    def lays(self, cell: Cell) -> bool:
        """Lay a cell on top and return True, or leave all as it is where too little of it or of another is seen."""
        window = cell.window(self.size)
        inside = cell.inside(window)
        area = int(inside.sum())
        if area < max(IN_SIGHT * np.pi * cell.radius**2, 4):
            return False
        hidden = np.bincount(self.ids[window][inside], minlength=len(self.cells) + 1)
        seen = self.seen - hidden[1:]
        if (seen < VISIBLE * self.areas).any():
            return False
        self.cells.append(cell)
        self.areas, self.seen = np.append(self.areas, area), np.append(seen, area)
        place = (*cell.centre, cell.radius, float(cell.label == WHITE))
        self.places = np.concatenate([self.places, [place]])
        self.ids[window][inside] = len(self.cells)
        return True

    def gaps(self, y: float, x: float, radius: float) -> Array:
        """Return how far a round cell would be from each that is there, in pixels; negative where it overlaps."""
        ys, xs, radii, _ = self.places.T
        return np.asarray(np.hypot(y - ys, x - xs) - radii - radius)


def laid(cells: Sequence[Cell], size: int) -> Array:
    """Return which cell is seen at each pixel `(Y, X)` int32, k + 1 or 0, where each lies upon those before it."""
    ids = np.zeros((size, size), np.int32)
    for k, cell in enumerate(cells):
        window = cell.window(size)
        ids[window][cell.inside(window)] = k + 1
    return ids


def draw_field(
    placing: np.random.Generator, slide: Slide, *, size: int, density: float, overlap: float
) -> Field:
    """Return a field of `size` pixels a side on a slide.

    Red cells would cover a share `density` of it, more or less by field, if none lay on another. Each is laid at
    another one with the chance `overlap`, more or less by slide, from just touching to DEEPEST, and else clear of all.
    """
    found = Field(size)
    overlap = min(overlap * slide.clumping, 1.0)
    share = size**2 * PIXEL_UM**2 / FIELD_UM2
    cover = float(np.clip(density * np.exp(placing.normal(0, SPREAD)), 0, 0.9))
    red_area = np.pi * (slide.red_um / 2) ** 2
    counts = {
        WHITE: int(placing.poisson(RATES[WHITE] * share)),
        RED: int(placing.poisson(cover * size**2 * PIXEL_UM**2 / red_area)),
        PLATELET: int(placing.poisson(RATES[PLATELET] * share * slide.platelets)),
    }
    for label, count in counts.items():
        for _ in range(count):
            cell = draw_cell(placing, label, pixel_um=PIXEL_UM, red_um=slide.red_um, pallor=slide.pallor)
            onto = placing.random() < (overlap if label == RED else ON_A_CELL if label == PLATELET else 0)
            if not (onto and _beside(placing, found, cell)) and not _clear(placing, found, cell):
                _beside(placing, found, cell)
    return found


def _clear(placing: np.random.Generator, found: Field, cell: Cell) -> bool:
    """Lay a cell somewhere in the field where it touches no other; return whether there was room."""
    margin = 0.4 * cell.radius
    for y, x in placing.uniform(-margin, found.size + margin, (TRIES, 2)):
        free = not found.cells or found.gaps(y, x, cell.reach).min() > 0.12 * cell.radius + 1
        if free and found.lays(cell.at(y, x)):
            return True
    return False


def _beside(placing: np.random.Generator, found: Field, cell: Cell) -> bool:
    """Lay a cell at another one, so that they touch or overlap; return whether there was room."""
    if not found.cells:
        return False
    for _ in range(TRIES):
        other = found.cells[int(placing.integers(len(found.cells)))]
        if cell.label == PLATELET:
            if other.label != RED:
                continue
            far = float(placing.uniform(0, 1)) * other.radius
        else:
            mixed = WHITE in (cell.label, other.label)
            depth = float(placing.uniform(-0.01, WITH_WHITE if mixed else DEEPEST))
            far = (cell.radius + other.radius) * (1 - depth)
        angle = float(placing.uniform(0, 2 * np.pi))
        y, x = other.centre[0] + far * np.sin(angle), other.centre[1] + far * np.cos(angle)
        _, _, radii, white = found.places.T
        deepest = np.where((white > 0) | (cell.label == WHITE), WITH_WHITE, DEEPEST)
        deep = -found.gaps(y, x, cell.radius) / (cell.radius + radii) > deepest
        if cell.label != PLATELET and deep.any():
            continue
        if found.lays(cell.at(y, x)):
            return True
    return False
