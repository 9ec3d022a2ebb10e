"""Boxes in an item of somebody's dataset: `{"boxes": (N, 4), "labels": (N,)}`, as torchvision's datasets have them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from vesalius.cohorts.targets._named import class_name
from vesalius.core.case import Box
from vesalius.core.errors import DataError
from vesalius.core.image import Image
from vesalius.core.words import counted


def boxes_of(value: Any, *, classes: Sequence[str], image: Image) -> tuple[Box, ...] | None:
    """Return the boxes that a mapping holds; None for what is no such mapping. A tuple of Box objects stays as it is.

    `boxes` `(N, 4)` are x, y of the low and of the high corner, `(N, 6)` x, y, z of both, in pixels from 0, the high
    corner where the box ends. `labels` are names, or numbers of `classes`; `iscrowd`, where it is there, marks crowds.
    Raises DataError for what is such a mapping and cannot be read.
    """
    if isinstance(value, tuple) and value and all(isinstance(v, Box) for v in value):
        return value
    if not isinstance(value, Mapping) or "boxes" not in value or "labels" not in value:
        return None
    try:
        corners = np.asarray(value["boxes"], dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise DataError("boxes are an array of numbers", found=str(value["boxes"])[:60]) from error
    if corners.size == 0:
        return ()
    if corners.ndim != 2 or corners.shape[1] not in (4, 6):
        raise DataError("boxes have shape (N, 4), or (N, 6) in a volume", found=f"shape {corners.shape}")
    if corners.shape[1] == 4 and image.shape[0] > 1:
        raise DataError(
            "boxes in a volume have six numbers: x, y, z of the low and of the high corner",
            found=f"shape {corners.shape} on an image of (Z, Y, X) {image.shape}",
        )
    names = list(value["labels"])
    crowds = list(value.get("iscrowd", [0] * len(corners)))
    if not len(names) == len(corners) == len(crowds):
        raise DataError(
            "each box needs one label", found=f"{counted(len(names), 'label')}, {len(corners)} boxes"
        )
    half = corners.shape[1] // 2
    low, high = corners[:, :half], corners[:, half:]
    if not np.isfinite(corners).all() or (high <= low).any():
        k = int(np.flatnonzero(~(np.isfinite(corners).all(axis=1) & (high > low).all(axis=1)))[0])
        raise DataError(
            f"box {k} has no extent",
            found=str(corners[k].tolist()),
            hint="corners: x0, y0, x1, y1 with x1 > x0",
        )
    return tuple(
        Box(_zyx(a, 0.0), _zyx(b, 1.0), _name(name, classes), crowd=bool(crowd))
        for a, b, name, crowd in zip(low, high, names, crowds, strict=True)
    )


def _name(label: Any, classes: Sequence[str]) -> str:
    return label if isinstance(label, str) else class_name(int(label), classes)


def _zyx(corner: Any, z: float) -> tuple[float, float, float]:
    return (float(corner[2]) if len(corner) > 2 else z, float(corner[1]), float(corner[0]))
