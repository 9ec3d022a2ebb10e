"""Augmentation of before its transforms were files (commit cc2ddb9), word for word, to compare bits with.


One affine-and-elastic grid moves images (linearly) and everything on their grid (nearest) together. What comes
from outside an image is its mirror image; where something lies on its grid, it is zero, which is the mean, and -1,
'not known', in integer targets.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional as F

from vesalius.core.plan import AugmentPlan

AXES = {"z": 2, "y": 3, "x": 4}
Named = Mapping[str, Tensor]


def space(
    images: Named, fields: Named, plan: AugmentPlan, generator: torch.Generator
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Flip, rotate, zoom, shear, translate, crop and bend `(B, C, Z, Y, X)` images with the fields on their grid.

    Returns the moved images and fields. Samples for which nothing was drawn are left as they are, bit for bit.
    """
    first = next(iter(images.values()))
    images, fields = _flip(dict(images), dict(fields), plan, generator, first.shape[0])
    if not (plan.rotate_deg or plan.translate or plan.shear or plan.zoom or plan.elastic or plan.crop):
        return images, fields
    shape = first.shape[2:]
    chosen, theta = _affine(first.shape[0], shape, plan, generator)
    bend: Tensor | None = None
    if plan.elastic:
        bent, bend = _bend(first.shape[0], shape, plan, generator)
        chosen = chosen | bent
    if not bool(chosen.any()):
        return images, fields
    pick = chosen.nonzero()[:, 0].to(first.device)
    theta = theta[chosen].to(first.device)
    flat = shape[0] == 1
    if flat:
        grid = F.affine_grid(
            theta[:, 1:, 1:][:, [1, 0]][:, :, [1, 0, 2]], [len(pick), 1, *shape[1:]], align_corners=False
        )
    else:
        grid = F.affine_grid(
            theta[:, [2, 1, 0]][:, :, [2, 1, 0, 3]], [len(pick), 1, *shape], align_corners=False
        )
    if bend is not None:
        grid = grid + bend[chosen].to(grid)
    for group, soft in ((images, True), (fields, False)):
        for name, tensor in group.items():
            if tensor.shape[2:] != shape:
                continue
            group[name] = tensor.index_copy(
                0, pick, _sample(tensor[pick], grid, flat=flat, soft=soft, mirror=not fields)
            )
    return images, fields


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


def _flip(
    images: dict[str, Tensor],
    fields: dict[str, Tensor],
    plan: AugmentPlan,
    generator: torch.Generator,
    n: int,
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    for axis in plan.flip_axes:
        drawn = torch.rand(n, generator=generator) < 0.5
        for group in (images, fields):
            for name, tensor in group.items():
                if tensor.shape[AXES[axis]] > 1:
                    mask = drawn.to(tensor.device).view(-1, 1, 1, 1, 1)
                    group[name] = torch.where(mask, tensor.flip(AXES[axis]), tensor)
    return images, fields


def _uniform(n: int, limit: float, generator: torch.Generator) -> Tensor:
    return (torch.rand(n, generator=generator) * 2 - 1) * limit


def _affine(
    n: int, shape: torch.Size, plan: AugmentPlan, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Which samples move, and output → input matrices `(n, 3, 4)` in (z, y, x), in units of half the image."""
    flat = shape[0] == 1
    drawn = {
        key: torch.rand(n, generator=generator) < plan.probability
        for key in ("rotate", "zoom", "shear", "translate", "crop")
    }
    extent = torch.tensor([max(s, 1) for s in shape], dtype=torch.float32)
    matrix = torch.eye(3).repeat(n, 1, 1)
    for axis in (0,) if flat or plan.rotate_in_plane_only else (0, 1, 2):
        angle = _uniform(n, math.radians(plan.rotate_deg), generator) * drawn["rotate"]
        a, b = [k for k in range(3) if k != axis]
        turn = torch.eye(3).repeat(n, 1, 1)
        turn[:, a, a] = turn[:, b, b] = angle.cos()
        turn[:, a, b], turn[:, b, a] = -angle.sin(), angle.sin()
        matrix = matrix @ turn
    factor = torch.exp(_uniform(n, math.log1p(plan.zoom), generator) * drawn["zoom"])
    factor = factor * (1 - torch.rand(n, generator=generator) * plan.crop * drawn["crop"])
    matrix = matrix * factor.view(-1, 1, 1)
    for a, b in ((1, 2), (2, 1)) if flat else ((0, 1), (1, 2), (2, 0)):
        matrix[:, a, b] += _uniform(n, plan.shear, generator) * drawn["shear"]
    # voxel units → half-extent units on both sides, so that turning an oblong image does not distort it
    matrix = matrix * extent.view(1, 1, 3) / extent.view(1, 3, 1)
    shift = torch.stack(
        [_uniform(n, 2 * plan.translate, generator) * drawn["translate"] for _ in range(3)], dim=1
    )
    if flat:
        matrix[:, 0], matrix[:, :, 0], shift[:, 0] = 0.0, 0.0, 0.0
        matrix[:, 0, 0] = 1.0
    on = [drawn[k] for k, v in _limits(plan).items() if v]
    chosen = torch.stack(on).any(dim=0) if on else torch.zeros(n, dtype=torch.bool)
    return chosen, torch.cat([matrix, shift[:, :, None]], dim=2)


def _limits(plan: AugmentPlan) -> dict[str, float]:
    return {
        "rotate": plan.rotate_deg,
        "zoom": plan.zoom,
        "shear": plan.shear,
        "translate": plan.translate,
        "crop": plan.crop,
    }


def _bend(n: int, shape: torch.Size, plan: AugmentPlan, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Which samples bend, and a smooth random displacement in half-extent units `(n, …, 2 or 3)`, x first.

    Its control points are 4 an axis; `plan.elastic` is its standard deviation as a share of the extent.
    """
    flat = shape[0] == 1
    dims = 2 if flat else 3
    coarse = torch.randn((n, dims, *(4,) * dims), generator=generator) * (2 * plan.elastic)
    drawn = torch.rand(n, generator=generator) < plan.probability
    coarse *= drawn.view(-1, *(1,) * (dims + 1))
    size = shape[1:] if flat else shape
    fine = F.interpolate(
        coarse, size=tuple(size), mode="bicubic" if flat else "trilinear", align_corners=True
    )
    return drawn, fine.movedim(1, -1)


def intensity(images: Named, plan: AugmentPlan, generator: torch.Generator) -> dict[str, Tensor]:
    """Brightness, contrast, gamma, blur, noise and cut-out, on intensities that prepare has normalised."""
    out: dict[str, Tensor] = {}
    for name, tensor in images.items():
        n = tensor.shape[0]

        def draw(n: int = n, like: Tensor = tensor) -> Tensor:
            return (torch.rand(n, generator=generator) < plan.probability).to(like).view(-1, 1, 1, 1, 1)

        def amount(limit: float, n: int = n, like: Tensor = tensor) -> Tensor:
            return _uniform(n, limit, generator).to(like).view(-1, 1, 1, 1, 1)

        if plan.contrast:
            tensor = tensor * torch.exp(amount(math.log1p(plan.contrast)) * draw())
        if plan.brightness:
            tensor = tensor + amount(plan.brightness) * draw()
        if plan.gamma:
            low = tensor.amin(dim=(2, 3, 4), keepdim=True)
            span = (tensor.amax(dim=(2, 3, 4), keepdim=True) - low).clamp_min(1e-6)
            power = torch.exp(amount(math.log1p(plan.gamma)) * draw())
            tensor = ((tensor - low) / span).clamp(0, 1).pow(power) * span + low
        if plan.blur:
            on = draw()
            tensor = tensor + on * (_blur(tensor) - tensor) * abs(amount(plan.blur)).clamp_max(1.0)
        if plan.noise:
            sd = abs(amount(plan.noise)) * draw()
            tensor = tensor + sd * torch.randn(tensor.shape, generator=generator).to(tensor)
        if plan.cutout:
            tensor = _cut(tensor, plan, generator)
        out[name] = tensor
    return out


def _blur(tensor: Tensor) -> Tensor:
    size = [3 if s > 2 else 1 for s in tensor.shape[2:]]
    padded = F.pad(tensor, [p for s in reversed(size) for p in (s // 2, s // 2)], mode="replicate")
    return F.avg_pool3d(padded, size, stride=1)


def _cut(tensor: Tensor, plan: AugmentPlan, generator: torch.Generator) -> Tensor:
    n, shape = tensor.shape[0], tensor.shape[2:]
    drawn = torch.rand(n, generator=generator) < plan.probability
    mask = torch.ones((n, 1, *shape))
    for k in range(n):
        where: list[slice] = [slice(None)]
        for size in shape:
            width = size if size == 1 else max(1, round(size * plan.cutout))
            start = int(torch.randint(0, size - width + 1, (1,), generator=generator))
            where.append(slice(start, start + width))
        if drawn[k]:
            mask[k][tuple(where)] = 0
    return tensor * mask.to(tensor)


def mixup(
    images: Named, targets: Named, plan: AugmentPlan, generator: torch.Generator
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Blend each sample with another, images and soft targets alike (Zhang et al. 2018, arXiv 1710.09412).

    Only targets of a floating type are blended; where there is any other, nothing is.
    """
    if not plan.mixup or not targets or not all(t.is_floating_point() for t in targets.values()):
        return dict(images), dict(targets)
    first = next(iter(images.values()))
    n = first.shape[0]
    # Beta(a, a) as a ratio of two gammas, from the one generator that is ours (Marsaglia & Tsang need no more)
    share = _beta(n, plan.mixup, generator)
    share = torch.maximum(share, 1 - share)
    other = torch.randperm(n, generator=generator)

    def blend(tensor: Tensor) -> Tensor:
        weight = share.to(tensor).view(-1, *(1,) * (tensor.ndim - 1))
        return weight * tensor + (1 - weight) * tensor[other.to(tensor.device)]

    return {k: blend(v) for k, v in images.items()}, {k: blend(v) for k, v in targets.items()}


def _beta(n: int, a: float, generator: torch.Generator) -> Tensor:
    alpha = torch.full((n,), a)
    x = torch._standard_gamma(alpha, generator=generator)
    y = torch._standard_gamma(alpha, generator=generator)
    return x / (x + y).clamp_min(1e-12)
