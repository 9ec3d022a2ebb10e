"""Two files under one instance UID: whether they hold the same image, however it is stored."""

from __future__ import annotations

import numpy as np

from vesalius.core.errors import FormatError
from vesalius.formats import _dicom_bytes as raw
from vesalius.formats import _dicom_elements as elements
from vesalius.formats import _dicom_nuclear as nuclear
from vesalius.formats._dicom_alike import traits
from vesalius.formats._dicom_pixels import Frames, layout


def assert_same(one: raw.File, other: raw.File) -> None:
    """Raises FormatError where two files differ in their pixels, or in where these lie or what they mean."""
    if traits(one) != traits(other) or _meant(one) != _meant(other) or not _same_pixels(one, other):
        raise FormatError(
            "two different images stand under one SOPInstanceUID",
            found=f"{one.path.name} and {other.path.name}",
            hint="take the one away that is not the original",
        )


def _meant(file: raw.File) -> list[object]:
    frames = int(file.head.get("NumberOfFrames") or 1)
    groups = nuclear.frame_groups(file.head, frames)
    return [frames, *((elements.plane(file.head, g), elements.rescale(file.head, g)) for g in groups or [()])]


def _same_pixels(one: raw.File, other: raw.File) -> bool:
    here, there = layout(one), layout(other)
    if here != there and (here.frames, here.colour, here.signed) != (
        there.frames,
        there.colour,
        there.signed,
    ):
        return False
    mine, theirs = Frames(one, here), Frames(other, there)
    return all(np.array_equal(mine.plane(k), theirs.plane(k)) for k in range(here.frames))
