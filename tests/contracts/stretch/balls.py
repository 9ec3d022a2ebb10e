"""Noisy volumes with one bright ball each, whose mask, box, brightness, report and fate are known (throw-away)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from vesalius.core.case import Box, Case, Event
from vesalius.core.image import Image

FORMATS = ("nifti",)
# the array's X runs to the front, its Y to the patient's head, its Z to the right: all is turned by `prepare`
AFFINE = np.array([[0, 0, -2.0, 30], [-1.0, 0, 0, 5], [0, 1.5, 0, -80], [0, 0, 0, 1]])
SHAPE = (12, 16, 24)
REPORTS = ("one ball", "a bright ball is seen", "One ball", "no fluid")


@dataclass(frozen=True, eq=False)
class Ball:
    """A volume `(12, 16, 24)`; its ball has the value 7 in the mask."""

    index: int
    pixels: Any
    ball: Any

    def as_case(self) -> Case:
        """Return the volume with all that is known of it."""
        where, k = np.argwhere(self.ball), self.index
        low, high = where.min(axis=0), where.max(axis=0) + 1
        box = Box(tuple(map(float, low)), tuple(map(float, high)), "ball")  # type: ignore[arg-type]
        targets = {
            "mask": Image((7 * self.ball[None]).astype(np.uint8), affine=AFFINE),
            "class": ("dim", "bright")[k % 2],
            "boxes": (box,),
            "survival": Event(100.0 * (k + 1), k != 2),
        }
        known = {"age": 50.0 + 3 * k, "treated": ("no", "yes")[k // 2 % 2]}
        image = Image(self.pixels.astype(np.float32)[None], affine=AFFINE)
        return Case(
            f"ball-{k:03d}", {"image": image}, patient=f"BALL-{k:03d}", targets=targets, covariates=known,
            report=REPORTS[k % 4],
        )  # fmt: skip

    def truth(self) -> dict[str, Any]:
        """Return how many voxels the ball has."""
        return {"id": f"ball-{self.index:03d}", "voxels": int(self.ball.sum())}


def patient(index: int, seed: int = 0) -> Ball:
    """Return volume number `index`."""
    rng = np.random.default_rng([seed, index])
    centre = [rng.integers(4, s - 4) for s in SHAPE]
    grid = np.stack(np.meshgrid(*map(np.arange, SHAPE), indexing="ij"))
    ball = ((grid - np.reshape(centre, (3, 1, 1, 1))) ** 2).sum(axis=0) < 3.2**2
    return Ball(index, rng.normal(0, 0.2, SHAPE) + (3.0 + index % 2) * ball, ball)
