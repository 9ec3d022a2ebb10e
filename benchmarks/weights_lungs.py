"""Masks of lungs on chest X-rays by the defaults within ten minutes: Dice on patients who were held out."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

from benchmarks import _fits, _pooled, _quick
from benchmarks._figures import Figure, at_least

SECTION = "Weights of others"
SOAK = False
SEEDS = (0,)
LIMIT = "10m"
BAR = 0.95


def run(folder: Path, *, seeds: Sequence[int], quick: bool = False) -> list[Figure]:
    """A fit a seed, resumed where it was interrupted. Quick: a phantom's pictures with masks."""
    data = _quick.masks(folder) if quick else _table(_fits.shared("covid_cxr"), folder)
    rows: list[Figure] = []
    for seed in _quick.SEEDS if quick else seeds:
        done = _fits.resumed(
            data,
            folder / f"quick-{seed}" if quick else Path(f"weights-lungs-{seed}"),
            limit=_quick.LIMIT if quick else LIMIT,
            seed=seed,
            options=_quick.OPTIONS if quick else (),
            test_split=not quick,
        )
        held = _pooled.mean(_pooled.dice(done.card))
        note = f"{held.told()}, {done.card.n_patients} patients"
        rows.append(at_least("dice of both lungs", held.value, BAR, digits=4, seed=str(seed), note=note))
        rows.append(_fits.wall(done, seed))
    return rows


def _table(source: Path, folder: Path) -> Path:
    """Write the table of the pictures that have a mask, with their patients."""
    masks = {p.stem: p for p in (source / "lung_masks").iterdir()}
    path = folder / "lungs.csv"
    with (source / "table.csv").open(newline="", encoding="utf-8") as f:
        listed = [(r["image"], r["patientid"]) for r in csv.DictReader(f)]
    with path.open("w", newline="", encoding="utf-8") as f:
        writer = csv.writer(f)
        writer.writerow(("image", "mask", "patient"))
        for image, patient in listed:
            stem = Path(image).stem
            if stem in masks:
                writer.writerow((source / image, masks[stem], patient))
    return path
