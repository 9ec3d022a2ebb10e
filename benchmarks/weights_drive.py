"""DRIVE over five folds by the defaults, ten minutes each: Dice of the vessels inside the field of view, pooled."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

from benchmarks import _fits, _pooled, _quick
from benchmarks._figures import Figure, at_least
from vesalius.verbs.read import read

SECTION = "Weights of others"
SOAK = False
SEEDS = (0,)
FOLDS = 5
LIMIT = "10m"
BAR, EXPERTS = 0.79, 0.788


def run(folder: Path, *, seeds: Sequence[int], quick: bool = False) -> list[Figure]:
    """A fit a fold, each resumed where it was interrupted; then all cases together. Quick: a phantom, one fold."""
    data = _quick.masks(folder) if quick else _fits.shared("drive/training")
    rows: list[Figure] = []
    for seed in _quick.SEEDS if quick else seeds:
        dice: dict[str, float] = {}
        for fold in range(1 if quick else FOLDS):
            split = _split(data, folder / f"fold-{fold}.csv", fold)
            done = _fits.resumed(
                data,
                folder / f"quick-{fold}" if quick else Path(f"weights-drive-{seed}-{fold}"),
                limit=_quick.LIMIT if quick else LIMIT,
                seed=seed,
                options=("--split", str(split), *(_quick.OPTIONS if quick else ())),
                test_split=not quick,
            )
            dice |= _pooled.dice(done.card)
            rows.append(_fits.wall(done, seed))
        held = _pooled.mean(dice)
        note = f"{held.told()}; two experts agree at {EXPERTS}"
        rows.append(
            at_least(f"dice, {len(dice)} cases of {FOLDS} folds", held.value, BAR, seed=str(seed), note=note)
        )
    return rows


def _split(data: Path, path: Path, fold: int) -> Path:
    """Write which cases a fold tests: every fifth in order of their ids."""
    ids = sorted(c.id for c in read(data).cases)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as f:
        writer = csv.writer(f)
        writer.writerow(("case", "split"))
        writer.writerows((i, "test" if k % FOLDS == fold else "train") for k, i in enumerate(ids))
    return path
