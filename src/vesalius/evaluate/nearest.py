"""The nearest training case of each case, by how alike their images are: what it says is a rival that learned nothing.

Images are alike by the correlation of small copies, `GRID` points along an axis, so that no model is asked. The texts
of training cases are read from the cases that are given, never from a bundle, which holds none.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from vesalius.core.answers import Answer
from vesalius.core.case import Case
from vesalius.core.errors import VesaliusError
from vesalius.core.image import Array, Image
from vesalius.core.progress import Progress
from vesalius.prepare.case import load_reference
from vesalius.prepare.geometry import upright

GRID = (16, 32, 32)  # points along z, y and x of a small copy
MOST = 2000  # training cases that are looked at, evenly spread in their order
STEP = "the nearest training cases"


class Nearest:
    """Training cases with what their truths say as answers, found by their images; empty where no kind says that."""

    def __init__(
        self, cases: Sequence[Case], quoted: Callable[[Case], Answer | None], *, progress: Progress
    ) -> None:
        self.answers: list[Answer] = []
        self.ids: list[str] = []
        copies: list[Array] = []
        chosen = [cases[k] for k in spread(len(cases), MOST)]
        progress.start(STEP, len(chosen))
        try:
            for case in chosen:
                progress.advance(STEP)
                copy = _copy_of(case)
                answer = None if copy is None else quoted(case)
                if copy is not None and answer is not None:
                    copies.append(copy)
                    self.answers.append(answer)
                    self.ids.append(case.id)
        finally:
            progress.finish(STEP)
        self._copies = np.stack(copies) if copies else np.zeros((0, int(np.prod(GRID))))

    def __len__(self) -> int:
        return len(self.answers)

    def of(self, reference: Image, case_id: str) -> Answer | None:
        """Return what the training case says whose image is most alike, never the case itself; None where none is."""
        alike = self._copies @ small(reference).ravel() if len(self) else np.zeros(0)
        for place in np.argsort(-alike, kind="stable"):
            if self.ids[int(place)] != case_id:
                return self.answers[int(place)]
        return None


def spread(many: int, most: int) -> list[int]:
    """Return at most `most` places among `many`, evenly spread."""
    return sorted({int(k) for k in np.linspace(0, many - 1, min(many, most)).round()}) if many else []


def small(image: Image) -> Array:
    """Return a small copy of an image, `GRID`, of mean 0 and of length 1: two of them multiply to their correlation.

    Each point is the mean of the voxels that lie nearest to it, over the channels and, of a cine, the first frame. A
    flat image is 0 throughout.
    """
    shown = upright(image)
    array = shown.array if shown.times_s is None else shown.array[0]
    found: Array = np.nan_to_num(np.asarray(array, dtype=np.float32)).mean(axis=0)
    for axis, wanted in enumerate(GRID):
        found = _along(found, axis, wanted)
    centred: Array = found - found.mean()
    size = float(np.linalg.norm(centred))
    return np.asarray(centred / size) if size > 0 else centred


def _along(array: Array, axis: int, wanted: int) -> Array:
    """Return an array with `wanted` points along an axis: means of runs, or each point several times."""
    many = array.shape[axis]
    if many < wanted:
        repeated: Array = np.take(array, (np.arange(wanted) * many) // wanted, axis=axis)
        return repeated
    edges = (np.arange(wanted) * many) // wanted
    sizes = np.diff([*edges.tolist(), many])
    summed: Any = np.add.reduceat(array, edges, axis=axis)
    shape = [1] * array.ndim
    shape[axis] = wanted
    found: Array = summed / sizes.reshape(shape)
    return found


def _copy_of(case: Case) -> Array | None:
    """Return a training case's small copy; None of a case whose image cannot be read."""
    try:
        return small(load_reference(case)).ravel()
    except VesaliusError:
        return None
