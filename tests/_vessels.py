"""Pictures of one vessel each, straight or winding, with its mask and its class: for tests of stages."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image as Pil

SIDE = 32


def picture(k: int, *, winding: bool) -> tuple[np.ndarray, np.ndarray]:
    """Return a noisy picture `(Y, X)` and the mask of its vessel."""
    rng = np.random.default_rng(k)
    x = np.arange(SIDE)
    wave = (5.0 if winding else 0.5) * np.sin(2 * np.pi * x / 11 + rng.uniform(0, 6))
    middle = rng.uniform(11, 21) + wave
    mask = np.abs(np.arange(SIDE)[:, None] - middle[None]) < 1.5
    grey = 60 + 12 * rng.standard_normal((SIDE, SIDE)) + 90 * mask
    return grey.clip(0, 255).astype(np.uint8), mask.astype(np.uint8)


def write(folder: Path, cases: int = 20, *, first: int = 0, masks: bool = True) -> Path:
    """Write pictures, masks and a table with the class of each case; return the table."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = ["image,patient,shape" + (",mask" if masks else "")]
    for k in range(first, first + cases):
        winding = k % 2 == 1
        grey, mask = picture(k, winding=winding)
        Pil.fromarray(grey).save(folder / f"p{k:03d}.png")
        row = f"p{k:03d}.png,p{k:03d},{'winding' if winding else 'straight'}"
        if masks:
            Pil.fromarray(mask).save(folder / f"m{k:03d}.png")
            row += f",m{k:03d}.png"
        rows.append(row)
    (folder / "cohort.csv").write_text("\n".join(rows) + "\n")
    return folder / "cohort.csv"
