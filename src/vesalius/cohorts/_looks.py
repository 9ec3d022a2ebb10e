"""Telling masks from images, and a field of view from a mask of something, by their pixels."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from vesalius import formats
from vesalius.core.errors import VesaliusError
from vesalius.core.image import Array

SAMPLE = 6
FEW = 32
_NAMED = re.compile(
    r"(^|[^a-z])(masks?|segs?|segmentations?|labels?|annotations?|gt|ground.?truth)([^a-z]|$)", re.I
)
FLAT = 0.8  # share of neighbours with one value, from which on an image consists of flat patches
FOV_SHARE = 0.35
FOV_SPREAD = 0.05


def is_mask_like(paths: Sequence[Path]) -> bool:
    """Return whether the readable ones of a few files hold whole numbers of at most 32 different values each.

    More values are taken where they are the blurred edges of one label; where that is not sure, if a name says so.
    """
    looked = 0
    for path in spread(paths, SAMPLE):
        try:
            array = formats.read_mask(path).array
        except VesaliusError:
            try:
                formats.header(path)
            except VesaliusError:
                continue  # damaged: says nothing
            return False
        values, counts = np.unique(array, return_counts=True)
        if len(values) > FEW:
            edges = formats.blurred(dict(zip(values.tolist(), counts.tolist(), strict=True)))
            if not edges and (edges is None or not _NAMED.search(f"{path.parent.name}/{path.name}")):
                return False
        looked += 1
    return looked > 0


def is_ids_like(paths: Sequence[Path]) -> bool:
    """Return whether the readable ones of a few files hold more whole numbers than a mask of labels, in flat patches.

    So do masks of ids, one a thing; the values of an image change from pixel to pixel.
    """
    looked = 0
    for path in spread(paths, SAMPLE):
        try:
            array = formats.read_mask(path).array[0]
        except VesaliusError:
            try:
                formats.header(path)
            except VesaliusError:
                continue  # damaged: says nothing
            return False
        beside = (array[..., 1:] != 0) & (array[..., :-1] != 0)
        if beside.any() and float((array[..., 1:] == array[..., :-1])[beside].mean()) < FLAT:
            return False
        looked += int(beside.any())
    return looked > 0


def is_field_of_view(paths: Sequence[Path]) -> str | None:
    """Return why masks look like a field of view, or None.

    Each must be one piece without holes that covers more than a third of the picture, and of nearly the same
    size (within 5 %) and place in all of them.
    """
    shares, centres = [], []
    for path in spread(paths, 20):
        try:
            array = formats.read_mask(path).array[0]
        except VesaliusError:
            continue
        plane = array[array.shape[0] // 2] != 0
        if array.shape[0] != 1 or not _one_piece(plane):
            return None
        shares.append(float(plane.mean()))
        rows, columns = np.nonzero(plane)
        centres.append((rows.mean() / plane.shape[0], columns.mean() / plane.shape[1]))
    if len(shares) < 2 or min(shares) < FOV_SHARE:
        return None
    mean = float(np.mean(shares))
    if float(np.ptp(shares)) > 2 * FOV_SPREAD * mean or float(np.ptp(np.array(centres), axis=0).max()) > 0.1:
        return None
    return f"one piece without holes over {mean:.0%} of every picture, of the same size and place in each"


def spread(paths: Sequence[Path], count: int) -> list[Path]:
    """Return at most `count` of the paths, evenly spread, the first and the last among them."""
    if len(paths) <= count:
        return list(paths)
    return [paths[k] for k in np.linspace(0, len(paths) - 1, count).round().astype(int)]


def _one_piece(plane: Array) -> bool:
    from scipy import ndimage

    if not plane.any():
        return False
    labelled, count = ndimage.label(plane)
    sizes = np.bincount(labelled.ravel())[1:]
    if count > 1 and sizes.max() < 0.995 * sizes.sum():
        return False
    holes = int(ndimage.binary_fill_holes(plane).sum() - plane.sum())
    return holes < 0.005 * int(plane.sum())
