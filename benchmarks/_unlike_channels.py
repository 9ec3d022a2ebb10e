"""A phantom of pictures whose three channels are unlike, as of brain MR: one bright, one dark, one of little contrast.

Its numbers were written down before the first training on it, and none was changed since.
"""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
from PIL import Image

from vesalius.core.image import Array
from vesalius.core.seeds import seed_of

PATIENTS, SLICES, SIDE = 60, 4, 256
BASE = (28.0, 110.0, 190.0)  # mean grey value of tissue, by channel
TEXTURE = (3.0, 28.0, 5.0)  # deviation of smooth texture
NOISE = (2.0, 9.0, 3.0)  # deviation of each pixel
TUMOUR = (5.0, 25.0, -7.0)  # what a tumour adds
DECOY = ((5.0, 0.0, 0.0), (0.0, 45.0, 0.0), (0.0, 0.0, -7.0))  # what looks like one in a single channel
RADIUS = (9.0, 26.0)  # pixels
TUMOURS = 0.85  # share of slices that have one
MARK = "done"


def write(out: Path) -> Path:
    """Write the cohort, and return its table (image, mask, patient); what stands is kept."""
    table = out / "cohort.csv"
    if (out / MARK).is_file():
        return table
    (out / "images").mkdir(parents=True, exist_ok=True)
    (out / "masks").mkdir(exist_ok=True)
    rows = []
    for patient in range(PATIENTS):
        for k in range(SLICES):
            picture, mask = draw(patient, k)
            name = f"p{patient:03d}_{k}.png"
            Image.fromarray(picture).save(out / "images" / name)
            Image.fromarray(mask).save(out / "masks" / name)
            rows.append((f"images/{name}", f"masks/{name}", f"p{patient:03d}"))
    with table.open("w", newline="", encoding="utf-8") as f:
        writer = csv.writer(f)
        writer.writerow(("image", "mask", "patient"))
        writer.writerows(rows)
    (out / MARK).touch()
    return table


def draw(patient: int, number: int) -> tuple[Array, Array]:
    """Return a picture `(Y, X, 3)` and its mask `(Y, X)`, 1 where the tumour is. The same numbers give the same one."""
    own = np.random.default_rng(seed_of(0, "unlike", patient))  # what a patient's slices share
    rng = np.random.default_rng(seed_of(0, "unlike", patient, number))
    axes = np.linspace(-1, 1, SIDE)
    y, x = np.meshgrid(axes, axes, indexing="ij")
    a, b, tilt = own.uniform(0.62, 0.8), own.uniform(0.75, 0.92), own.uniform(-0.3, 0.3)
    u, v = x * np.cos(tilt) + y * np.sin(tilt), y * np.cos(tilt) - x * np.sin(tilt)
    head = (u / a) ** 2 + (v / b) ** 2 < 1
    gain = own.uniform(0.92, 1.08, 3)
    tumour = _blob(rng, head) if rng.random() < TUMOURS else np.zeros_like(head, dtype=float)
    decoys = [_blob(rng, head) for _ in DECOY]
    channels = []
    for c in range(3):
        field = BASE[c] + TEXTURE[c] * _smooth(rng, 9) + TUMOUR[c] * tumour
        field += sum(DECOY[d][c] * decoys[d] for d in range(len(DECOY)))
        channels.append(np.where(head, field * gain[c], 0.0) + NOISE[c] * rng.standard_normal(head.shape))
    picture = np.clip(np.round(np.stack(channels, axis=-1)), 0, 255).astype(np.uint8)
    return picture, (tumour > 0.5).astype(np.uint8)


def _smooth(rng: np.random.Generator, points: int) -> Array:
    """Return a field of mean 0 and deviation about 1 that changes over some pixels, `(SIDE, SIDE)`."""
    coarse = rng.standard_normal((points, points)).astype(np.float32)
    fine = np.asarray(Image.fromarray(coarse).resize((SIDE, SIDE), Image.Resampling.BICUBIC), np.float64)
    return np.asarray((fine - fine.mean()) / max(fine.std(), 1e-9))


def _blob(rng: np.random.Generator, inside: Array) -> Array:
    """Return an uneven disc within the head, 1 inside and 0 outside, its edge two pixels soft."""
    places = np.argwhere(inside)
    radius = rng.uniform(*RADIUS)
    cy, cx = places[rng.integers(len(places))]
    cy, cx = SIDE / 2 + 0.75 * (cy - SIDE / 2), SIDE / 2 + 0.75 * (cx - SIDE / 2)
    y, x = np.mgrid[:SIDE, :SIDE]
    angle = np.arctan2(y - cy, x - cx)
    edge = radius * (
        1 + 0.18 * np.sin(2 * angle + rng.uniform(0, 6)) + 0.12 * np.sin(3 * angle + rng.uniform(0, 6))
    )
    return np.asarray(np.clip((edge - np.hypot(y - cy, x - cx)) / 2 + 0.5, 0, 1) * inside)
