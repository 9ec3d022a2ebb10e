"""Pictures that EXIF turns are seen as before in their copies, which hold nothing else of EXIF."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pil

from vesalius import formats
from vesalius.core.grids import EXIF_ORIENTATION
from vesalius.deidentify.picture import strip

ARTIST, NAME = 0x013B, "Planted^Name"


@pytest.mark.parametrize("suffix", ["png", "webp", "tif", "jpg"])
@pytest.mark.parametrize("tag", [None, 1, 3, 6])
def test_the_orientation_stays_and_a_name_does_not(tmp_path: Path, suffix: str, tag: int | None) -> None:
    exif = Pil.Exif()
    exif[ARTIST] = NAME
    if tag is not None:
        exif[0x0112] = tag
    pixels = np.random.default_rng(0).integers(0, 255, (6, 9, 3)).astype(np.uint8)
    options = {"webp": {"lossless": True}, "tif": {"compression": "tiff_deflate"}}.get(suffix, {})
    path = tmp_path / f"x.{suffix}"
    Pil.fromarray(pixels).save(path, exif=exif, **options)  # type: ignore[arg-type]
    copy = tmp_path / f"y.{suffix}"
    copy.write_bytes(strip(path.read_bytes()))
    assert NAME.encode() in path.read_bytes() and NAME.encode() not in copy.read_bytes()
    before, after = formats.read(path), formats.read(copy)
    assert np.array_equal(before.array, after.array) and after.display == before.display
    assert after.display.get(EXIF_ORIENTATION) == tag
    assert strip(copy.read_bytes()) == copy.read_bytes()
