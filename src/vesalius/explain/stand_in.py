"""What stands where a part of the image is taken away: the mean of the prepared image, or the image blurred."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from vesalius.core.errors import UnknownName
from vesalius.explain.question import Question

NAMES = {
    "mean": "The mean of what the model learned from: zero, as images are prepared",
    "blur": "The image itself without its detail: a Gaussian of a tenth of its size",
}
USUAL = "blur"


def stand_in(question: Question, name: str = USUAL) -> Tensor:
    """Return the image `(C, Z, Y, X)` that parts of the question's image are replaced with. Raises UnknownName."""
    if name == "mean":
        return torch.zeros_like(question.image)
    if name == "blur":
        return blurred(question.image, share=0.1)
    raise UnknownName("stand-in", name, NAMES)


def blurred(image: Tensor, *, share: float) -> Tensor:
    """Return an image `(C, Z, Y, X)` after a Gaussian whose sigma is that share of each axis; its edge goes on."""
    out = image[None]
    for axis, n in enumerate(image.shape[1:]):
        sigma = share * n
        if n == 1 or sigma < 0.3:
            continue
        reach = min(int(3 * sigma) + 1, n - 1)
        x = torch.arange(-reach, reach + 1, device=image.device, dtype=image.dtype)
        kernel = torch.exp(-0.5 * (x / sigma) ** 2)
        kernel = kernel / kernel.sum()
        shape, pad = [1, 1, 1, 1, 1], [0] * 6
        shape[axis + 2] = len(kernel)
        pad[2 * (2 - axis)] = pad[2 * (2 - axis) + 1] = reach
        channels = out.shape[1]
        weight = kernel.reshape(shape).expand(channels, *([-1] * 4)).contiguous()
        out = F.conv3d(F.pad(out, pad, mode="replicate"), weight, groups=channels)
    return out[0]
