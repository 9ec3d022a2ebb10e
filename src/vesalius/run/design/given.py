"""What a part is designed on: one image of a bone, from a file, a folder or memory, and which of it is bone."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from vesalius import cohorts, formats
from vesalius.core.case import Case
from vesalius.core.errors import DataError
from vesalius.core.image import Array, Image
from vesalius.core.words import counted
from vesalius.prepare.case import load_reference
from vesalius.shapes.bone import bone_of


@dataclass(frozen=True, eq=False)
class Given:
    """An image of a bone, which of its voxels `(Z, Y, X)` are bone, and the case that a model is asked about."""

    image: Image
    bone: Array
    case: Case


def given(source: Any, *, threshold: float | None = None, label: int | None = None) -> Given:
    """Return the one image of a bone that a source holds: a path, a case, or an image in memory.

    `threshold` is the least value of bone, `label` which label of a mask the bone is. Raises DataError where the source
    holds no single volume, or nobody knows what in it is bone.
    """
    case = _case(source)
    image = load_reference(case)
    if image.array.shape[0] == 1 and image.array.ndim == 4:
        array = image.array
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise DataError("the image has values that are no numbers", found=case.id)
    if label is None:
        return Given(image, _bone(image, threshold), case)
    bone = image.array[0] == label
    if not bone.any():
        values = ", ".join(str(v) for v in np.unique(image.array[0])[:8])
        raise DataError(f"no voxel has the label {label}", found=f"values {values}", hint="--label VALUE")
    one = replace(image, array=bone[None].astype(np.uint8), unit=None)
    return Given(one, bone, Case(case.id, {"image": one}, reference="image"))


def _bone(image: Image, threshold: float | None) -> Array:
    if threshold is None and image.unit is None and image.array.dtype.kind in "iub":
        values = np.unique(image.array[0])
        if 2 < len(values) <= 32 and values[0] == 0:
            raise DataError(
                "the mask has several labels, and one of them is the bone",
                found=", ".join(str(v) for v in values[1:]),
                hint="--label VALUE",
            )
    return bone_of(image, threshold)


def _case(source: Any) -> Case:
    """Return a source as a case of one image. Raises DataError."""
    if isinstance(source, Case):
        return source
    if isinstance(source, Image):
        return Case("bone", {"image": source}, reference="image")
    path = Path(source)
    if not path.exists():
        raise DataError(f"there is no {path}", hint="the file or the folder of one image")
    if path.is_file():
        return Case(formats.stem(path), {"image": formats.read(path)}, reference="image")
    read = cohorts.open_cohort(path, max_set_aside=1.0)
    if len(read.cases) != 1:
        raise DataError(
            f"{path} holds {counted(len(read.cases), 'case')}, and a part is designed for one",
            found="; ".join(s.reason for s in read.set_aside[:1]) or None,
            hint="the folder of one series",
        )
    return replace(read.cases[0], targets={})
