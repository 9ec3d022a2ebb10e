"""R(2+1)D: a residual network over cines, whose convolutions over space and over time take turns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from vesalius.core.errors import PlanError
from vesalius.core.options import options_of
from vesalius.nets._blocks import conv, depth, norm, width
from vesalius.nets._net import Net
from vesalius.nets._overtime import AXES, beside, steps_there, taken, there_first

NAMES = {"r2plus1d": "a residual network over cines: space and time in turns"}
ROLE = "cine"
DIMS = (2, 3)
SOURCE = "Tran et al.: A closer look at spatiotemporal convolutions for action recognition, CVPR 2018, arXiv:1711.11248"
SMALLEST = 0.0625
OPTIONS = {"layers": 18, "norm": "batch"}
LIMITS = {"layers": {"in": [10, 18, 34]}, "norm": {"in": ["batch", "instance", "group"]}}

BLOCKS = {10: (1, 1, 1, 1), 18: (2, 2, 2, 2), 34: (3, 4, 6, 3)}


@dataclass(frozen=True)
class Clip:
    """Frames of a batch of cines: those that are there alone, `(M, C, *S)`, and which of `(B, T)` they are.

    Frames of a cine that are there stand first. Without `there` all of them are. While a graph is made of the net they
    are all kept, `M = B · T`, for its way cannot hang on what a cine has; those that are not there count as 0 again.
    """

    frames: Tensor
    rows: int
    there: Tensor | None

    def spread(self) -> Tensor:
        """Return all frames, `(B, T, C, *S)`, 0 where there is none."""
        if self.there is None:
            return self.frames.reshape(self.rows, -1, *self.frames.shape[1:])
        if torch.compiler.is_exporting():
            every = self.frames.reshape(self.rows, -1, *self.frames.shape[1:])
            return torch.where(beside(self.there, every), every, 0.0)
        places = self.there.flatten().nonzero()[:, 0]
        out = self.frames.new_zeros(self.there.numel(), *self.frames.shape[1:])
        out = out.index_copy(0, places, self.frames)
        return out.reshape(self.rows, -1, *out.shape[1:])


def gathered(frames: Tensor, there: Tensor | None) -> Clip:
    """Return frames `(B, T, C, *S)` as a clip of those that are there."""
    flat = frames.flatten(0, 1)
    if there is None or torch.compiler.is_exporting():
        return Clip(flat, frames.shape[0], there)
    return Clip(flat[there.flatten()], frames.shape[0], there)


class Factored(nn.Module):
    """A convolution over space, normalisation and ReLU, then one over time: `(2+1)D`.

    It has as many weights as one over both would, by its channels `between`.
    """

    def __init__(
        self,
        dims: int,
        inside: int,
        outside: int,
        *,
        between: int,
        normalise: str,
        side: int = 3,
        stride: tuple[int, int] = (1, 1),
    ) -> None:
        super().__init__()
        self.every = stride[0]
        self.space = conv(dims, inside, between, kernel=side, stride=stride[1], bias=False)
        self.norm = norm(normalise, dims, between)
        self.time = nn.Conv2d(between, outside, (3, 1), stride=(stride[0], 1), padding=(1, 0), bias=False)

    def forward(self, clip: Clip) -> Clip:
        """Return a clip of as many frames, or of every other."""
        kept = torch.relu(self.norm(self.space(clip.frames)))
        x = replace(clip, frames=kept).spread()  # (B, T, C, *S)
        y = self.time(x.flatten(3).transpose(1, 2)).transpose(1, 2)  # over (B, C, T, voxels)
        y = y.reshape(*y.shape[:3], *x.shape[3:])
        return gathered(y, None if clip.there is None else clip.there[:, :: self.every])


class Block(nn.Module):
    """Two factored convolutions beside a shortcut."""

    def __init__(self, dims: int, inside: int, outside: int, *, stride: int, normalise: str) -> None:
        super().__init__()
        cube = 3**dims
        between = inside * outside * 3 * cube // (inside * cube + 3 * outside)
        between = max(4, between)
        self.conv1 = Factored(
            dims, inside, outside, between=between, normalise=normalise, stride=(stride, stride)
        )
        self.bn1 = norm(normalise, dims, outside)
        self.conv2 = Factored(dims, outside, outside, between=between, normalise=normalise)
        self.bn2 = norm(normalise, dims, outside)
        self.every = stride
        self.downsample: nn.Module = nn.Identity()
        if stride != 1 or inside != outside:
            project = conv(dims, inside, outside, kernel=1, stride=stride, bias=False)
            self.downsample = nn.Sequential(project, norm(normalise, dims, outside))

    def forward(self, clip: Clip) -> Clip:
        """Return a clip of as many frames, or of every other."""
        inner: Clip = self.conv1(clip)
        inner = self.conv2(replace(inner, frames=torch.relu(self.bn1(inner.frames))))
        if self.every > 1:
            clip = gathered(clip.spread()[:, :: self.every], inner.there)
        frames = torch.relu(self.bn2(inner.frames) + self.downsample(clip.frames))
        return replace(inner, frames=frames)


class Stem(nn.Module):
    """The first layer: 7 pixels a side over space, at half the resolution; then three frames over time."""

    def __init__(self, dims: int, in_channels: int, base: int, *, between: int, normalise: str) -> None:
        super().__init__()
        self.conv = Factored(
            dims, in_channels, base, between=between, normalise=normalise, side=7, stride=(1, 2)
        )
        self.norm = norm(normalise, dims, base)

    def forward(self, clip: Clip) -> Clip:
        """Return a clip of as many frames."""
        clip = self.conv(clip)
        return replace(clip, frames=torch.relu(self.norm(clip.frames)))


class R2Plus1D(Net):
    """Four stages of residual blocks after a stem; returns the four stages' maps, `(B, C, T', …)`.

    Strides are 1, 2, 4, 8 in time and 2, 4, 8, 16 in space. Frames that are not there are passed by, also by the
    statistics of batch normalisation; where maps have no frame, they hold the mean of those that have, so that a mean
    over all of a map is that of the frames. It knows the order of frames, and not when they were.
    """

    role: ClassVar[str] = "cine"

    def __init__(
        self,
        dims: int,
        in_channels: int,
        *,
        blocks: Sequence[int],
        base: int,
        between: int,
        normalise: str,
        dropout: float,
    ) -> None:
        super().__init__(
            dims,
            [base * 2**i for i in range(4)],
            strides=[(2**i, *(2 ** (i + 1),) * dims) for i in range(4)],
            dropout=dropout,
        )
        self.in_channels = in_channels
        self.stem = Stem(dims, in_channels, base, between=between, normalise=normalise)
        inside = base
        for i, count in enumerate(blocks):
            stage = nn.Sequential()
            for j in range(count):
                stride = 2 if i > 0 and j == 0 else 1
                stage.append(Block(dims, inside, base * 2**i, stride=stride, normalise=normalise))
                inside = base * 2**i
            self.add_module(f"layer{i + 1}", stage)
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Conv3d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x: Tensor, times_s: Tensor | None = None, there: Tensor | None = None) -> list[Tensor]:
        """Return a map `(B, C, T', *S')` of each stage, finest first.

        `x` is `(B, T, C, Y, X)` or `(B, T, C, Z, Y, X)`; `there` `(B, T)` bool says which frames there are, and of
        `times_s` `(B, T)` is read only where they are NaN: there is no frame. Raises PlanError for other shapes.
        """
        self.check_input(x)
        there = steps_there(x, times_s, there)
        if there is not None:
            order, _ = there_first(there)
            there = taken(there, order)
            x = taken(x, order)
        clip = self.stem(gathered(x, there))
        maps = []
        for i in range(4):
            clip = self.get_submodule(f"layer{i + 1}")(clip)
            maps.append(_filled(clip))
        return maps

    def check_input(self, x: Tensor) -> None:
        """Refuse what is not a batch of cines of `in_channels` channels, with one line."""
        if x.ndim != self.dims + 3 or x.shape[2] != self.in_channels or not x.shape[1]:
            axes: Any = AXES["maps"]
            raise PlanError(
                f"a {self.dims}-D net over cines takes {axes[self.dims]} of {self.in_channels} channels",
                found=f"shape {tuple(x.shape)}",
            )


def _filled(clip: Clip) -> Tensor:
    """Return the map `(B, C, T', *S)` of a clip, with the mean of its frames where a cine has none."""
    out = clip.spread()
    if clip.there is not None:
        held = beside(clip.there, out)
        count = held.sum(1, keepdim=True).clamp(min=1)
        out = torch.where(held, out, out.sum(1, keepdim=True) / count)
    return out.transpose(1, 2)


def build(
    name: str,
    *,
    dims: int,
    in_channels: int,
    scale: float = 1.0,
    dropout: float = 0.0,
    size: Sequence[int] | None = None,
    options: Mapping[str, Any] | None = None,
) -> Net:
    """Build an R(2+1)D of 10, 18 or 34 `layers`; `dims` is that of one frame, and `size` means nothing to it.

    Scale 1 has 64 channels in its first stage, and 45 between space and time in its stem, as torchvision's has; dropout
    stands before the linear head. `norm` is `batch`, `instance` or `group`; only with the first does an answer in
    training depend on the other cines of a batch.
    """
    chosen = options_of("nets", name, options or {}, where=f"{name}: options")
    return R2Plus1D(
        dims,
        in_channels,
        blocks=[depth(count, scale) for count in BLOCKS[chosen["layers"]]],
        base=width(64, scale),
        between=45 if scale == 1.0 else width(45, scale),
        normalise=str(chosen["norm"]),
        dropout=dropout,
    )
