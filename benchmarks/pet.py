"""PET quality with 20 to 1,000 labels of one scanner, tested on it and on another. About 90 minutes.

From nothing, from ImageNet, self-supervised, and both: 60 fits of 150 steps and 6 pre-trainings of 300; it goes on
where it was.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image as Pillow

from benchmarks import _beside, _grids
from benchmarks._figures import Figure
from vesalius.phantom import pet

SECTION = "Weights of others"
SOAK = True
SEEDS = (0, 1, 2)
CASES = 2000  # a third of them from scanner B, which nobody learns from; a fifth of the others is tested on
COUNTS = (20, 50, 100, 500, 1000)
SECOND, SHIFT = 0.35, {"scanner": "B"}


def run(folder: Path, *, seeds: Sequence[int], quick: bool = False) -> list[Figure]:
    """One grid, and what an oracle and trivial answers come to on its test cases. Quick: 48 small pictures."""
    options = {"second": SECOND, "size": 32} if quick else {"second": SECOND}
    data = _grids.kept_phantom(
        folder, "pet-cohort", quick=quick, cases=48 if quick else CASES, options=options
    )
    found = _grids.measured(
        "pet",
        data,
        folder,
        seeds=seeds[:1] if quick else seeds,
        quick=quick,
        counts=(9, 18) if quick else COUNTS,
        shift=SHIFT,
    )
    out = folder / "pet" if quick else data.parent / "pet"
    return [*_grids.figures(found, "PET quality"), *beside(data, out)]


def beside(data: Path, grid: Path) -> list[Figure]:
    """What can be had without learning, on the test cases of a grid: the rule, and single numbers of a picture."""
    tested = set(json.loads((grid / "grid.json").read_text())["test"])
    truths = [t for case, t in _beside.truths(data).items() if case in tested]
    quality = np.array([t["quality"] for t in truths])
    right = np.mean([pet.oracle(t) == t["quality"] for t in truths])
    rows = [
        Figure(
            "PET quality: accuracy of the oracle, which reads the truth", f"{right:.4f}", "≥ 1", right == 1.0
        )
    ]
    pixels = [np.asarray(Pillow.open(data / "images" / f"{t['id']}.png"), np.float64) for t in truths]
    for name, values in {
        "mean": [p.mean() for p in pixels],
        "maximum": [p.max() for p in pixels],
        "standard deviation": [p.std() for p in pixels],
    }.items():
        area = float(np.mean([_beside.auc(np.array(values), quality == grade) for grade in pet.GRADES]))
        rows.append(
            Figure(
                f"PET quality: AUC of the {name} of a picture alone",
                f"{area:.4f}",
                note="the better way of each",
            )
        )
    return rows
