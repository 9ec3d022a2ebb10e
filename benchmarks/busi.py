"""BUSI by the defaults: three classes of breast ultrasound on the split that the seed assigns, and the wall time."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchmarks import _fits, _quick
from benchmarks._figures import Figure

SECTION = "Accuracy"
SOAK = False
SEEDS = (0,)
LIMIT = "10m"
NAMES = ("auc", "accuracy", "balanced_accuracy", "f1")


def run(folder: Path, *, seeds: Sequence[int], quick: bool = False) -> list[Figure]:
    """A fit a seed. Quick: a phantom's pictures."""
    data = _quick.pictures(folder) if quick else _fits.shared("busi")
    rows: list[Figure] = []
    for seed in _quick.SEEDS if quick else seeds:
        fitted = _fits.fit(
            data,
            folder / f"seed-{seed}",
            limit=_quick.LIMIT if quick else LIMIT,
            seed=seed,
            options=_quick.OPTIONS if quick else (),
            test_split=not quick,
        )
        rows += [*_fits.beside(fitted, NAMES, seed), _fits.wall(fitted, seed)]
    return rows
