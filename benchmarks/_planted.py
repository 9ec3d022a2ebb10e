"""Planted pictures: a shape in noise, whose class, size and outline are known, from sites with more and less noise.

Everything here was fixed before the first model was trained on it: the shapes, the range of sizes, the noise of each
site and how often it occurs. The noisy site is hard on purpose, so that a promise about all cases is broken in it.
"""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
from PIL import Image

SIDE = 32
SHAPES = ("disc", "ring", "square")
RADIUS = (3.0, 9.0)  # pixels
CONTRAST = (0.7, 1.3)
SITES = {"quiet": (0.5, 0.6), "usual": (0.3, 1.0), "noisy": (0.2, 1.8)}  # share of cases, noise


def make(folder: Path, cases: int, *, seed: int, first: int = 0) -> Path:
    """Write pictures, masks and a table of cases with their class, radius_px and site; return the table."""
    rng = np.random.default_rng(seed)
    for name in ("images", "masks"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    rows = []
    for k in range(first, first + cases):
        site = str(rng.choice(list(SITES), p=[share for share, _ in SITES.values()]))
        shape, radius = str(rng.choice(SHAPES)), float(rng.uniform(*RADIUS))
        inside, where = _drawn(shape, radius, rng)
        grey = rng.uniform(*CONTRAST) * where + SITES[site][1] * rng.normal(size=(SIDE, SIDE))
        pixels = np.clip(110 + 30 * grey, 0, 255).round().astype(np.uint8)
        name = f"case-{k:04d}"
        Image.fromarray(pixels).save(folder / "images" / f"{name}.png")
        Image.fromarray(inside.astype(np.uint8)).save(folder / "masks" / f"{name}.png")
        files = (f"images/{name}.png", f"masks/{name}.png")
        rows.append([name, f"patient-{k:04d}", *files, shape, f"{radius:.3f}", site])
    with (folder / "cases.csv").open("w", newline="") as file:
        csv.writer(file).writerows(
            [["case", "patient", "image", "mask", "class", "radius_px", "site"], *rows]
        )
    return folder / "cases.csv"


def _drawn(shape: str, radius: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return the region of a shape (a ring's with its hole filled), and where the shape itself is bright."""
    y, x = np.mgrid[:SIDE, :SIDE] + 0.5
    middle = rng.uniform(radius, SIDE - radius, 2)
    dy, dx = y - middle[0], x - middle[1]
    far = np.maximum(np.abs(dy), np.abs(dx)) if shape == "square" else np.hypot(dy, dx)
    inside = far <= radius
    bright = inside & (far > radius / 2) if shape == "ring" else inside
    return inside, bright.astype(np.float64)
