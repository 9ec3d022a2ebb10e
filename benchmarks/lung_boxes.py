"""Boxes of both lungs on chest X-rays by the defaults within ten minutes, on patients who were held out."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

from benchmarks import _fits, _quick
from benchmarks._figures import Figure, at_least

SECTION = "Boxes, counts, numbers and grades"
SOAK = False
SEEDS = (0,)
LIMIT = "10m"
BAR = 0.95


def run(folder: Path, *, seeds: Sequence[int], quick: bool = False) -> list[Figure]:
    """A fit a seed, resumed where it was interrupted. Quick: a phantom's chest X-rays with findings."""
    data = _quick.chests(folder) if quick else _table(_fits.shared("covid_cxr"), folder / "data")
    rows: list[Figure] = []
    for seed in _quick.SEEDS if quick else seeds:
        done = _fits.resumed(
            data,
            folder / f"quick-{seed}" if quick else Path(f"lung-boxes-{seed}"),
            limit=_quick.LIMIT if quick else LIMIT,
            seed=seed,
            options=("--target", "boxes", *(_quick.OPTIONS if quick else ())),
            test_split=not quick,
        )
        held = done.card.metrics["ap50"]
        note = f"{_fits.interval(held)}, {done.card.n_patients} patients"
        rows.append(at_least("ap50 of both lungs", held.value or 0.0, BAR, seed=str(seed), note=note))
        names = ("ap", "f1", "count_relative", *(n for n in done.card.metrics if n.startswith("ap50/")))
        rows += [*_fits.beside(done, names, seed), _fits.wall(done, seed)]
    return rows


def _table(source: Path, folder: Path) -> Path:
    """Write the table of the pictures with their patients, and that of the boxes, as corners in pixels."""
    folder.mkdir(parents=True, exist_ok=True)
    with (source / "table.csv").open(newline="", encoding="utf-8") as f:
        patients = {Path(r["image"]).stem: (r["image"], r["patientid"]) for r in csv.DictReader(f)}
    with (source / "lung_boxes.csv").open(newline="", encoding="utf-8") as f:
        boxes = [r for r in csv.DictReader(f) if Path(r["image"]).stem in patients]
    drawn = {Path(r["image"]).stem for r in boxes}
    with (folder / "cohort.csv").open("w", newline="", encoding="utf-8") as f:
        writer = csv.writer(f)
        writer.writerow(("case", "patient", "image"))
        writer.writerows((k, p, source / image) for k, (image, p) in patients.items() if k in drawn)
    with (folder / "boxes.csv").open("w", newline="", encoding="utf-8") as f:
        writer = csv.writer(f)
        writer.writerow(("case", "label", "y0", "x0", "y1", "x1"))
        for r in boxes:
            x, y, w, h = (float(r[k]) for k in "xywh")
            writer.writerow((Path(r["image"]).stem, r["label"], y, x, y + h, x + w))
    return folder
