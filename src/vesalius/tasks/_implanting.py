"""The model of `implant`: a dense net over bone, and healthy bones that are cut anew at every step."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from vesalius.core.errors import DataError
from vesalius.core.image import Triple
from vesalius.prepare.batch import Batch
from vesalius.shapes.defects import cut
from vesalius.tasks._segmenter import Segmenter


class Completer(Segmenter):
    """A dense net over bone `(B, C, Z, Y, X)`, with the same bone mirrored across its middle where `mirror`.

    `made` says that its training bones are healthy, to be cut anew; `spacing_mm` `(x, y, z)` is that of its grid.
    """

    def __init__(
        self,
        net: Any,
        classes: int,
        criterion: nn.Module,
        *,
        deep: bool,
        mirror: bool,
        spacing_mm: Triple | None,
        made: bool,
    ) -> None:
        super().__init__(net, classes, criterion, deep=deep)
        self.mirror, self.spacing_mm, self.made = mirror, spacing_mm, made

    def forward(self, x: Tensor | Batch) -> Tensor:
        """Logits at full resolution."""
        return super().forward(self.shown(x))

    def coarse(self, x: Tensor | Batch) -> list[Tensor]:
        """Logits at full resolution and of each coarser map, finest first."""
        return super().coarse(self.shown(x))

    def shown(self, x: Tensor | Batch) -> Tensor | Batch:
        """Return what the net sees: the bone, and where planned its mirror image behind it."""
        if not self.mirror or isinstance(x, Batch):
            return x
        return torch.cat([x, mirrored(x)], dim=1)


def mirrored(x: Tensor) -> Tensor:
    """Return each bone `(C, Z, Y, X)` flipped along x across the middle of what is there, without gradients."""
    with torch.no_grad():
        n = x.shape[-1]
        along = torch.arange(n, device=x.device, dtype=x.dtype)
        mass = x.clamp_min(0).sum(dim=(1, 2, 3))  # (B, X)
        middle = (mass * along).sum(dim=1) / mass.sum(dim=1).clamp_min(1e-6)
        out = torch.zeros_like(x)
        for k, at in enumerate(middle.tolist()):
            shift = round(2 * at) - (n - 1)  # where the flipped bone lies, seen from the flipped field
            flipped = x[k].flip(-1)
            if abs(shift) >= n:
                continue
            to, of = (
                (slice(shift, n), slice(0, n - shift))
                if shift >= 0
                else (slice(0, n + shift), slice(-shift, n))
            )
            out[k, ..., to] = flipped[..., of]
        return out


def cut_anew(batch: Batch, spacing_mm: Triple | None, generator: torch.Generator) -> Batch:
    """Return the batch with each bone made whole again and cut at another place; its targets are what was taken out.

    A bone in which no defect can be cut, such as one that an augmentation moved out of the field, keeps its own.
    """
    image, mask = batch.images["image"], batch.targets["mask"]
    bones, holes = image.clone(), mask.clone()
    affine = np.diag([*(spacing_mm or (1.0, 1.0, 1.0)), 1.0])
    seeds = torch.randint(0, 2**31 - 1, (len(image),), generator=generator).tolist()
    for k, seed in enumerate(seeds):
        own = mask[k, 0]
        whole = torch.where((own == 1)[None], torch.ones_like(image[k]), image[k])
        there = (whole[0] > 0.5).cpu().numpy()
        try:
            missing = cut(there, affine, int(seed)).implant
        except DataError:
            continue
        taken = torch.from_numpy(np.ascontiguousarray(missing)).to(image.device)
        bones[k] = torch.where(taken[None], torch.zeros_like(whole), whole)
        holes[k, 0] = torch.where(own < 0, own, taken.to(own.dtype))
    return replace(batch, images={**batch.images, "image": bones}, targets={**batch.targets, "mask": holes})
