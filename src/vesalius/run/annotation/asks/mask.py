"""A mask on a case's image: which label each voxel has."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from vesalius import formats
from vesalius.core.case import Ref
from vesalius.core.cohort import Label
from vesalius.core.errors import DataError
from vesalius.core.grids import Gridded
from vesalius.core.image import Array
from vesalius.run.annotation import runs
from vesalius.run.annotation.asks.contract import AskKind, Compared, Drawings


class Drawn(AskKind):
    """What is said is an array of label values on the image's grid, or runs of them; a reading keeps its hash."""

    name: ClassVar[str] = "mask"
    placed: ClassVar[bool] = True
    drawn: ClassVar[bool] = True

    def checked(self, said: Any, labels: Sequence[Label], grid: Gridded) -> Array:
        """Return the mask `(Z, Y, X)` in the smallest unsigned type that holds the labels' values."""
        values = np.array([0, *(x.value for x in labels)])
        if isinstance(said, np.ndarray):
            array = said
            if array.shape != tuple(grid.shape):
                raise DataError(
                    "the mask has another shape than its image",
                    found=f"{array.shape}",
                    hint=f"{tuple(grid.shape)} (z, y, x)",
                )
        else:
            array = runs.decoded(said, grid.shape)
        strange = np.unique(array[~np.isin(array, values)])
        if len(strange):
            known = ", ".join(f"{x.value} {x.name}" for x in labels)
            raise DataError(
                "the mask has values that no label has", found=str(strange[:5].tolist()), hint=f"0, {known}"
            )
        return array.astype(np.uint8 if values.max() < 256 else np.uint16)

    def compared(self, labels: tuple[Label, ...]) -> Iterator[Compared]:
        """Yield the mask."""
        yield Compared(self.name, True, labels, lambda said, drawings: drawings(said))

    def differ(
        self, said: Mapping[str, Any], labels: Sequence[Label], drawings: Drawings, *, below: float
    ) -> dict[str, Any] | None:
        """Return each label's smallest Dice of two annotators, where one of them is below."""
        files = [drawings(value) for value in said.values() if value is not None]
        if len(set(files)) < 2:
            return None
        drawn = [array_of(path) for path in files]
        found: dict[str, float] = {}
        for label in labels:
            each = [
                dice(a == label.value, b == label.value) for k, a in enumerate(drawn) for b in drawn[k + 1 :]
            ]
            known = [d for d in each if d is not None]
            if known:
                found[label.name] = min(known)
        return {"dice": found} if any(d < below for d in found.values()) else None


def dice(one: Array, other: Array) -> float | None:
    """Return the Dice of two masks of bits; None where both are empty."""
    size = int(one.sum()) + int(other.sum())
    return None if not size else 2 * int((one & other).sum()) / size


def array_of(path: Path) -> Array:
    """Return the label values `(Z, Y, X)` in a file of one mask."""
    return np.asarray(formats.read_mask(Ref((path,))).array[0])


KIND = Drawn()
