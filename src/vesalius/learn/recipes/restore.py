"""Restoration: a dense net gives back an image whose greys, order and parts were spoilt (Models Genesis)."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from vesalius.core.errors import PlanError
from vesalius.core.plan import Plan, Section
from vesalius.learn.pretext import Pretext, Views
from vesalius.learn.recipes.contract import Member
from vesalius.learn.recipes.mae import milder
from vesalius.learn.seeing import flat
from vesalius.nets import Net
from vesalius.plan import patches
from vesalius.plan.draft import Draft
from vesalius.plan.fingerprint import Fingerprint
from vesalius.plan.machine import Machine

NAMES = {"restore": "Spoilt images restored by a U-Net: their greys, their order, their parts; no target"}
SOURCE = "Zhou et al.: Models Genesis, MICCAI 2019, arXiv:1908.06912"
POINTS = 64  # of the curve that greys are changed by
LARGEST = 8  # a window that is shuffled is at most this part of a side
BOXES = 4  # that are painted over, or left


class RestoreOptions(Section):
    """The options of `restore`: how often each change is made to an image.

    Where an image is painted on, `outer` is how often all but some boxes is painted over, instead of the boxes.
    """

    greys: float = Field(0.9, ge=0, le=1)
    shuffled: float = Field(0.5, ge=0, le=1)
    windows: int = Field(24, ge=0)
    painted: float = Field(0.9, ge=0, le=1)
    outer: float = Field(0.5, ge=0, le=1)


class Restore(Pretext):
    """The loss is the mean squared error to the image as it was."""

    Options = RestoreOptions
    count = 1

    def __init__(self, given: Member, options: RestoreOptions) -> None:
        self.options = options
        super().__init__(given, options)

    @classmethod
    def defaults(cls, draft: Draft, prints: Fingerprint, machine: Machine) -> None:
        """Plan the U-Net that a segmentation of these images would have, and views that change an image little."""
        if prints.flat:
            patches.images(draft, prints, machine)
        patches.dense_net(draft, prints, machine)
        draft.set(
            "train.batch",
            (16 if prints.flat else 4) if machine.gpu else (8 if prints.flat else 2),
            "as many patches as a step can afford",
        )
        milder(draft)

    def head_of(self, net: Net, plan: Plan) -> nn.Module:
        """Return a 1×1 convolution on the full map. Raises PlanError for a net that has none."""
        if net.role != "dense":
            raise PlanError(
                "recipe 'restore' gives back whole images, which an encoder alone cannot",
                found=plan.net.name,
                hint="--set net.name=unet, or --set train.recipe=mae",
            )
        conv = nn.Conv2d if net.dims == 2 else nn.Conv3d
        return conv(net.out_channels, plan.data.inputs, 1)

    def terms(self, net: Net, seen: Views) -> dict[str, Tensor]:
        """Return the mean squared error of the restored images."""
        image = seen.views[0]
        spoilt = spoil(image, self.options, seen.generator)
        out = net(flat(net, spoilt))
        return {"restored": F.mse_loss(self.heads(out.full).float(), flat(net, image))}


def spoil(x: Tensor, options: RestoreOptions, generator: torch.Generator) -> Tensor:
    """Return images `(B, C, Z, Y, X)` whose greys, order and parts are changed, each as often as asked."""
    out = x.clone()
    for k in range(len(x)):
        greys, order, paint, outer = torch.rand(4, generator=generator).tolist()
        if greys < options.greys:
            out[k] = regraded(out[k], generator)
        if order < options.shuffled:
            out[k] = shuffled(out[k], options.windows, generator)
        if paint < options.painted:
            out[k] = painted(out[k], outer < options.outer, generator)
    return out


def regraded(x: Tensor, generator: torch.Generator) -> Tensor:
    """Return an image whose greys went through a rising or falling Bézier curve between its lowest and highest."""
    low, high = x.amin(), x.amax()
    inner = torch.rand((2, 2), generator=generator)
    t = torch.linspace(0, 1, POINTS)
    weights = torch.stack([(1 - t) ** 3, 3 * (1 - t) ** 2 * t, 3 * (1 - t) * t**2, t**3])
    ends = torch.tensor([[0.0, 0.0], [1.0, 1.0]])
    points = torch.cat((ends[:1], inner.sort(dim=0).values, ends[1:]))  # (4, 2), both rising
    curve_x, curve_y = (points.T @ weights).to(x)
    if float(torch.rand(1, generator=generator)) < 0.5:
        curve_y = 1 - curve_y
    share = ((x - low) / (high - low).clamp_min(1e-6)).clamp(0, 1)
    place = torch.searchsorted(curve_x.contiguous(), share.contiguous()).clamp(1, POINTS - 1)
    before, after = curve_x[place - 1], curve_x[place]
    part = (share - before) / (after - before).clamp_min(1e-6)
    return low + (high - low) * torch.lerp(curve_y[place - 1], curve_y[place], part.clamp(0, 1))


def shuffled(x: Tensor, windows: int, generator: torch.Generator) -> Tensor:
    """Return an image in small windows of which the points changed places, all channels alike."""
    out = x.clone()
    for _ in range(windows):
        size = [
            int(torch.randint(1, max(2, n // LARGEST + 1), (1,), generator=generator)) for n in x.shape[1:]
        ]
        z, y, w = box(x.shape[1:], size, generator)
        window = out[:, z, y, w]
        order = torch.randperm(prod(window.shape[1:]), generator=generator).to(x.device)
        out[:, z, y, w] = window.flatten(1)[:, order].reshape(window.shape)
    return out


def painted(x: Tensor, outer: bool, generator: torch.Generator) -> Tensor:
    """Return an image with noise in some boxes, or, with `outer`, in all but some boxes, of its own reach of values."""
    inside = torch.zeros(x.shape[1:], dtype=torch.bool)
    for _ in range(int(torch.randint(1, BOXES + 1, (1,), generator=generator))):
        size = []
        for n in x.shape[1:]:
            least, most = (n * 3 // 7, n * 4 // 7) if outer else (n // 6, n // 3)
            size.append(int(torch.randint(max(1, least), max(1, most) + 1, (1,), generator=generator)))
        inside[box(x.shape[1:], size, generator)] = True
    over = (~inside if outer else inside).to(x.device)
    noise = torch.rand(x.shape, generator=generator).to(x) * (x.amax() - x.amin()) + x.amin()
    return torch.where(over, noise, x)


def box(shape: Sequence[int], size: Sequence[int], generator: torch.Generator) -> tuple[slice, ...]:
    """Return a box of a size at a random place within a shape."""
    starts = [
        int(torch.randint(0, n - s + 1, (1,), generator=generator)) for n, s in zip(shape, size, strict=True)
    ]
    return tuple(slice(a, a + s) for a, s in zip(starts, size, strict=True))


RECIPE = Restore
