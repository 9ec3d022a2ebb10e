"""How far boxes overlap: intersection over union, and its forms that have a gradient where boxes lie apart; in torch.

Boxes are `(…, 2, 3)`, low and high corner `(z, y, x)`; flat ones reach from z = 0 to 1, so that one form serves both.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

TINY = 1e-6
FORMS = ("giou", "diou")


def volume(boxes: Tensor) -> Tensor:
    """Return how large each box is, `(…)`; 0 where a corner lies on the wrong side."""
    return (boxes[..., 1, :] - boxes[..., 0, :]).clamp_min(0).prod(dim=-1)


def iou(one: Tensor, other: Tensor) -> Tensor:
    """Return the intersection over the union of boxes `(…, 2, 3)` that broadcast against one another, `(…)`."""
    both = _both(one, other)
    return both / (volume(one) + volume(other) - both).clamp_min(TINY)


def pairs(one: Tensor, other: Tensor) -> Tensor:
    """Return the intersection over the union of each of `(N, 2, 3)` with each of `(M, 2, 3)`, `(N, M)`."""
    return iou(one[:, None], other[None])


def similarity(form: str, one: Tensor, other: Tensor) -> Tensor:
    """Return how alike boxes `(N, 2, 3)` are, from -1 to 1, with a gradient also where they do not meet.

    `giou`: IoU less the share of the surrounding box that neither fills (Rezatofighi et al., CVPR 2019,
    arXiv:1902.09630). `diou`: IoU less the squared distance of the middles over that of the surrounding box's corners
    (Zheng et al., AAAI 2020, arXiv:1911.08287).
    """
    import torch

    both = _both(one, other)
    union = volume(one) + volume(other) - both
    overlap = both / union.clamp_min(TINY)
    low = torch.minimum(one[..., 0, :], other[..., 0, :])
    high = torch.maximum(one[..., 1, :], other[..., 1, :])
    if form == "giou":
        around = (high - low).clamp_min(0).prod(dim=-1).clamp_min(TINY)
        return overlap - (around - union) / around
    apart = (one.mean(dim=-2) - other.mean(dim=-2)).square().sum(dim=-1)
    return overlap - apart / (high - low).square().sum(dim=-1).clamp_min(TINY)


def _both(one: Tensor, other: Tensor) -> Tensor:
    import torch

    low = torch.maximum(one[..., 0, :], other[..., 0, :])
    high = torch.minimum(one[..., 1, :], other[..., 1, :])
    return (high - low).clamp_min(0).prod(dim=-1)
