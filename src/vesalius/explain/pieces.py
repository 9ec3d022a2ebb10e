"""Pieces: the image cut into superpixels or supervoxels, and each covariate, to be taken away and put back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from skimage.segmentation import slic
from torch import Tensor

from vesalius.core.image import Array, Triple
from vesalius.explain.question import Changed, Question

SMOOTH = 1.0  # voxels: pieces follow edges, not noise


@dataclass(frozen=True, eq=False)
class Pieces:
    """A case in pieces. `numbers` `(Z, Y, X)` names the piece of each voxel, from 0; covariates follow as pieces.

    `away` `(C, Z, Y, X)` is what stands where a piece was taken away. A covariate that is taken away is at zero, the
    mean that it was scaled by.
    """

    numbers: Array
    places: int
    question: Question
    away: Tensor

    @property
    def count(self) -> int:
        """How many pieces there are, covariates included."""
        beside = self.question.covariates
        return self.places + (0 if beside is None else len(beside))

    def changed(self, kept: Array) -> Iterator[Changed]:
        """Yield the case with the pieces that are kept, one for each row of `kept` `(N, count)` of bits."""
        question = self.question
        number = torch.from_numpy(self.numbers.astype(np.int64)).to(question.image.device)
        for row in torch.from_numpy(np.asarray(kept, dtype=bool)).to(question.image.device):
            image = torch.where(row[: self.places][number][None], question.image, self.away)
            beside = question.covariates
            if beside is not None:
                beside = torch.where(row[self.places :], beside, torch.zeros_like(beside))
            yield image, beside

    def spread(self, weights: Array) -> tuple[Array, Array]:
        """Return the weights of the pieces as a field `(Z, Y, X)`, and those of the covariates `(F,)`."""
        field = np.asarray(weights[: self.places], dtype=np.float32)[self.numbers]
        return field, np.asarray(weights[self.places :], dtype=np.float32)


def cut(question: Question, away: Tensor, *, about: int, spacing_mm: Triple | None = None) -> Pieces:
    """Return the case in about that many pieces; an image is cut once, whichever methods and models look at it.

    `spacing_mm` `(x, y, z)` is that of the prepared grid, so that pieces are as long in millimetres one way as another.
    """
    numbers = numbered(question, about=about, spacing_mm=spacing_mm)
    return Pieces(numbers, int(numbers.max()) + 1, question, away)


def numbered(question: Question, *, about: int, spacing_mm: Triple | None = None) -> Array:
    """Return the number of each voxel's piece, `(Z, Y, X)` int32 from 0 on."""
    if (about, spacing_mm) not in question.cuts:
        found = _superpixels(question.image.cpu().numpy(), about, spacing_mm)
        question.cuts[about, spacing_mm] = found
    return question.cuts[about, spacing_mm]


def means(numbers: Array, field: Array) -> Array:
    """Return the mean of a field in each piece, `(P,)`."""
    flat = numbers.ravel()
    found: Array = np.bincount(flat, np.asarray(field, np.float64).ravel()) / np.bincount(flat)
    return found


def _superpixels(array: Array, about: int, spacing_mm: Triple | None) -> Array:
    """Return pieces by SLIC (Achanta et al. 2012), which follow the edges of the image `(C, Z, Y, X)`.

    How compact they are adapts to each piece (SLICO), so that noise and speckle do not melt them into one.
    """
    low, high = np.percentile(array, (0.5, 99.5))
    scaled = np.clip((array - low) / max(float(high - low), 1e-6), 0, 1)
    flat = array.shape[1] == 1
    seen = np.moveaxis(scaled[:, 0] if flat else scaled, 0, -1)
    spacing = None if flat or spacing_mm is None else tuple(s / min(spacing_mm) for s in reversed(spacing_mm))
    found = slic(
        seen, n_segments=about, sigma=SMOOTH, slic_zero=True, channel_axis=-1, start_label=0, spacing=spacing,
        enforce_connectivity=True, convert2lab=False,
    )  # fmt: skip
    _, numbers = np.unique(found, return_inverse=True)
    return np.asarray(numbers.reshape(array.shape[1:]), dtype=np.int32)
