"""Measuring: all planned families of one mask in one image, under PyRadiomics' names."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vesalius.core.image import Array
from vesalius.radiomics import families
from vesalius.radiomics.region import Region, region
from vesalius.radiomics.settings import Settings


def families_of(settings: Settings, *, flat: bool) -> tuple[str, ...]:
    """Return the families to measure, by default all that suit pictures (`flat`) or volumes. Raises UnknownName."""
    for name in settings.families:
        families.get(name)
    return settings.families or families.usual(flat=flat)


def names_of(settings: Settings, *, flat: bool) -> tuple[str, ...]:
    """Return the names of the features that are measured, in their order: `original_FAMILY_FEATURE`."""
    chosen = map(families.get, families_of(settings, flat=flat))
    return tuple(f"{family.prefix}{name}" for family in chosen for name in family.features)


def measured(
    values: Array, mask: Array, spacing: Sequence[float], *, settings: Settings, flat: bool = False
) -> dict[str, float]:
    """Return the features of a mask `(Z, Y, X)` of bits in an image `(Z, Y, X)` by name.

    `spacing` is `(x, y, z)` in mm, or ones where measures are in pixels. `flat` says that this is a picture, of which
    `shape2d` is measured by default. A feature is NaN where the definition has none, such as a texture of one voxel.

    Raises DataError where the mask is empty, its intensities are not numbers, or their grey levels are too many.
    """
    about = region(values, mask, np.asarray(spacing, np.float64)[::-1], settings)
    return measured_of(about, settings, families_of(settings, flat=flat))


def measured_of(about: Region, settings: Settings, chosen: Sequence[str]) -> dict[str, float]:
    """Return the features of a region by name, of these families."""
    found: dict[str, float] = {}
    for family in map(families.get, chosen):
        values = family.measure(about, settings)
        found |= {f"{family.prefix}{name}": values[name] for name in family.features}
    return found
