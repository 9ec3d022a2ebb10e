"""A tiny cohort of pictures with reports, made on the spot: a bright disc above is a nodule, one below an effusion."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image as Picture

import vesalius as vs

SETTINGS = {
    "net.scale": 0.25,
    "net.name": "resnet-10",
    "net.options": {"stem": "half"},
    "nets.text.scale": 0.25,
    "nets.text.options": {"layers": 1, "longest": 32},
    "task.options.length": 16,
    "task.options.width": 64,
    "train.threads": 1,
    "train.folds": 3,
    "train.batch": 24,
    "train.validations": 1,
    "train.lr": 3e-3,
    "augment.probability": 0.0,
    "data.size": [1, 48, 48],
}


@dataclass(frozen=True)
class Dictated:
    """The table of a cohort, and the run that was fitted to it. `there` says what each case shows, with its side."""

    data: Path
    run: vs.Run
    there: dict[str, dict[str, str | None]]

    @property
    def bundle(self) -> Path:
        assert self.run.path is not None
        return self.run.path / "bundle"


def write(folder: Path, cases: int, seed: int = 0) -> tuple[Path, dict[str, dict[str, str | None]]]:
    """Write pictures of 48 by 48 and a table with their reports; return it, and the side of each finding by case."""
    rng = np.random.default_rng(seed)
    (folder / "images").mkdir(parents=True)
    rows, known = [], {}
    for k in range(cases):
        sides = {name: (None, "left", "right")[int(rng.integers(3))] for name in ("nodule", "effusion")}
        array = rng.normal(80, 8, (48, 48))
        said = []
        for name, side in sides.items():
            if side is not None:
                y, x = (14 if name == "nodule" else 36), (34 if side == "left" else 12)
                yy, xx = np.mgrid[:48, :48]
                array[(yy - y - rng.normal(0, 1)) ** 2 + (xx - x - rng.normal(0, 1)) ** 2 < 25] += 90
                said.append((f"There is a {side} {name}.", f"A {side} {name} is seen.")[k % 2])
            else:
                said.append((f"No {name}.", f"There is no {name}.")[k % 2])
        Picture.fromarray(array.clip(0, 255).astype(np.uint8)).save(folder / "images" / f"c{k}.png")
        names = ";".join(name for name, side in sides.items() if side) or "None"
        rows.append([f"c{k}", f"p{k // 2}", f"images/c{k}.png", names, " ".join(said)])
        known[f"c{k}"] = sides
    table = folder / "cohort.csv"
    with table.open("w", newline="") as file:
        csv.writer(file).writerows([["case", "patient", "image", "labels", "report"], *rows])
    return table, known


def fitted(folder: Path, *, cases: int = 48, steps: int = 60, **settings: object) -> Dictated:
    """Return a small cohort and a fit of `align` to it."""
    table, known = write(folder / "data", cases)
    told = {**SETTINGS, "train.steps": steps, **settings}
    return Dictated(table, vs.fit(table, folder / "run", task="align", settings=told, device="cpu"), known)
