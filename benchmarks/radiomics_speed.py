"""How long radiomics of 100 lesions of 64³ take, all families; the named peer, PyRadiomics, has no wheel to install."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from benchmarks._figures import Figure, at_most
from vesalius.core.image import Array
from vesalius.radiomics import Settings, families, measured

SECTION = "Radiomics"
SOAK = False
SEEDS = (0,)
WORKERS = 2
LESIONS, SIDE = 100, 64
BOUND_S = 60.0


def run(folder: Path, *, seeds: Sequence[int], quick: bool = False) -> list[Figure]:
    """Measure uneven balls that fill their box, of textures that span some 400 HU; and each family of one alone."""
    count, side = (4, 24) if quick else (LESIONS, SIDE)
    mask, texture = _ball(side, seeds[0]), _texture(side, seeds[0])

    def one(number: int) -> int:
        values = np.roll(texture, number, axis=(0, 1, 2))
        return len(measured(values, mask, (0.8, 0.8, 1.0), settings=Settings()))

    began, spent = time.perf_counter(), time.process_time()
    with ThreadPoolExecutor(WORKERS) as pool:
        features = set(pool.map(one, range(count)))
    took, spent = time.perf_counter() - began, time.process_time() - spent
    what = f"{count} lesions of {side}³, {features.pop()} features, {WORKERS} workers"
    note = f"{int(mask.sum()):,} voxels each; PyRadiomics has no wheel to be measured beside"
    rows = [
        at_most(what, took, BOUND_S, unit=" s", digits=1, note=note),
        Figure(
            "the same in processor time",
            f"{spent:.1f} s",
            note="which other work on the machine leaves alone",
        ),
    ]
    for family in families.usual(flat=False):
        began = time.perf_counter()
        measured(texture, mask, (0.8, 0.8, 1.0), settings=Settings(families=(family,)))
        rows.append(Figure(f"{family} of one lesion", f"{time.perf_counter() - began:.3f} s"))
    return rows


def _ball(side: int, seed: int) -> Array:
    """Return a ball that fills its box, with an uneven surface."""
    from scipy.ndimage import gaussian_filter

    z, y, x = np.mgrid[:side, :side, :side] - (side - 1) / 2
    uneven = gaussian_filter(np.random.default_rng(seed).normal(size=3 * (side,)), side / 12)
    return np.asarray(np.sqrt(z**2 + y**2 + x**2) < side / 2 - 1 + uneven / uneven.std() * side / 40)


def _texture(side: int, seed: int) -> Array:
    """Return a smooth random texture about 40 HU."""
    from scipy.ndimage import gaussian_filter

    noise = gaussian_filter(np.random.default_rng(seed + 1).normal(size=3 * (side,)), 1.5)
    return np.asarray(40 + 60 * noise / noise.std())
