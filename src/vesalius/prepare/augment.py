"""Random changes to a batch, drawn a sample at a time and made on the batch's own device.

The changes are the registered files of `prepare/transforms/`; here they take their turns. One grid of all that is drawn
moves images (linearly) and everything on their grid (nearest) together. What comes from outside an image is its mirror
image; where something lies on its grid, it is zero, which is the mean, and -1, 'not known', in integer targets.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from vesalius.core.plan import AugmentPlan
from vesalius.prepare import transforms
from vesalius.prepare.transforms.contract import Move

Named = Mapping[str, Tensor]


def space(
    images: Named, fields: Named, plan: AugmentPlan, generator: torch.Generator
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Return `(B, C, Z, Y, X)` images moved as planned, with the fields on their grid.

    Samples for which nothing was drawn are left as they are, bit for bit.
    """
    for place in transforms.planned(plan, "place"):
        images, fields = place(images, fields, generator)
    images, fields = dict(images), dict(fields)
    first = next(iter(images.values()))
    n, shape = first.shape[0], first.shape[2:]
    moves: list[Move] = [move(n, shape, generator) for move in transforms.planned(plan, "grid")]
    if not moves:
        return images, fields
    chosen = torch.stack([m.chosen for m in moves]).any(dim=0)
    if not bool(chosen.any()):
        return images, fields
    pick = chosen.nonzero()[:, 0].to(first.device)
    grid = _grid(moves, chosen, shape, first.device)
    flat = shape[0] == 1
    for group, soft in ((images, True), (fields, False)):
        for name, tensor in group.items():
            if tensor.shape[2:] != shape:
                continue
            moved = _sample(tensor[pick], grid, flat=flat, soft=soft, mirror=not fields)
            group[name] = tensor.index_copy(0, pick, moved)
    return images, fields


def _grid(moves: Sequence[Move], chosen: Tensor, shape: torch.Size, device: torch.device) -> Tensor:
    """Return where each point of the chosen samples comes from, as `grid_sample` takes it."""
    matrices = [m.matrix for m in moves if m.matrix is not None]
    theta = matrices[0] if matrices else torch.eye(3, 4).repeat(len(chosen), 1, 1)
    for matrix in matrices[1:]:
        shift = theta[:, :, :3] @ matrix[:, :, 3:] + theta[:, :, 3:]
        theta = torch.cat([theta[:, :, :3] @ matrix[:, :, :3], shift], dim=2)
    theta = theta[chosen].to(device)
    if shape[0] == 1:
        flat = theta[:, 1:, 1:][:, [1, 0]][:, :, [1, 0, 2]]
        grid = F.affine_grid(flat, [len(theta), 1, *shape[1:]], align_corners=False)
    else:
        turned = theta[:, [2, 1, 0]][:, :, [2, 1, 0, 3]]
        grid = F.affine_grid(turned, [len(theta), 1, *shape], align_corners=False)
    for move in moves:
        if move.displacement is not None:
            grid = grid + move.displacement[chosen].to(grid)
    return grid


def _sample(tensor: Tensor, grid: Tensor, *, flat: bool, soft: bool, mirror: bool) -> Tensor:
    whole = not tensor.is_floating_point()
    value = tensor.to(grid.dtype) + 1 if whole else tensor
    if flat:
        value = value[:, :, 0]
    mode = "bilinear" if soft and not whole else "nearest"
    value = F.grid_sample(
        value, grid, mode=mode, padding_mode="reflection" if mirror else "zeros", align_corners=False
    )
    if flat:
        value = value[:, :, None]
    return (value - 1).round().to(tensor.dtype) if whole else value


def intensity(images: Named, plan: AugmentPlan, generator: torch.Generator) -> dict[str, Tensor]:
    """Return images whose intensities, which `prepare` has normalised, are changed as planned."""
    changes = transforms.planned(plan, "intensity")
    out: dict[str, Tensor] = {}
    for name, tensor in images.items():
        for change in changes:
            tensor = change(tensor, generator)
        out[name] = tensor
    return out


def mixup(
    images: Named, targets: Named, plan: AugmentPlan, generator: torch.Generator
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Return images and targets that do not lie on their grid, samples mixed with one another as planned."""
    for mix in transforms.planned(plan, "mix"):
        images, targets = mix(images, targets, generator)
    return dict(images), dict(targets)
