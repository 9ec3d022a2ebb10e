"""The model of `detect`: a pyramid of maps, heads that all of its levels share, and boxes at each place of each map.

Lin et al.: Feature pyramid networks, CVPR 2017, arXiv:1612.03144; Tian et al.: FCOS, ICCV 2019, arXiv:1904.01355 (one
box a place, by the distances to its sides; heads shared over the levels, with a scale each).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vesalius.tasks import _overlap as overlap
from vesalius.tasks._assigning import Places
from vesalius.tasks._fusing import DEEP, FLAT, LOGIT, SOURCE, SOURCES

PRIOR = 0.02  # of a place, before anything is learned: most see background
FARTHEST = 3.0  # natural logarithm of how many times a typical distance a side may lie away
NOTHING = -50.0  # logit of a row that stands for no box
COLUMNS = 10  # the corners (z, y, x) low and high, then LOGIT, LABEL, SOURCE, SOURCES


@dataclass(frozen=True)
class Rung:
    """A level of the pyramid: its stride, an axis each, and which of the net's maps joins it, if any."""

    stride: tuple[int, ...]
    source: int | None = None


def rungs_of(strides: Sequence[Sequence[int]], *, finest: int, many: int) -> tuple[Rung, ...]:
    """Return the levels over maps of these strides, finest first: `many` at least, the first no coarser than `finest`.

    Of maps with the same stride the deepest is taken. Below the finest map a level halves the stride, above the
    coarsest one it doubles it.
    """
    last = {tuple(stride): k for k, stride in enumerate(strides)}
    usable = [(s, k) for s, k in last.items() if max(s) >= finest] or [(tuple(strides[-1]), len(strides) - 1)]
    rungs = [Rung(stride, k) for stride, k in sorted(usable, key=lambda pair: max(pair[0]))]
    while max(rungs[0].stride) > finest and max(rungs[0].stride) > 1:
        rungs.insert(0, Rung(tuple(max(1, s // 2) for s in rungs[0].stride)))
    while len(rungs) < many:
        rungs.append(Rung(tuple(2 * s for s in rungs[-1].stride)))
    return tuple(rungs)


class Pyramid(nn.Module):
    """Maps of one width at each level, from an encoder's maps, or those of a dense net, whose decoder has climbed."""

    def __init__(self, net: Any, *, finest: int, levels: int, width: int) -> None:
        super().__init__()
        self.dims, self.dense = net.dims, net.role == "dense"
        self.rungs = rungs_of(net.strides, finest=finest, many=levels)
        self.levels = levels
        conv: Any = nn.Conv2d if net.dims == 2 else nn.Conv3d
        self.sides = nn.ModuleList(
            nn.Identity() if r.source is None else conv(net.channels[r.source], width, 1) for r in self.rungs
        )
        top = max(k for k, r in enumerate(self.rungs) if r.source is not None)
        self.top = top
        self.smooth = nn.ModuleList(_unit(conv, width, width) for _ in self.rungs[: min(levels, top + 1)])
        self.above = nn.ModuleList(_unit(conv, width, width, stride=2) for _ in self.rungs[top + 1 :])

    def forward(self, maps: Sequence[Tensor], size: Sequence[int]) -> list[Tensor]:
        """Return a map a level, `(B, width, …)`, finest first; `size` is that of the input."""
        made: list[Tensor] = []
        below: Tensor | None = None
        for k in range(self.top, -1, -1):
            rung, side = self.rungs[k], self.sides[k]
            if rung.source is None:
                shape = [-(-n // s) for n, s in zip(size, rung.stride, strict=True)]
                level = _resized(made[-1], shape)
            else:
                level = side(maps[rung.source])
                if below is not None and not self.dense:
                    level = level + _resized(below, level.shape[2:])
            made.append(level)
            below = level
        found = [smooth(level) for smooth, level in zip(self.smooth, reversed(made), strict=False)]
        beyond = made[0]
        for layer in self.above:
            beyond = layer(beyond)
            found.append(beyond)
        return found[: self.levels]


class Heads(nn.Module):
    """What is said at each place of each level: a logit a label, and how far its box's sides lie away."""

    def __init__(self, dims: int, width: int, labels: int, *, depth: int, levels: int) -> None:
        super().__init__()
        conv: Any = nn.Conv2d if dims == 2 else nn.Conv3d
        self.name_tower = nn.Sequential(*(_unit(conv, width, width) for _ in range(depth)))
        self.side_tower = nn.Sequential(*(_unit(conv, width, width) for _ in range(depth)))
        self.names = conv(width, labels, 3, padding=1)
        self.sides = conv(width, 2 * dims, 3, padding=1)
        self.scales = nn.Parameter(torch.ones(levels))
        for layer in (self.names, self.sides):
            nn.init.normal_(layer.weight, std=0.01)
            nn.init.zeros_(layer.bias)
        nn.init.constant_(self.names.bias, -math.log((1 - PRIOR) / PRIOR))

    def forward(self, x: Tensor, level: int) -> tuple[Tensor, Tensor]:
        """Return logits `(B, K, …)` and logarithms of distances over the typical ones, `(B, 2 dims, …)`."""
        far = self.sides(self.side_tower(x)).float() * self.scales[level]
        return self.names(self.name_tower(x)).float(), far.clamp(-FARTHEST, FARTHEST)


@dataclass(frozen=True, eq=False)
class Seen:
    """What a model says of images: `logits` `(B, L, K)` and `boxes` `(B, L, 2, 3)` of each place of all levels."""

    logits: Tensor
    boxes: Tensor
    places: Places


class Detector(nn.Module):
    """A net, its pyramid and its heads; `typical` are the sides of a typical box of each level, `(z, y, x)`.

    At first each place has a box of that size about itself, so that the best ones fit from the first step on.
    """

    typical: Tensor

    def __init__(
        self,
        net: Any,
        labels: int,
        criterion: nn.Module,
        *,
        finest: int,
        typical: Sequence[Sequence[float]],
        width: int,
        depth: int,
        form: str,
        weight: float,
        candidates: int,
    ) -> None:
        super().__init__()
        self.net, self.criterion = net, criterion
        self.form, self.weight, self.candidates = form, weight, candidates
        self.pyramid = Pyramid(net, finest=finest, levels=len(typical), width=width)
        self.heads = Heads(net.dims, width, labels, depth=depth, levels=len(typical))
        self.register_buffer("typical", torch.tensor(typical, dtype=torch.float32), persistent=False)

    def forward(self, x: Tensor) -> Seen:
        """Return what is said of images `(B, C, Z, Y, X)`."""
        flat = self.net.dims == 2
        x = x[:, :, 0] if flat else x
        found = self.net(x)
        maps = found.features if self.pyramid.dense else found
        logits, boxes, points, cells = [], [], [], []
        for k, level in enumerate(self.pyramid(maps, x.shape[2:])):
            names, far = self.heads(level, k)
            middles, cell = self._grid(level.shape[2:], self.pyramid.rungs[k].stride, far)
            logits.append(names.flatten(2).transpose(1, 2))  # (B, L, K)
            boxes.append(self._boxes(far.flatten(2).transpose(1, 2), middles, self.typical[k]))
            points.append(middles)
            cells.append(cell.expand_as(middles))
        places = Places(torch.cat(points), torch.cat(cells))
        return Seen(torch.cat(logits, dim=1), torch.cat(boxes, dim=1), places)

    def _grid(self, shape: Sequence[int], stride: Sequence[int], like: Tensor) -> tuple[Tensor, Tensor]:
        """Return the middles of a map's cells `(L, 3)` and their extent `(1, 3)`; flat ones lie at z = ½."""
        flat = len(shape) == 2
        sizes, steps = ((1, *shape), (1, *stride)) if flat else (tuple(shape), tuple(stride))
        axes = [
            (torch.arange(n, device=like.device, dtype=like.dtype) + 0.5) * s
            for n, s in zip(sizes, steps, strict=True)
        ]
        grid = torch.stack(torch.meshgrid(*axes, indexing="ij"), dim=-1).reshape(-1, 3)
        return grid, torch.tensor([steps], device=like.device, dtype=like.dtype)

    def _boxes(self, far: Tensor, middles: Tensor, typical: Tensor) -> Tensor:
        """Return boxes `(B, L, 2, 3)` of the distances `(B, L, 2 dims)`."""
        away = far.reshape(*far.shape[:2], 2, -1).exp() * (typical[-self.net.dims :] / 2)  # (B, L, 2, dims)
        if self.net.dims == 2:
            away = torch.cat([away.new_full((*away.shape[:-1], 1), 0.5), away], dim=-1)
        return torch.stack([middles - away[:, :, 0], middles + away[:, :, 1]], dim=2)


def rows_of(seen: Seen, *, most: int, flat: bool) -> Tensor:
    """Return the best boxes of each image as rows `(B, most, COLUMNS)`, the surest first.

    Of two with the same label that mark one thing (`_fusing`) the surer one is kept. What is lacking to `most` are rows
    of `NOTHING`.
    """
    at = FLAT if flat else DEEP
    made = []
    for logits, boxes in zip(seen.logits, seen.boxes, strict=True):
        several = logits.shape[1]
        best = logits.flatten().topk(min(4 * most, logits.numel()))
        place, label = best.indices // several, best.indices % several
        chosen = boxes[place]
        keep = suppressed(chosen.detach(), label, at=at)[:most]
        rows = torch.cat(
            [
                chosen[keep].flatten(1),
                best.values[keep][:, None],
                label[keep][:, None].to(chosen),
                chosen.new_zeros(len(keep), 1),
                chosen.new_ones(len(keep), 1),
            ],
            dim=1,
        )
        empty = rows.new_zeros(most - len(keep), COLUMNS)
        empty[:, LOGIT], empty[:, SOURCE], empty[:, SOURCES] = NOTHING, 0.0, 1.0
        made.append(torch.cat([rows, empty]))
    return torch.stack(made)


def suppressed(boxes: Tensor, labels: Tensor, *, at: float) -> Tensor:
    """Return the places of the boxes `(N, 2, 3)`, the surest first, that no surer one of their label overlaps."""
    clash = (overlap.pairs(boxes, boxes) > at) & (labels[:, None] == labels[None])
    held = clash.cpu().numpy()
    gone = [False] * len(held)
    kept = []
    for k in range(len(held)):
        if gone[k]:
            continue
        kept.append(k)
        for other in held[k].nonzero()[0].tolist():
            gone[other] = True
    return torch.tensor(kept, dtype=torch.long, device=boxes.device)


def _unit(conv: Any, inside: int, outside: int, *, stride: int = 1) -> nn.Sequential:
    groups = math.gcd(8, max(1, outside // 4))  # of four channels at least: a coarse level may have one place
    return nn.Sequential(
        conv(inside, outside, 3, stride=stride, padding=1, bias=False),
        nn.GroupNorm(groups, outside),
        nn.ReLU(inplace=True),
    )


def _resized(x: Tensor, size: Sequence[int]) -> Tensor:
    return x if list(x.shape[2:]) == list(size) else F.interpolate(x, size=list(size), mode="nearest")
