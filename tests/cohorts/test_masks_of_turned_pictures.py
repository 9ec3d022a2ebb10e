"""Photographs that EXIF turns, with masks of which it is or is not known on which pixels they were drawn."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pil

from vesalius import cohorts
from vesalius.core.errors import GeometryError
from vesalius.reliability.inspect import inspect


def pictures(root: Path, tag: int | None, mask: tuple[int, int], own: int | None = None) -> Path:
    """Twelve photographs of 8 × 12 with masks; the third is turned by `tag`, its mask has the shape `mask`."""
    rng = np.random.default_rng(1)
    for folder in ("images", "masks"):
        (root / folder).mkdir(parents=True)
    for k in range(12):
        odd = k == 3
        photo, drawn = Pil.Exif(), Pil.Exif()
        if odd and tag is not None:
            photo[0x0112] = tag
        if odd and own is not None:
            drawn[0x0112] = own
        image = rng.integers(0, 255, (8, 12, 3)).astype(np.uint8)
        Pil.fromarray(image).save(root / "images" / f"{k:02}.jpg", exif=photo)
        labels = rng.integers(0, 2, mask if odd else (8, 12)).astype(np.uint8)
        Pil.fromarray(labels).save(root / "masks" / f"{k:02}.png", exif=drawn)
    return root


@pytest.mark.parametrize(
    ("tag", "mask", "own"),
    [(6, (12, 8), None), (3, (8, 12), 1), (3, (8, 12), 3), (8, (8, 12), 8), (1, (8, 12), None)],
)
def test_a_mask_that_fits_what_is_seen_is_used(
    tmp_path: Path, tag: int, mask: tuple[int, int], own: int | None
) -> None:
    checked = cohorts.check(cohorts.read(pictures(tmp_path, tag, mask, own)))
    assert len(checked.cases) == 12 and not checked.set_aside


@pytest.mark.parametrize(
    ("tag", "mask", "words"),
    [
        (3, (8, 12), "perhaps been drawn on other pixels than its image's"),
        (2, (8, 12), "perhaps been drawn on other pixels than its image's"),
        (6, (8, 12), "another shape than its image: (1, 8, 12) and (1, 12, 8)"),
    ],
)
def test_a_mask_of_which_that_is_not_known_stops_it_and_names_exif(
    tmp_path: Path, tag: int, mask: tuple[int, int], words: str
) -> None:
    cohort = cohorts.read(pictures(tmp_path, tag, mask))
    with pytest.raises(GeometryError) as error:
        cohorts.check(cohort)
    assert words in str(error.value) and f"EXIF orientation {tag}" in str(error.value)
    first = inspect(cohort).findings[0]
    assert (first.severity, first.cases) == ("error", ("03",)) and f"EXIF orientation {tag}" in first.text
