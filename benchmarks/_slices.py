"""ACDC slice by slice: the slices of cardiac MR volumes as grey pictures with masks, each with its patient's id."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from vesalius import formats
from vesalius.core.image import Array

MARK = "done"
LOW, HIGH = 0.5, 99.5  # per cent of a volume's intensities that become 0 and 255


def acdc(source: Path, out: Path, *, patients: Sequence[str] | None = None, test: Sequence[str] = ()) -> Path:
    """Write the slices of some patients, of all by default, and return the table of them; what stands is kept.

    Both frames of a patient are taken. A volume's own percentiles make its 8 bits. Cases of the patients in `test` are
    the test split where there are any.
    """
    table = out / "slices.csv"
    if (out / MARK).is_file():
        return table
    (out / "images").mkdir(parents=True, exist_ok=True)
    (out / "masks").mkdir(exist_ok=True)
    with (source / "table.csv").open(newline="", encoding="utf-8") as f:
        listed = list(csv.DictReader(f))
    rows = []
    for row in listed:
        if patients is not None and row["patient"] not in patients:
            continue
        for frame in (row["ed"], row["es"]):
            stem = f"{row['patient']}_{frame}"
            volume = formats.read(source / row["patient"] / f"{stem}.nii.gz").array[0]
            truth = formats.read_mask(source / row["patient"] / f"{stem}_gt.nii.gz").array[0]
            for z, (slice_, mask) in enumerate(zip(_eight_bits(volume), truth, strict=True)):
                name = f"{stem}_z{z:02d}.png"
                Image.fromarray(slice_).save(out / "images" / name)
                Image.fromarray(mask.astype(np.uint8)).save(out / "masks" / name)
                split = "test" if row["patient"] in test else "train"
                rows.append((f"images/{name}", f"masks/{name}", row["patient"], split))
    with table.open("w", newline="", encoding="utf-8") as f:
        writer = csv.writer(f)
        columns = 4 if test else 3
        writer.writerow(("image", "mask", "patient", "split")[:columns])
        writer.writerows(r[:columns] for r in rows)
    (out / MARK).touch()
    return table


def acdc_patients(source: Path) -> list[str]:
    """Return the ids of all patients, in order."""
    with (source / "table.csv").open(newline="", encoding="utf-8") as f:
        return [row["patient"] for row in csv.DictReader(f)]


def _eight_bits(volume: Array) -> Array:
    low, high = np.percentile(volume, (LOW, HIGH))
    scaled = (volume.astype(np.float64) - low) / max(high - low, 1e-9) * 255
    return np.asarray(np.clip(np.round(scaled), 0, 255), np.uint8)
