"""The features of one case: its image, its mask and what is known of both, to a row for each label."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from vesalius.core.errors import DataError
from vesalius.core.feature_table import MEASURED
from vesalius.core.image import Array, Image
from vesalius.core.words import counted
from vesalius.prepare.case import frame
from vesalius.radiomics.measure import families_of, measured_of
from vesalius.radiomics.region import Region, region
from vesalius.radiomics.settings import Settings

PIXELS = "pixels"  # what lengths are in where a picture has no spacing


@dataclass(frozen=True)
class Rows:
    """What was measured of a case: a row for each label, by the names of its columns; and what was not, and why."""

    rows: tuple[Mapping[str, Any], ...]
    aside: tuple[str, ...] = ()


def rows_of(image: Image, regions: Iterable[tuple[str, Array]], *, settings: Settings) -> Rows:
    """Return the features of regions of a case's image: each is the name of a label with its voxels.

    Voxels are bits `(Z, Y, X)` on the image's grid. Each row says, beside the features, its `label`, the unit of
    `lengths` (`mm`, `mm at the detector` or `pixels`) and of `intensities`, the `spacing_x`, `spacing_y` and
    `spacing_z` that was measured on (that of a picture is None), `voxels` and `grey_levels`, the number of different
    ones. A label without a voxel is set aside, not zero.

    Raises DataError where the image cannot be measured at all: it has several channels of which none is chosen, or is
    a volume of unknown spacing.
    """
    values, (spacing, unit) = channel(image, settings), spacing_of(image, settings)
    settings = replace(settings, flat=settings.flat or image.is_2d)  # a picture is never resampled to slices
    families = families_of(settings, flat=image.is_2d)
    rows, aside = [], []
    for name, bits in regions:
        try:
            about = region(values, bits, np.asarray(spacing)[::-1], settings)
            features = measured_of(about, settings, families)
        except DataError as error:
            aside.append(f"{name}: {error}")
            continue
        told = _told(about, name, unit, image.unit)
        rows.append({**told, **({"spacing_z": None} if image.is_2d else {}), **features})
    return Rows(tuple(rows), tuple(aside))


def channel(image: Image, settings: Settings) -> Array:
    """Return the channel to measure, `(Z, Y, X)`, dark where nothing is.

    Raises DataError for one that has several different channels, of which the settings choose none, or frames.
    """
    array = frame(image)
    if settings.channel is not None:
        if settings.channel >= len(array):
            raise DataError(f"no channel {settings.channel}", found=counted(len(array), "channel"))
        return np.asarray(array[settings.channel])
    if any(not np.array_equal(array[0], other) for other in array[1:]):
        raise DataError(
            "an image of several channels, and intensities are of one",
            found=", ".join(image.channels) or counted(len(array), "channel"),
            hint="--set channel=0 for the first",
        )
    return np.asarray(array[0])


def spacing_of(image: Image, settings: Settings) -> tuple[tuple[float, float, float], str]:
    """Return the spacing `(x, y, z)` to measure with, and what lengths are in.

    A picture without a spacing is measured in pixels. Raises DataError for a volume without, and where it would have
    to be resampled.
    """
    if image.spacing_mm is not None:
        return image.spacing_mm, "mm" if image.spacing_at != "detector" else "mm at the detector"
    if not image.is_2d or settings.spacing_mm is not None:
        raise DataError(
            "the size of the image's voxels is not known, so nothing can be measured in mm",
            found="no spacing in its file",
            hint="files that say it",
        )
    return (1.0, 1.0, 1.0), PIXELS


def _told(about: Region, label: str, unit: str, intensities: str | None) -> dict[str, Any]:
    z, y, x = (float(s) for s in about.spacing)
    told = (
        label,
        unit,
        intensities or "",
        x,
        y,
        z,
        int(about.body.sum()),
        len(np.unique(about.levels[about.inside])),
    )
    return dict(zip(MEASURED, told, strict=True))
