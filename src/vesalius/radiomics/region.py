"""Region: a mask's voxels with their intensities and grey levels, cut out of the image, ready for every family."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vesalius.core.errors import DataError
from vesalius.core.image import Array
from vesalius.core.words import counted
from vesalius.radiomics.resample import resampled
from vesalius.radiomics.settings import MAX_LEVELS, Settings


@dataclass(frozen=True, eq=False)
class Region:
    """What is measured, cut to the mask.

    `body` `(Z, Y, X)` bits: the mask, of which the shape is measured. `inside` `(Z, Y, X)` bits, of its own cut: the
    voxels whose intensities count. `values` `(Z, Y, X)` float64 and `levels` `(Z, Y, X)` int32 lie on the grid of
    `inside`; `levels` are the grey levels from 1, and 0 outside. `spacing` is `(z, y, x)`, in mm or in pixels.
    `highest` is the greatest grey level, Ng of the definitions.
    """

    body: Array
    inside: Array
    values: Array
    levels: Array
    spacing: Array

    @property
    def intensities(self) -> Array:
        """The intensities that count, `(N,)` float64."""
        found: Array = self.values[self.inside]
        return found

    @property
    def highest(self) -> int:
        """The greatest grey level."""
        return int(self.levels.max())


def region(values: Array, mask: Array, spacing: Array, settings: Settings) -> Region:
    """Return the region of a mask `(Z, Y, X)` of bits in an image `(Z, Y, X)`; `spacing` is `(z, y, x)`.

    Raises DataError where nothing is in the mask, an intensity in it is not a number, or it has too many grey levels.
    """
    if values.shape != mask.shape:
        raise DataError(
            "a mask must lie on the image's grid", found=f"shapes {mask.shape} and {values.shape}"
        )
    if not mask.any():
        raise DataError("the mask is empty")
    if settings.normalise:
        values = _normalised(values, settings)
    spacing = np.asarray(spacing, np.float64)
    if settings.spacing_mm is not None:
        values, mask, spacing = resampled(values, mask, spacing, _wanted(settings, spacing))
        if not mask.any():
            raise DataError("the mask is empty after resampling", hint="a finer spacing_mm")
    body = mask[box_of(mask)]
    inside = _within(values, mask, settings)
    if not inside.any():
        raise DataError("no voxel of the mask has an intensity within `range`", found=str(settings.range))
    cut = box_of(inside)
    inside, part = inside[cut], np.where(inside[cut], values[cut], 0).astype(np.float64)
    bad = int(np.count_nonzero(~np.isfinite(part)))
    if bad:
        raise DataError(f"{counted(bad, 'voxel')} of the mask {'is' if bad == 1 else 'are'} NaN or infinite")
    levels = np.zeros(part.shape, np.int32)
    levels[inside] = grey_levels(part[inside], settings)
    return Region(body, inside, part, levels, spacing)


def grey_levels(intensities: Array, settings: Settings) -> Array:
    """Return the grey levels from 1 of intensities `(N,)`, int32.

    With a width, level borders lie at its multiples, so that a level means the same in every case; the least is 1. With
    a count, the borders divide the reach of these intensities evenly (IBSI 2.7; PyRadiomics' `getBinEdges`).

    Raises DataError where there would be more than MAX_LEVELS.
    """
    low, high = float(intensities.min()), float(intensities.max())
    if settings.bin_count is not None:
        edges = np.linspace(low, high, settings.bin_count + 1) if high > low else np.array([low, high])
        return np.asarray(np.clip(np.digitize(intensities, edges), 1, len(edges) - 1), np.int32)
    width = settings.bin_width
    start = low - low % width
    many = int((high - start) // width) + 1
    if many > MAX_LEVELS:
        raise DataError(
            f"more than {MAX_LEVELS} grey levels in the mask",
            found=f"intensities from {low:.6g} to {high:.6g} at a bin width of {width:g}",
            hint="--set bin_width=… wider, or --set bin_count=64",
        )
    edges = start + width * np.arange(many + 1)
    return np.asarray(np.clip(np.digitize(intensities, edges), 1, None), np.int32)


def box_of(mask: Array) -> tuple[slice, ...]:
    """Return the smallest box of indices that holds all that is set in a mask which is not empty."""
    found = []
    for axis in range(mask.ndim):
        some = np.flatnonzero(mask.any(axis=tuple(k for k in range(mask.ndim) if k != axis)))
        found.append(slice(int(some[0]), int(some[-1]) + 1))
    return tuple(found)


def _normalised(values: Array, settings: Settings) -> Array:
    """Return an image at mean 0 and the planned standard deviation, cut off where that is planned."""
    spread = float(values.std(ddof=1, dtype=np.float64))
    if not spread > 0:
        raise DataError("an image of one value cannot be normalised")
    found = (values - values.mean(dtype=np.float64)) / spread
    if settings.outliers is not None:
        found = np.clip(found, -settings.outliers, settings.outliers)
    return np.asarray(found * settings.normalise_scale)


def _wanted(settings: Settings, spacing: Array) -> Array:
    """Return the spacing `(z, y, x)` to resample to; 0 keeps an axis, and `flat` keeps that across the slices."""
    wanted = np.asarray(settings.spacing_mm, np.float64)[::-1].copy()
    if settings.flat:
        wanted[0] = 0.0
    return np.where(wanted == 0, spacing, wanted)


def _within(values: Array, mask: Array, settings: Settings) -> Array:
    """Return the voxels of a mask whose intensity is within the planned range."""
    if settings.range is None:
        return mask
    low, high = settings.range
    if settings.range_of == "sigma":
        chosen = values[mask].astype(np.float64)
        low, high = (chosen.mean() + end * chosen.std() for end in (low, high))
    return np.asarray(mask & (values >= low) & (values <= high))
