"""Made-up smears: round cells of two sorts in pictures, and what an imagined detector says of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from vesalius.core.answers.boxes import COUNTS, Boxes, counts_of
from vesalius.core.case import Box, Case
from vesalius.core.cohort import Label
from vesalius.core.image import Image

LABELS = (Label(1, "red_cell"), Label(2, "white_cell"))
SIZE = 160


def smears(
    many: int, *, seed: int = 0, thresholds: dict[str, float] | None = None, unsure: bool = False
) -> list[tuple[Case, Boxes]]:
    """Cases with their true boxes as the target `cells`, and an answer to each: some missed, some false.

    Where `unsure`, what is missed has a candidate of a low probability all the same.
    """
    rng = np.random.default_rng(seed)
    return [_smear(k, rng, thresholds or {"red_cell": 0.5, "white_cell": 0.4}, unsure) for k in range(many)]


def _smear(
    k: int, rng: np.random.Generator, thresholds: dict[str, float], unsure: bool
) -> tuple[Case, Boxes]:
    y, x = np.mgrid[:SIZE, :SIZE]
    field = rng.normal(200, 6, (SIZE, SIZE))
    true: list[Box] = []
    found: list[tuple[Box, float]] = []
    for _ in range(int(rng.integers(2, 12))):
        white = rng.random() < 0.2
        radius = float(rng.uniform(12, 18) if white else rng.uniform(6, 11))
        cy, cx = rng.uniform(radius, SIZE - radius, 2)
        field[(y - cy) ** 2 + (x - cx) ** 2 < radius**2] -= 110 if white else 55
        name = "white_cell" if white else "red_cell"
        true.append(Box((0.0, cy - radius, cx - radius), (1.0, cy + radius, cx + radius), name))
        if rng.random() < 0.55 + radius / 40:
            dy, dx, grown = rng.normal(0, 1, 3)
            r = radius + grown
            box = Box((0.0, cy + dy - r, cx + dx - r), (1.0, cy + dy + r, cx + dx + r), name)
            found.append((box, float(np.clip(rng.normal(0.8, 0.2), 0.02, 0.99))))
        elif unsure:
            found.append((true[-1], float(rng.uniform(0.01, 0.3))))
    for _ in range(int(rng.integers(0, 4))):
        cy, cx = rng.uniform(10, SIZE - 10, 2)
        found.append(
            (Box((0.0, cy - 8, cx - 8), (1.0, cy + 8, cx + 8), "red_cell"), float(rng.uniform(0.05, 0.7)))
        )
    picture = Image(np.clip(field, 0, 255).astype(np.uint8)[None, None])
    case = Case(f"smear{k:03}", {"image": picture}, targets={"cells": tuple(true)}, patient=f"P{k // 2}")
    answer = Boxes(
        boxes=tuple(box for box, _ in found), p=np.array([p for _, p in found]), labels=LABELS, case_id=case.id,
        thresholds=thresholds,
    )  # fmt: skip
    return case, replace(answer, parts={COUNTS: counts_of(answer)})
