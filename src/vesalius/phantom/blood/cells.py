"""Blood cells: three sorts with their sizes, outlines and inner structure, in micrometres."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from vesalius.core.image import Array

RED, WHITE, PLATELET = "red_cell", "white_cell", "platelet"
SORTS = (RED, WHITE, PLATELET)
DIAMETERS_UM = {  # of each sort, or kind of white cell: from and to
    PLATELET: (1.8, 3.4),
    "neutrophil": (11.0, 14.0),
    "lymphocyte": (8.0, 11.0),
    "monocyte": (13.5, 17.0),
    "eosinophil": (11.5, 14.5),
}
WHITE_KINDS = {"neutrophil": 0.58, "lymphocyte": 0.27, "monocyte": 0.09, "eosinophil": 0.06}
RED_SPREAD = 0.09  # the standard deviation of red cells' diameters on one slide, as a share of their mean
ROUGHNESS = {RED: 0.028, WHITE: 0.025, PLATELET: 0.09}  # of an outline's third to fifth harmonics


@dataclass(frozen=True, eq=False)
class Cell:
    """One cell: `centre` `(y, x)` in pixels, its mean radius in pixels, and its outline.

    The outline's radius in direction θ is `radius · (1 + Σ amplitude_k · cos(k θ + phase_k))` for k = 2 … 5. `kind` is
    that of a white cell. `pallor` is how much paler than its rim a red cell's centre is, from 0 to 1. `grain` seeds its
    texture.
    """

    label: str
    kind: str
    centre: tuple[float, float]
    radius: float
    amplitude: Array
    phase: Array
    pallor: float
    grain: int

    @property
    def reach(self) -> float:
        """Return the largest distance of the outline from the centre, in pixels, or a little more."""
        return self.radius * (1 + float(np.abs(self.amplitude).sum()))

    def at(self, y: float, x: float) -> Cell:
        """Return the cell moved to a centre in pixels."""
        return replace(self, centre=(round(y, 2), round(x, 2)))

    def window(self, size: int) -> tuple[slice, slice]:
        """Return the part of a picture of `size` pixels a side that the cell may reach; it can be empty."""
        reach = int(np.ceil(self.reach)) + 2
        spans = [
            slice(min(max(int(c) - reach, 0), size), min(max(int(c) + reach + 1, 0), size))
            for c in self.centre
        ]
        return spans[0], spans[1]

    def polar(self, window: tuple[slice, slice]) -> tuple[Array, Array, Array]:
        """Return, at pixels' centres of a window, the offsets `(y, x)` in radii, and the distance in outline radii.

        The last is below 1 inside of the cell.
        """
        y = np.arange(window[0].start, window[0].stop)[:, None] + 0.5 - self.centre[0]
        x = np.arange(window[1].start, window[1].stop)[None, :] + 0.5 - self.centre[1]
        theta = np.arctan2(y, x)
        outline = np.ones(np.broadcast_shapes(y.shape, x.shape))
        for k, (amplitude, phase) in enumerate(zip(self.amplitude, self.phase, strict=True), start=2):
            outline += amplitude * np.cos(k * theta + phase)
        return y / self.radius, x / self.radius, np.hypot(y, x) / (self.radius * outline)

    def inside(self, window: tuple[slice, slice]) -> Array:
        """Return which pixels of a window the cell covers, whether or not another one lies on it."""
        return np.asarray(self.polar(window)[2] < 1)

    def truth(self) -> dict[str, Any]:
        """Return it as plain JSON values."""
        told: dict[str, Any] = {
            "label": self.label,
            "centre_yx": list(self.centre),
            "radius_pixels": self.radius,
        }
        if self.label == WHITE:
            told["kind"] = self.kind
        if self.label == RED:
            told["pallor"] = self.pallor
        return told


def draw_cell(
    random: np.random.Generator, label: str, *, pixel_um: float, red_um: float = 7.2, pallor: float = 0.5
) -> Cell:
    """Return a cell at the origin. `red_um` is the slide's mean diameter of red cells, `pallor` its mean pallor."""
    kind = label
    if label == WHITE:
        kind = str(random.choice(list(WHITE_KINDS), p=list(WHITE_KINDS.values())))
    if label == RED:
        diameter = red_um * (1 + RED_SPREAD * float(np.clip(random.normal(), -2.5, 2.5)))
    else:
        diameter = float(random.uniform(*DIAMETERS_UM[kind]))
    oval = abs(float(random.normal(0, 0.06))) + (0.06 if label == PLATELET else 0.0)
    rough = random.normal(0, ROUGHNESS[label], 3) / (1, 1.5, 2)
    own = float(np.clip(pallor + random.normal(0, 0.1), 0, 1))
    return Cell(
        label,
        kind,
        (0.0, 0.0),
        round(diameter / 2 / pixel_um, 3),
        np.round(np.clip([oval, *rough], -0.2, 0.2), 4),
        np.round(random.uniform(0, 2 * np.pi, 4), 4),
        round(own, 3),
        int(random.integers(2**31)),
    )
