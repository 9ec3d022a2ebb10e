"""Measuring: all planned families of one mask in one image, under PyRadiomics' names."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from vesalius.core.errors import UnknownName
from vesalius.core.image import Array
from vesalius.radiomics import firstorder, glcm, gldm, glrlm, glszm, ngtdm, shape, shape2d
from vesalius.radiomics.region import Region, region
from vesalius.radiomics.settings import Settings

Measure = Callable[[Region, Settings], dict[str, float]]
FAMILIES: Mapping[str, tuple[Measure, Sequence[str]]] = {
    "shape": (shape.shape, shape.NAMES),
    "shape2D": (shape2d.shape2d, shape2d.NAMES),
    "firstorder": (firstorder.firstorder, firstorder.NAMES),
    "glcm": (glcm.glcm, glcm.NAMES),
    "glrlm": (glrlm.glrlm, glrlm.NAMES),
    "glszm": (glszm.glszm, glszm.NAMES),
    "ngtdm": (ngtdm.ngtdm, ngtdm.NAMES),
    "gldm": (gldm.gldm, gldm.NAMES),
}


def families_of(settings: Settings, *, flat: bool) -> tuple[str, ...]:
    """Return the families to measure, by default all; of shape that which suits pictures (`flat`) or volumes.

    Raises UnknownName.
    """
    for name in settings.families:
        if name not in FAMILIES:
            raise UnknownName("family of radiomics", name, FAMILIES)
    chosen = settings.families or tuple(FAMILIES)
    left = "shape" if flat else "shape2D"
    return tuple(name for name in chosen if settings.families or name != left)


def names_of(settings: Settings, *, flat: bool) -> tuple[str, ...]:
    """Return the names of the features that are measured, in their order: `original_FAMILY_FEATURE`."""
    return tuple(
        f"original_{family}_{name}"
        for family in families_of(settings, flat=flat)
        for name in FAMILIES[family][1]
    )


def measured(
    values: Array, mask: Array, spacing: Sequence[float], *, settings: Settings, flat: bool = False
) -> dict[str, float]:
    """Return the features of a mask `(Z, Y, X)` of bits in an image `(Z, Y, X)` by name.

    `spacing` is `(x, y, z)` in mm, or ones where measures are in pixels. `flat` says that this is a picture, of which
    `shape2D` is measured by default. A feature is NaN where the definition has none, such as a texture of one voxel.

    Raises DataError where the mask is empty, its intensities are not numbers, or their grey levels are too many.
    """
    about = region(values, mask, np.asarray(spacing, np.float64)[::-1], settings)
    return measured_of(about, settings, families_of(settings, flat=flat))


def measured_of(about: Region, settings: Settings, families: Sequence[str]) -> dict[str, float]:
    """Return the features of a region by name, of these families."""
    found: dict[str, float] = {}
    for family in families:
        measure, names = FAMILIES[family]
        values = measure(about, settings)
        found |= {f"original_{family}_{name}": values[name] for name in names}
    return found
