"""Seeded damage to every format: whatever happens to the bytes, reading gives an image or a FormatError."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest

from vesalius import formats
from vesalius.core.errors import FormatError
from vesalius.core.image import Image

SUFFIXES = (
    ".nii",
    ".nii.gz",
    ".npz",
    ".npy",
    ".mha",
    ".nrrd",
    ".png",
    ".tif",
    ".bmp",
    ".gif",
    ".webp",
    ".jpg",
)
ROUNDS = 60


def mutated(good: bytes, generator: np.random.Generator) -> bytes:
    """A few bytes changed (mostly in the first 512), cut, doubled or zeroed."""
    bad = bytearray(good)
    reach = min(len(bad), 512) if generator.random() < 0.7 else len(bad)
    for _ in range(int(generator.integers(1, 6))):
        bad[int(generator.integers(reach))] = int(
            generator.choice([0, 1, 127, 128, 255, generator.integers(256)])
        )
    kind, at = generator.integers(5), int(generator.integers(len(bad)))
    if kind == 0:
        return bytes(bad[:at])
    if kind == 1:
        return bytes(bad[:at] + bad[at // 2 :])
    if kind == 2:
        bad[at : at + 16] = bytes(len(bad[at : at + 16]))
    return bytes(bad)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_only_format_errors_come_out_of_damaged_files(tmp_path: Path, suffix: str) -> None:
    generator = np.random.default_rng(len(suffix) + sum(suffix.encode()))
    array = generator.integers(0, 255, (1, 1, 12, 14)).astype(np.uint8)
    path = formats.write(Image(array=array), tmp_path / f"x{suffix}")
    good = path.read_bytes()
    refused = 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for _ in range(ROUNDS):
            path.write_bytes(mutated(good, generator))
            for what in (formats.header, formats.read_mask):
                try:
                    what(path)
                except FormatError as error:
                    refused += 1
                    assert "\n" not in str(error)
    assert refused > ROUNDS / 10
