"""A learned normaliser: a small net bends each image's curve and evens out its shading until no scanner is told.

The net sees an image at 8 voxels a side and the quantiles of its values. It says a rising curve of straight pieces and
a smooth field of second order, and nothing else, so that whatever it learns it can neither draw nor erase a structure.
It is trained in `learn/harmoniser.py` against a head that tells scanners, whose gradient is reversed (Ganin et al.
2016), while values must stay near what they were (the idea of the MAD nets). Training it is a matter of seconds.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from vesalius.core.errors import DataError
from vesalius.core.image import Array
from vesalius.prepare.harmonise.contract import TINY, Applied, Back, Known, Method, foreground

if TYPE_CHECKING:
    from torch import Tensor

TAKES = "image"
RANK = 50
SCALE = True
FITTED = True
TRAINED = True
LOCAL = True
UNDO = True
OPTIONS = {"steps": 300, "keep": 2.0}
LIMITS = {"steps": {"ge": 1}, "keep": {"gt": 0}}
COARSE = 8  # voxels a side of what the net sees
PIECES = 12  # of the curve, over 0 to 1
AT = np.linspace(1, 99, 17)  # per cent: the quantiles that the net sees
TERMS = 9  # of the field: z, y, x, their squares and their products
FURTHEST = 0.7  # of the field's logarithm at a corner, a term
SHAPES = {
    "conv1": (6, 1, 3, 3, 3),
    "bias1": (6,),
    "conv2": (8, 6, 3, 3, 3),
    "bias2": (8,),
    "dense1": (24, 8 * 8 + len(AT)),
    "bias3": (24,),
    "dense2": (PIECES + TERMS, 24),
    "bias4": (PIECES + TERMS,),
}


def scaled(channel: Array) -> tuple[Array, float, float]:
    """Return an image whose 1 % and 99 % inside are 0 and 1, and both. Raises DataError for one without contrast."""
    low, high = (float(p) for p in np.percentile(foreground(channel), (1, 99)))
    if high - low < TINY:
        raise DataError(
            "an image has no contrast for the learned normaliser", found=f"all of it is about {low:.4g}"
        )
    return ((channel - low) / (high - low)).astype(np.float32), low, high - low


def seen(image: Array) -> tuple[Array, Array]:
    """Return what the net sees of a scaled image: `(8, 8, 8)` means, and the quantiles of what is inside."""
    coarse = image.astype(np.float32)
    for axis in range(3):
        n = coarse.shape[axis]
        if n >= COARSE:
            parts = np.array_split(coarse, COARSE, axis=axis)
            coarse = np.stack([p.mean(axis=axis) for p in parts], axis=axis)
        else:
            coarse = np.take(coarse, np.arange(COARSE) * n // COARSE, axis=axis)
    return coarse, np.percentile(foreground(image), AT).astype(np.float32)


def monomials(z: Any, y: Any, x: Any) -> list[Any]:
    """Return the terms of the field at places from -1 to 1, each of them as an array or a tensor."""
    return [z, y, x, z * z, y * y, x * x, z * y, z * x, y * x]


def said(weights: Mapping[str, Tensor], coarse: Tensor, quantiles: Tensor) -> tuple[Tensor, Tensor]:
    """Return what the net says of images `(B, 8, 8, 8)` and `(B, 17)`: rises of the curve `(B, 12)`, field `(B, 9)`."""
    import torch
    from torch.nn import functional as F

    h = F.leaky_relu(F.conv3d(coarse[:, None], weights["conv1"], weights["bias1"], stride=2, padding=1), 0.1)
    h = F.leaky_relu(F.conv3d(h, weights["conv2"], weights["bias2"], stride=2, padding=1), 0.1)
    h = torch.cat([h.flatten(1), quantiles], dim=1)
    h = F.leaky_relu(F.linear(h, weights["dense1"], weights["bias3"]), 0.1)
    out = F.linear(h, weights["dense2"], weights["bias4"])
    rises = (F.softplus(out[:, :PIECES]) + 0.02) / PIECES
    return rises, FURTHEST * torch.tanh(out[:, PIECES:])


def packed(weights: Mapping[str, Array]) -> str:
    """Return weights as text for a plan."""
    flat = np.concatenate([np.asarray(weights[name], "<f4").ravel() for name in SHAPES])
    return base64.b64encode(flat.tobytes()).decode("ascii")


def unpacked(text: str) -> dict[str, Array]:
    """Return weights from text. Raises DataError where it holds another number of them."""
    flat = np.frombuffer(base64.b64decode(text), "<f4").astype(np.float32)
    sizes = [int(np.prod(shape)) for shape in SHAPES.values()]
    if len(flat) != sum(sizes):
        raise DataError(
            "the learned normaliser has another shape", found=f"{len(flat)} weights, not {sum(sizes)}"
        )
    parts = np.split(flat, np.cumsum(sizes)[:-1])
    return {name: p.reshape(shape) for (name, shape), p in zip(SHAPES.items(), parts, strict=True)}


class Learned(Method):
    """The curve and the field that the trained net says of an image, applied to it."""

    def apply(self, channel: Array, known: Known) -> Applied:
        """Return the image after its field and its curve, about 0 to 1. Raises DataError for one without contrast."""
        import torch

        image, low, reach = scaled(channel)
        coarse, quantiles = seen(image)
        weights = {k: torch.from_numpy(v.copy()) for k, v in unpacked(known.fitted["weights"]).items()}
        with torch.inference_mode():
            rises, terms = said(weights, torch.from_numpy(coarse)[None], torch.from_numpy(quantiles)[None])
        back = {"rises": rises[0].tolist(), "terms": terms[0].tolist(), "low": low, "reach": reach}
        return Applied(_curved(image / _field(image.shape, back), back), back)

    def undo(self, channel: Array, back: Back) -> Array:
        """Return the intensities as they were."""
        knots = np.concatenate([[0.0], np.cumsum(back["rises"])])
        even = np.linspace(0, 1, PIECES + 1)
        image = _moved(channel, knots, even) * _field(channel.shape, back)
        was: Array = (image * back["reach"] + back["low"]).astype(np.float32)
        return was


def _field(shape: tuple[int, ...], back: Back) -> Array:
    """Return the shading at each voxel, `(Z, Y, X)`, around 1."""
    z, y, x = (np.linspace(-1, 1, n) if n > 1 else np.zeros(1) for n in shape)
    places = np.meshgrid(z, y, x, indexing="ij", sparse=True)
    total = sum(c * t for c, t in zip(back["terms"], monomials(*places), strict=True))
    return np.asarray(np.exp(np.broadcast_to(total, shape)))


def _curved(image: Array, back: Back) -> Array:
    knots = np.concatenate([[0.0], np.cumsum(back["rises"])])
    return _moved(image, np.linspace(0, 1, PIECES + 1), knots).astype(np.float32)


def _moved(values: Array, own: Array, onto: Array) -> Array:
    """Return values moved from knots onto others; beyond the ends the first and the last piece go on."""
    piece = np.clip(np.searchsorted(own, values.ravel(), side="right") - 1, 0, len(own) - 2).reshape(
        values.shape
    )
    slope = np.diff(onto) / np.diff(own)
    moved: Array = onto[piece] + (values - own[piece]) * slope[piece]
    return moved


METHOD = Learned()
