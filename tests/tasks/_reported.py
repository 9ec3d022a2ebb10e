"""A small cohort of pictures with reports whose truth is known: bright bars at a side, and discs of a known size."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
from PIL import Image as Picture

SIDE = 32  # pixels
STYLES = (
    {
        "yes": "There is a {side} pleural effusion.",
        "no": "No pleural effusion.",
        "disc": "A {side} nodule measures {mm} mm.",
    },
    {
        "yes": "{Side} effusion is seen.",
        "no": "There is no effusion.",
        "disc": "{Side} lung nodule of {mm} mm.",
    },
)


def write_reported(folder: Path, *, cases: int = 24, seed: int = 0) -> Path:
    """Write a cohort to a new folder, and return its table: pictures, reports, and findings.csv."""
    (folder / "images").mkdir(parents=True)
    rng = np.random.default_rng(seed)
    rows, truths = [], []
    for k in range(cases):
        case, style = f"subject-{k:04d}", STYLES[k % 2]
        picture = rng.normal(60, 8, (SIDE, SIDE))
        said = []
        if k % 3 != 2:
            side = "left" if rng.random() < 0.5 else "right"
            picture[22:29, (18 if side == "left" else 3) :][:, :11] += (
                120  # the patient's left is on the right
            )
            said.append(style["yes"].format(side=side, Side=side.capitalize()))
            truths.append(
                {"case": case, "finding": "effusion", "status": "present", "side": side, "size_mm": ""}
            )
        else:
            said.append(style["no"])
            truths.append(
                {"case": case, "finding": "effusion", "status": "absent", "side": "", "size_mm": ""}
            )
        if rng.random() < 0.5:
            side, radius = ("left", "right")[int(rng.integers(2))], int(rng.integers(2, 6))
            y, x = np.mgrid[:SIDE, :SIDE]
            picture[(y - 9) ** 2 + (x - (23 if side == "left" else 8)) ** 2 <= radius**2] += 150
            said.append(style["disc"].format(side=side, Side=side.capitalize(), mm=2 * radius))
            truths.append(
                {"case": case, "finding": "nodule", "status": "present", "side": side, "size_mm": 2 * radius}
            )
        impression = "Abnormal." if len(said) > 1 or k % 3 != 2 else "Normal."
        name = f"images/{case}.png"
        Picture.fromarray(np.clip(picture, 0, 255).astype(np.uint8)).save(folder / name)
        text = f"FINDINGS: {' '.join(said)}\nIMPRESSION: {impression}"
        rows.append({"case": case, "patient": f"patient-{k:04d}", "image": name, "report": text})
    for table, held in (("cohort.csv", rows), ("findings.csv", truths)):
        with (folder / table).open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(held[0]))
            writer.writeheader()
            writer.writerows(held)
    return folder / "cohort.csv"
