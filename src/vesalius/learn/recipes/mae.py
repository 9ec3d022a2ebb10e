"""Masked autoencoding: a net that sees a part of an image guesses what is hidden, patch by patch (MAE; SparK)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from math import prod
from typing import Any, Protocol, runtime_checkable

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from vesalius.core.errors import PlanError
from vesalius.core.plan import Plan, Section
from vesalius.learn.parallel import inside
from vesalius.learn.pretext import Pretext, Views
from vesalius.learn.recipes.contract import Member
from vesalius.learn.seeing import flat
from vesalius.nets import Net
from vesalius.nets.vit import Block
from vesalius.plan.draft import Draft
from vesalius.plan.fingerprint import Fingerprint
from vesalius.plan.machine import Machine

NAMES = {"mae": "Hidden parts of an image guessed from the rest; no target"}
SOURCE = (
    "He et al.: Masked Autoencoders Are Scalable Vision Learners, CVPR 2022, arXiv:2111.06377; convolutional nets: "
    "Tian et al.: SparK, ICLR 2023, arXiv:2301.03580"
)
CELLS = 6  # along the longest axis: so many cells at least, of which some are hidden
SIDE = 8  # patches along the longest axis of an image that a transformer of the default plan reads
NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)
MASKED = (*NORMS, nn.InstanceNorm2d, nn.InstanceNorm3d, nn.GroupNorm, nn.Conv2d, nn.Conv3d)
_FEW = 1e-2  # added to a patch's variance, so that noise in an even patch is not blown up


@runtime_checkable
class ReadsPatches(Protocol):
    """A net that can be shown some of an image's patches alone, such as a Vision Transformer."""

    grid: tuple[int, ...]

    def visible(self, x: Tensor, keep: Tensor) -> Tensor:
        """Return what is made of the patches at the places `keep` `(B, n)`, `(B, 1 + n, C)`."""


class MAEOptions(Section):
    """The options of `mae`.

    `hidden` is the share of the image that is hidden, by default 0.75 for a transformer and 0.6 for a convolutional
    net. `normalised` has each patch guessed at mean 0 and deviation 1. `width` and `depth` are those of the decoder.
    """

    hidden: float | None = Field(None, gt=0, lt=1)
    normalised: bool = True
    width: int = Field(64, ge=4, multiple_of=4)
    depth: int = Field(2, ge=1)


class MAE(Pretext):
    """The loss is about hidden patches alone, which the net never sees."""

    Options = MAEOptions
    count = 1

    def __init__(self, given: Member, options: MAEOptions) -> None:
        self.options = options
        super().__init__(given, options)

    @classmethod
    def defaults(cls, draft: Draft, prints: Fingerprint, machine: Machine) -> None:
        """Plan a small Vision Transformer, and views that change an image little: what is hidden is task enough."""
        size = draft.values["data.size"]
        flat_axes = size[1:] if prints.flat else size
        side = max(4, max(flat_axes) // SIDE)
        draft.set(
            "net.name", "vit-tiny", "it need only look at what is not hidden, which makes its steps cheap"
        )
        draft.set("net.scale", 1.0 if machine.gpu else 0.5, "what this machine can train")
        patch = [max(1, min(side, n // 2)) for n in flat_axes]
        draft.set("net.options", {"patch": patch}, f"about {SIDE} patches along the longest side")
        milder(draft)

    def head_of(self, net: Net, plan: Plan) -> nn.Module:
        """Return the decoder that suits the net: of tokens, of an encoder's maps, or of a dense net's full map."""
        o, channels = self.options, plan.data.inputs
        if isinstance(net, ReadsPatches):
            return TokenDecoder(net, channels, o)
        if plan.train.recompute or plan.train.accumulate > 1:
            raise PlanError(
                "recipe 'mae' hides places inside a convolutional net, which is not to be computed in parts or again",
                found=f"train.recompute={plan.train.recompute}, train.accumulate={plan.train.accumulate}".lower(),
                hint="--set train.recompute=false train.accumulate=1, or a transformer, such as net.name=vit-tiny",
            )
        return MapDecoder(net, plan.data.size[-net.dims :], channels, o)

    def terms(self, net: Net, seen: Views) -> dict[str, Tensor]:
        """Return the mean squared error of what is hidden, each patch at mean 0 and deviation 1 if so planned."""
        x, o, heads = flat(net, seen.views[0]), self.options, self.heads
        x = whole_cells(x, heads.cell)  # type: ignore[arg-type]
        truth = cells(x, heads.cell)  # type: ignore[arg-type]  # (B, N, cell)
        if o.normalised:
            truth = normalised(truth, x.shape[1])
        reads = isinstance(net, ReadsPatches)
        share = o.hidden if o.hidden is not None else 0.75 if reads else 0.6
        hidden = hidden_of(len(x), truth.shape[1], share, seen.generator).to(x.device)
        guess = heads(net, x, hidden)
        error = (guess - truth).pow(2).mean(dim=2)
        return {"hidden": (error * hidden).sum() / hidden.sum()}


class TokenDecoder(nn.Module):
    """A light transformer that is given the visible patches' tokens, and one and the same token at hidden places."""

    def __init__(self, net: Any, channels: int, options: MAEOptions) -> None:
        super().__init__()
        if getattr(net, "token", True) is None:  # its first patch would be taken for one
            raise PlanError(
                "recipe 'mae' needs a Vision Transformer with a class token",
                hint="--set net.options.token=true",
            )
        self.cell = tuple(int(s) for s in net.strides[0])
        width, places = options.width, prod(net.grid)
        self.into = nn.Linear(net.channels[0], width)
        self.hidden = nn.Parameter(torch.zeros(1, 1, width))
        self.positions = nn.Parameter(torch.randn(1, 1 + places, width) * 0.02)
        self.blocks = nn.Sequential(*(Block(width, 4, eps=1e-6, dropout=0.0) for _ in range(options.depth)))
        self.out = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, channels * prod(self.cell)))

    def forward(self, net: Any, x: Tensor, hidden: Tensor) -> Tensor:
        """Return guesses of every patch, `(B, N, C · patch)`, from those that are not hidden `(B, N)`."""
        n = int((~hidden[0]).sum())
        keep = hidden.to(torch.uint8).argsort(dim=1, stable=True)[:, :n]
        tokens = self.into(net.visible(x, keep))
        every = self.hidden.to(tokens).repeat(len(x), hidden.shape[1], 1)
        every = every.scatter(1, keep[..., None].expand(-1, -1, every.shape[2]), tokens[:, 1:])
        said = self.blocks(torch.cat((tokens[:, :1], every), dim=1) + self.positions)
        found: Tensor = self.out(said[:, 1:])
        return found


class MapDecoder(nn.Module):
    """Maps joined from the deepest to that of one place a cell, with a learned vector at what is hidden."""

    def __init__(self, net: Net, size: Sequence[int], channels: int, options: MAEOptions) -> None:
        super().__init__()
        conv = nn.Conv2d if net.dims == 2 else nn.Conv3d
        self.dense, width = net.role == "dense", options.width
        fits = [
            k for k, s in enumerate(net.strides) if max(n / a for n, a in zip(size, s, strict=True)) >= CELLS
        ]
        self.level = max(fits, default=0)
        shown = [n // max(1, max(size) // SIDE) for n in size]
        self.cell = (
            tuple(max(1, -(-n // max(1, g))) for n, g in zip(size, shown, strict=True))
            if self.dense
            else tuple(int(s) for s in net.strides[self.level])
        )
        self.channels = channels
        if self.dense:
            self.out = conv(net.out_channels, channels, 1)
            return
        used = net.channels[self.level :]
        self.into = nn.ModuleList(conv(c, width, 1) for c in used)
        self.hidden = nn.Parameter(torch.zeros(width))
        self.mix = nn.ModuleList(
            nn.Sequential(conv(width, width, 3, padding=1), nn.GELU()) for _ in range(max(options.depth, 1))
        )
        self.out = conv(width, channels * prod(self.cell), 1)

    def forward(self, net: Net, x: Tensor, hidden: Tensor) -> Tensor:
        """Return guesses of every cell, `(B, N, C · cell)`, from those that are not hidden `(B, N)`."""
        grid = [n // c for n, c in zip(x.shape[2:], self.cell, strict=True)]
        seen = (~hidden).reshape(len(x), 1, *grid).to(x)
        with sparse(net, seen):
            out: Any = net(x * spread_to(seen, x.shape[2:]))
        if self.dense:
            return cells(self.out(out.full), self.cell)
        maps = out[self.level :]
        joined = self.into[-1](maps[-1])
        for layer, one in zip(reversed(self.into[:-1]), reversed(maps[:-1]), strict=True):
            joined = layer(one) + F.interpolate(joined, size=one.shape[2:])
        joined = spread_to(joined, grid)
        mask = spread_to(seen, grid)
        joined = joined * mask + self.hidden.reshape(1, -1, *(1,) * net.dims) * (1 - mask)
        for block in self.mix:
            joined = joined + block(joined)
        said = self.out(joined).flatten(2).transpose(1, 2)  # (B, N, C · cell)
        found: Tensor = said
        return found


def milder(draft: Draft) -> None:
    """Set views that change an image little, for recipes whose task is to restore it."""
    why = "what is to be restored is task enough"
    for name, value in (("crop", 0.2), ("brightness", 0.1), ("contrast", 0.1)):
        draft.set(f"augment.{name}", value, why)
    for name in ("noise", "blur", "gamma", "shear"):
        draft.set(f"augment.{name}", 0.0, why)


def hidden_of(n: int, places: int, share: float, generator: torch.Generator) -> Tensor:
    """Return which places are hidden, `(n, places)` of bits: as many of each image, at least one, and never all."""
    count = min(max(1, round(share * places)), max(1, places - 1))
    drawn = torch.rand((n, places), generator=generator).argsort(dim=1)
    hidden = torch.zeros((n, places), dtype=torch.bool)
    return hidden.scatter_(1, drawn[:, :count], True)


def whole_cells(x: Tensor, cell: Sequence[int]) -> Tensor:
    """Return an image with zeros after its end, so that it has whole cells."""
    pad: list[int] = []
    for n, c in zip(reversed(x.shape[2:]), reversed(list(cell)), strict=True):
        pad += [0, -int(n) % c]
    return F.pad(x, pad) if any(pad) else x


def cells(x: Tensor, cell: Sequence[int]) -> Tensor:
    """Return an image `(B, C, *size)` of whole cells as their points, `(B, N, C · cell)`, channel by channel."""
    b, c, n = len(x), x.shape[1], len(cell)
    grid = [s // k for s, k in zip(x.shape[2:], cell, strict=True)]
    split = x.reshape(b, c, *(v for pair in zip(grid, cell, strict=True) for v in pair))
    order = [0, *(2 + 2 * k for k in range(n)), 1, *(3 + 2 * k for k in range(n))]
    return split.permute(order).reshape(b, prod(grid), c * prod(cell))


def normalised(patches: Tensor, channels: int) -> Tensor:
    """Return patches `(B, N, C · points)` with mean 0 and deviation 1 in each channel of each patch."""
    each = patches.reshape(*patches.shape[:2], channels, -1)
    mean, variance = each.mean(dim=3, keepdim=True), each.var(dim=3, keepdim=True, unbiased=False)
    scaled: Tensor = (each - mean) / (variance + _FEW).sqrt()
    return scaled.flatten(2)


def spread_to(mask: Tensor, size: Sequence[int]) -> Tensor:
    """Return a mask of cells `(B, 1, *grid)` on another grid, `(B, 1, *size)`."""
    return mask if list(mask.shape[2:]) == list(size) else F.interpolate(mask, size=list(size))


@contextmanager
def sparse(net: nn.Module, seen: Tensor) -> Iterator[None]:
    """Have every convolution and norm of a net leave hidden places at zero, inside this block.

    `seen` `(B, 1, *grid)` is one where a cell is visible. Maps coarser than the grid are left as they are. A norm over
    the batch finds its statistics on what is visible: hidden places hold the visible ones' mean, one deviation to
    either side, while it looks.
    """
    handles = []

    def fine(x: Any) -> bool:
        ours = isinstance(x, Tensor) and x.ndim == seen.ndim and len(x) == len(inside.own_rows(seen))
        return ours and all(n >= g for n, g in zip(x.shape[2:], seen.shape[2:], strict=True))

    def mask_of(x: Tensor) -> Tensor:
        return spread_to(inside.own_rows(seen), x.shape[2:])

    def filled(module: nn.Module, args: tuple[Any, ...]) -> Any:
        x = args[0]
        if not fine(x) or not module.training:
            return None
        mask = mask_of(x)
        axes = [0, *range(2, x.ndim)]
        n = inside.total(mask.sum()).clamp_min(1.0)
        mean = inside.total((x * mask).sum(dim=axes, keepdim=True)) / n
        deviation = (inside.total(((x - mean) ** 2 * mask).sum(dim=axes, keepdim=True)) / n).sqrt()
        sides = torch.arange(x[0, 0].numel(), device=x.device).reshape(x.shape[2:]) % 2 * 2.0 - 1
        return (torch.where(mask > 0, x, (mean + deviation * sides).detach()),)

    def emptied(module: nn.Module, args: Any, out: Any) -> Any:
        return out * mask_of(out) if fine(out) else out

    for module in net.modules():
        if isinstance(module, NORMS):
            handles.append(module.register_forward_pre_hook(filled))
        if isinstance(module, MASKED):
            handles.append(module.register_forward_hook(emptied))
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


RECIPE = MAE
