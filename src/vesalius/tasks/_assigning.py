"""Which places of a detector's maps are to find which true box: task-aligned, as many as fit well.

Feng, Zhong, Gao, Scott, Huang: TOOD, ICCV 2021, arXiv:2108.07755: a place suits a box by how sure it is of its label
and by how well its own box fits, s^α u^β. How many places a box gets follows from how well the best of them fit, as in
Ge et al.: YOLOX, 2021, arXiv:2107.08430 (SimOTA). Only places near the middle of a box are asked (Tian et al.: FCOS,
ICCV 2019, arXiv:1904.01355), of a box between places the nearest one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from vesalius.tasks import _overlap as overlap

if TYPE_CHECKING:
    from torch import Tensor

ALPHA, BETA = 0.5, 6.0
RADIUS = 2.5  # cells from a box's middle, within which its places lie
MOST = 10  # places of a box at most


@dataclass(frozen=True, eq=False)
class Places:
    """The places of all maps, one after the other: middles and extents of their cells, `(L, 3)` `(z, y, x)`."""

    points: Tensor
    cells: Tensor


@dataclass(frozen=True, eq=False)
class Assigned:
    """Which true box each place is to find, `(L,)`, -1 for none; and with which quality from 0 to 1, `(L,)`."""

    truth: Tensor
    quality: Tensor


def assign(places: Places, p: Tensor, boxes: Tensor, truth: Tensor, labels: Tensor) -> Assigned:
    """Return which places are to find which true boxes `(M, 2, 3)` with `labels` `(M,)`.

    `p` `(L, K)` and `boxes` `(L, 2, 3)` are what the model says now, without gradients. A place serves the box that its
    own fits best. The quality is the suitability, scaled so that the best place of a box has its best overlap.
    """
    import torch

    many, n = len(places.points), len(truth)
    if not n:
        return Assigned(
            torch.full((many,), -1, device=p.device, dtype=torch.long), torch.zeros(many, device=p.device)
        )
    fit = overlap.pairs(boxes, truth)  # (L, M)
    near = _near(places, truth)
    suits = p[:, labels] ** ALPHA * (fit + 1e-3) ** BETA * near
    ranked = torch.where(near, fit, fit.new_zeros(())).topk(min(MOST, many), dim=0).values
    counts = ranked.sum(dim=0).round().clamp(1, MOST)  # (M,)
    order = suits.topk(min(MOST, many), dim=0)
    chosen = torch.arange(len(order.values), device=p.device)[:, None] < counts[None]
    chosen &= order.values > 0
    picked = torch.zeros_like(near).scatter_(0, order.indices, chosen)
    best = torch.where(picked, fit + suits, fit.new_full((), -1.0)).max(dim=1)
    found = torch.where(picked.any(dim=1), best.indices, -1)
    own = torch.nn.functional.one_hot(found.clamp_min(0), n).bool() & (found >= 0)[:, None]
    held = torch.where(own, suits, suits.new_zeros(()))
    scale = torch.where(own, fit, fit.new_zeros(())).amax(dim=0) / held.amax(dim=0).clamp_min(1e-30)
    quality = (held * scale[None]).sum(dim=1).clamp(0, 1)
    return Assigned(found, quality)


def _near(places: Places, truth: Tensor) -> Tensor:
    """Return which places may serve which boxes, `(L, M)`: those inside, near the middle; or the one nearest to it."""
    middles = truth.mean(dim=1)
    points = places.points[:, None]
    inside = ((points > truth[None, :, 0]) & (points < truth[None, :, 1])).all(dim=-1)
    off = (points - middles[None]).abs()
    inside &= (off / places.cells[:, None] <= RADIUS).all(dim=-1)
    nearest = off.square().sum(dim=-1).argmin(dim=0)  # (M,)
    inside[nearest, list(range(len(truth)))] = True
    return inside
