"""BreastMNIST by the defaults within ten minutes: AUC and accuracy on the official test split, and the wall time."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchmarks import _fits, _quick
from benchmarks._figures import Figure, at_least

SECTION = "Accuracy"
SOAK = False
SEEDS = (0, 1, 2)
LIMIT = "10m"
BARS = {"auc": 0.91, "accuracy": 0.86}


def run(folder: Path, *, seeds: Sequence[int], quick: bool = False) -> list[Figure]:
    """A fit a seed, then the means. Quick: a phantom's pictures, never this test split."""
    data = _quick.pictures(folder) if quick else _fits.shared("medmnist/breastmnist.npz")
    rows: list[Figure] = []
    fits = []
    for seed in _quick.SEEDS if quick else seeds:
        fitted = _fits.fit(
            data,
            folder / f"seed-{seed}",
            limit=_quick.LIMIT if quick else LIMIT,
            seed=seed,
            options=_quick.OPTIONS if quick else (),
            test_split=not quick,
        )
        fits.append(fitted)
        rows += [*_fits.beside(fitted, list(BARS), seed), _fits.wall(fitted, seed)]
    for name, bar in BARS.items():
        if all(name in f.card.metrics for f in fits):
            rows.append(
                at_least(
                    f"mean {name}", _fits.mean(fits, name), bar, digits=4, note=f"over {len(fits)} seeds"
                )
            )
    return rows
