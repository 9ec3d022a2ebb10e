"""Transfer over all shares of the labels and to another scanner, on the PET phantom. About 120 minutes.

60 fits of 90 s and 6 pre-trainings of 5 minutes; it goes on where it was.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchmarks import _grids
from benchmarks._figures import Figure
from benchmarks.pet import beside

SECTION = "Weights of others"
SOAK = True
SEEDS = (0, 1, 2)
CASES = 1500  # a third of them from scanner B, which nobody learns from
SHARES = (1.0, 0.5, 0.25, 0.1, 0.05)
SHIFT = {"scanner": "B"}


def run(folder: Path, *, seeds: Sequence[int], quick: bool = False) -> list[Figure]:
    """One grid on scanner A, tested on both scanners. Quick: 48 small pictures."""
    options = {"second": 0.35, "size": 32} if quick else {"second": 0.35}
    data = _grids.kept_phantom(
        folder, "pet-two-scanners", quick=quick, cases=48 if quick else CASES, options=options
    )
    found = _grids.measured(
        "transfer_phantom",
        data,
        folder,
        seeds=seeds[:1] if quick else seeds,
        quick=quick,
        shares=(1.0, 0.5) if quick else SHARES,
        shift=SHIFT,
    )
    out = folder / "transfer_phantom" if quick else data.parent / "transfer_phantom"
    return [*_grids.figures(found, "PET, learned from scanner A"), *beside(data, out)]
