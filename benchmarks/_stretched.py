"""A large CT to measure memory and time on: an abdominal phantom, stretched to the size that is wanted."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from vesalius import formats
from vesalius.core.image import Image
from vesalius.phantom.ct import patient
from vesalius.prepare.geometry import resample

SPACING = 0.8  # mm


def stretched_ct(path: Path, shape: tuple[int, int, int], seed: int) -> None:
    """Write an abdominal phantom stretched to `shape`, with noise of its own, int16."""
    study = patient(0, seed, size="small")
    array = resample(study.image[None], shape)[0]
    noise, out = np.random.default_rng(seed), np.empty(shape, np.int16)
    for z in range(shape[0]):
        out[z] = np.rint(array[z] + noise.normal(0, 10, shape[1:]))
    formats.write(Image(out[None], affine=np.diag([SPACING, SPACING, SPACING, 1.0])), path)
