"""Hippocampus by the defaults within thirty minutes: Dice of each label on the 42 test cases, and the wall time."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchmarks import _fits, _quick
from benchmarks._figures import Figure, at_least

SECTION = "Accuracy"
SOAK = False
SEEDS = (0, 1)
LIMIT = "30m"
BARS = (0.897, 0.880)


def run(folder: Path, *, seeds: Sequence[int], quick: bool = False) -> list[Figure]:
    """A fit a seed, then the means. Quick: a phantom's volumes, never these test cases."""
    rows: list[Figure] = []
    fits = []
    for seed in _quick.SEEDS if quick else seeds:
        if quick:
            data, options = _quick.volumes(folder), ("--target", "mask", *_quick.OPTIONS)
        else:
            data = _fits.shared("hippocampus")
            options = ("--split", str(_fits.shared("hippocampus_split.csv")))
        fitted = _fits.fit(
            data,
            folder / f"seed-{seed}",
            limit=_quick.LIMIT if quick else LIMIT,
            seed=seed,
            options=options,
            test_split=not quick,
        )
        fits.append(fitted)
        names = ["dice", *(f"dice/{label}" for label in fitted.card.labels)]
        rows += [*_fits.beside(fitted, names, seed), _fits.wall(fitted, seed)]
    for label, bar in zip(fits[0].card.labels, BARS, strict=False):
        value = _fits.mean(fits, f"dice/{label}")
        rows.append(at_least(f"mean dice/{label}", value, bar, digits=4, note=f"over {len(fits)} seeds"))
    return rows
