"""The model of `count`: a dense net with one non-negative density a label."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vesalius.prepare.batch import Batch
from vesalius.tasks._density import drawn
from vesalius.tasks._things import COUNT, KINDS, MASS, THINGS, WHERE

LEAST = 1e-4  # of a label's usual peak: where densities begin, at least
SHARP = 10.0  # of the bend between none and some: where it is soft, gradients of what is empty vanish
CALM = 0.1  # of the head's usual weights, so that all densities begin near their mean


class Counter(nn.Module):
    """A dense net and a 1×1 head: `(B, C, Z, Y, X)` → densities `(B, K, Z, Y, X)`, how many things lie in each voxel.

    `peak` is a label's usual density in the middle of a thing and `blank` its mean over images, both a voxel: outputs
    are of the size of 1 inside, and begin at the mean.
    """

    peak: Tensor
    energy: Tensor
    usual: Tensor

    def __init__(
        self,
        net: Any,
        criterion: nn.Module,
        *,
        peak: Sequence[float],
        blank: Sequence[float],
        energy: Sequence[float],
        usual: Sequence[float],
        count_weight: float,
        kernel: float,
        narrowest: float,
    ) -> None:
        super().__init__()
        self.net, self.criterion = net, criterion
        self.count_weight, self.kernel, self.narrowest = count_weight, kernel, narrowest
        conv = nn.Conv2d if net.dims == 2 else nn.Conv3d
        self.head = conv(net.out_channels, len(peak), 1)
        for name, held in (("peak", peak), ("energy", energy), ("usual", usual)):
            self.register_buffer(name, torch.tensor(list(held), dtype=torch.float32), persistent=False)
        begin = [max(b / p, LEAST) for b, p in zip(blank, peak, strict=True)]
        self.head.weight.data.mul_(CALM)
        self.head.bias = nn.Parameter(torch.tensor([math.log(math.expm1(SHARP * b)) / SHARP for b in begin]))

    def forward(self, x: Tensor) -> Tensor:
        """Return the densities; the head works in single precision, for small densities add up to counts."""
        out = self.net(x[:, :, 0] if self.net.dims == 2 else x)
        with torch.autocast(x.device.type, enabled=False):
            found = F.softplus(self.head(out.full.float()), beta=SHARP) * self.peak.reshape(
                -1, *(1,) * self.net.dims
            )
        return found[:, :, None] if self.net.dims == 2 else found

    def wanted(self, batch: Batch) -> Tensor | None:
        """Return the densities that a batch asks for, `(B, K, Z, Y, X)`; None where no case says where things lie."""
        held = batch.ragged.get(THINGS)
        if held is None or all(one is None for one in held):
            return None
        z, y, x = batch.images["image"].shape[-3:]
        device, made = batch.images["image"].device, []
        for things, kinds, each in zip(held, batch.ragged[KINDS], batch.ragged[MASS], strict=True):
            if things is None or kinds is None or each is None:
                made.append(torch.zeros((len(self.peak), z, y, x), device=device))
                continue
            made.append(
                drawn(
                    things, kinds, each, labels=len(self.peak), shape=(z, y, x), share=self.kernel,
                    narrowest=self.narrowest,
                )
            )  # fmt: skip
        return torch.stack(made)


def terms(model: Counter, batch: Batch) -> dict[str, Tensor]:
    """Return the loss of each point's density and that of the counts; see `count.loss`."""
    density = model(batch.images["image"])
    where = batch.targets.get(WHERE)
    if where is None:
        return {"density": 0.0 * density.sum()}
    known = where >= 0  # (B, 1, Z, Y, X)
    found = (density * known).sum(dim=(2, 3, 4))
    wanted = model.wanted(batch)
    if wanted is None:
        return {"counts": _apart(model, found, batch.targets[COUNT])}
    wide = model.peak.reshape(1, -1, 1, 1, 1)
    truth = (wanted / wide).masked_fill(~known, float("nan"))
    each = [
        model.criterion((density / wide)[:, k : k + 1], truth[:, k : k + 1]) / model.energy[k]
        for k in range(len(model.peak))
    ]
    seen = known.flatten(1).any(dim=1)
    counts = (wanted * known).sum(dim=(2, 3, 4)).masked_fill(~seen[:, None], float("nan"))
    return {
        "density": torch.stack(each).mean(),
        "counts": model.count_weight * _apart(model, found, counts),
    }


def _apart(model: Counter, found: Tensor, wanted: Tensor) -> Tensor:
    """Return how far counts `(B, K)` are from those that are known, in units of what is usual."""
    known = ~wanted.isnan()
    error = F.smooth_l1_loss(found / model.usual, wanted.nan_to_num() / model.usual, reduction="none")
    return (error * known).sum() / known.sum().clamp_min(1)
