"""A model of clicks for tests that needs no training: the bright region that a stroke lies in, by its own index."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import numpy as np
from scipy import ndimage

from vesalius.core.answers.mask import Mask
from vesalius.core.cohort import Label
from vesalius.core.guidance import Guidance, Stroke
from vesalius.core.image import Image
from vesalius.serve.http.catalogue import Catalogue


class Growing:
    """Each stroke that adds takes the connected bright regions that it touches, each that removes gives them up."""

    def __init__(self, predictor: Any, image: Image) -> None:
        self.image, self.guidance = image, Guidance()
        grey = image.array.astype(float).max(axis=0)
        self.regions, _ = ndimage.label(grey > (grey.min() + grey.max()) / 2)
        self.first: np.ndarray[Any, Any] = np.zeros(grey.shape, bool)

    @property
    def nbytes(self) -> int:
        return int(self.image.array.nbytes + self.regions.nbytes)

    @property
    def mask(self) -> Mask:
        bits = self.first.copy()
        for stroke in self.guidance.strokes:
            touched = np.unique(self.regions[tuple(stroke.voxels().T)])
            bits[np.isin(self.regions, touched[touched > 0])] = stroke.adds
        array = bits[None].astype(np.uint8)
        held = replace(self.image, array=array, unit=None, channels=(), display={})
        return Mask(image=held, labels=(Label(1, "object"),), source=self.image.source)

    def add(self, stroke: Stroke) -> Mask:
        self.guidance = self.guidance.added(stroke)
        return self.mask

    def undo(self) -> Mask:
        self.guidance = self.guidance.undone()
        return self.mask

    def begin(self, mask: Mask) -> Mask:
        self.first = mask.image.array[0] != 0
        return self.mask


def clickable(models: Catalogue, *names: str) -> Catalogue:
    """The models, some of which say that they take clicks."""
    made = copy.copy(models)
    made.by_name = {n: replace(m, about={**m.about, "clicks": n in names}) for n, m in models.by_name.items()}
    return made


def blob(shape: tuple[int, int, int], *middles: tuple[int, int, int], seed: int = 5) -> Any:
    """A dim volume `(Z, Y, X)` int16 with a bright box of 3 × 3 × 3 voxels (of a picture 3 × 3) around each middle."""
    array = np.random.default_rng(seed).integers(0, 20, shape).astype(np.int16)
    for middle in middles:
        array[tuple(slice(max(0, m - 1), m + 2) for m in middle)] = 1000
    return array


def bits_of(said: dict[str, Any], before: Any = None) -> Any:
    """The mask that an answer tells of, `(Z, Y, X)`, its runs read one by one; its count must be the told one."""
    flat = np.zeros(int(np.prod(said["shape"])), bool) if before is None else before.reshape(-1).copy()
    at = 0
    for gap, length in zip(said["flips"][0::2], said["flips"][1::2], strict=True):
        at += gap
        flat[at : at + length] = ~flat[at : at + length]
        at += length
    assert flat.sum() == said["voxels"]
    return flat.reshape(said["shape"])
