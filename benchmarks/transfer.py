"""Transfer with all labels and a tenth of them, on BUSI and BreastMNIST. About 110 minutes.

24 fits of 150 steps and 6 pre-trainings of 300 a data set; it goes on where it was.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchmarks import _grids
from benchmarks._figures import Figure

SECTION = "Weights of others"
SOAK = True
SEEDS = (0, 1, 2)
SHARES = (1.0, 0.1)
DATA = {"BUSI": "busi", "BreastMNIST": "medmnist/breastmnist.npz"}


def run(folder: Path, *, seeds: Sequence[int], quick: bool = False) -> list[Figure]:
    """One grid a data set. Quick: 48 small pictures of the PET phantom."""
    rows: list[Figure] = []
    for name, place in list(DATA.items())[: 1 if quick else 2]:
        if quick:
            data = _grids.kept_phantom(folder, "pictures", quick=True, cases=48, options={"size": 32})
        else:
            data = _grids.shared(place)
        found = _grids.measured(
            f"transfer-{name.lower()}",
            data,
            folder,
            seeds=seeds[:1] if quick else seeds,
            quick=quick,
            shares=(1.0, 0.5) if quick else SHARES,
        )
        rows += _grids.figures(found, name)
    return rows
