"""A small cohort of several sources: two pictures apart, age and sex, some of them missing; made on the spot."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
from PIL import Image


def write_several(
    folder: Path, *, cases: int = 48, missing: bool = True, every: int = 6, seed: int = 0
) -> Path:
    """Write pictures of two sorts and a table that names them; return the table.

    Whether a case is `ill` shows as a bright spot in the `front` picture and, weaker, as stripes in the `side` one; the
    ill are older. Of every six cases (or `every` so many) one has no side picture; of one more one has no age, and of
    four one has no size.
    """
    random = np.random.default_rng(seed)
    (folder / "images").mkdir(parents=True, exist_ok=True)
    rows = []
    for k in range(cases):
        ill = k % 2 == 1
        name = f"p{k:03d}"
        front = random.normal(90, 14, (32, 32))
        side = random.normal(90, 14, (24, 40))
        if ill:
            y, x = random.integers(4, 20, 2)
            front[y : y + 7, x : x + 7] += 90
            side[:, ::4] += 22
        row = {
            "id": name,
            "patient": name,
            "front": f"images/{name}_front.png",
            "side": f"images/{name}_side.png",
        }
        for part, array in (("front", front), ("side", side)):
            picture = Image.fromarray(np.clip(array, 0, 255).astype(np.uint8))
            picture.save(folder / row[part])
        if missing and k % every == every - 1:
            row["side"] = ""
        age = 55 + 10 * ill + random.normal(0, 9)
        none = missing and k % (every + 1) == every
        row["age"] = "" if none else f"{age:.1f}"
        row["sex"] = "F" if random.random() < 0.5 else "M"
        row["severity"] = f"{(3 if ill else 1) + random.normal(0, 0.4):.3f}"
        row["size"] = "" if k % 4 == 3 else f"{10 + 4 * ill + random.normal(0, 1):.2f}"
        row["grade"] = "0" if not ill else ("1" if random.random() < 0.5 else "2")
        row["label"] = "ill" if ill else "well"
        rows.append(row)
    path = folder / "cohort.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path
