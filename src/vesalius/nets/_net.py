"""The base of all nets: what a task may rely on, whatever the family."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from vesalius.core.errors import PlanError
from vesalius.nets._adapt import adapted_kernel
from vesalius.nets._depths import Depths, depths_of, under

ENCODERS = ("encoder", "cine")  # roles of nets that sum an image up in maps


class Dense(NamedTuple):
    """What a dense net returns: decoder maps, finest first, and the map at the input's own resolution."""

    features: list[Tensor]  # each (B, net.channels[i], ceil(size / net.strides[i]))
    full: Tensor  # (B, net.out_channels, *size)


class Net(nn.Module):
    """A network without a task: it turns an image into feature maps.

    `dims` is 2 or 3; `channels` and `strides` belong to the maps that it returns, finest first; a stride has one
    number an axis, in the order `(Y, X)` or `(Z, Y, X)`, in input voxels.

    - role `encoder`: `forward(x) -> list[Tensor]`, x `(B, C, Y, X)` or `(B, C, Z, Y, X)`.
    - role `dense`: `forward(x) -> Dense`; a task adds a 1×1 convolution of `out_channels` to `full`.
    - role `cine`: an encoder with time, `forward(x) -> list[Tensor]`, x `(B, T, C, Y, X)` or `(B, T, C, Z, Y, X)`, maps
      `(B, C, T', …)`; its strides begin with that of time.
    - role `sequence`: see `_overtime.py`.
    """

    role: ClassVar[str] = "encoder"
    tables: ClassVar[tuple[str, ...]] = ()  # tensors with a row for each piece of a vocabulary
    places: ClassVar[tuple[str, ...]] = ()  # tensors with a row for each place in a text
    tensor_parallel: ClassVar[
        Mapping[str, str]
    ] = {}  # how processes share its layers (`learn/large/shared.py`)
    dims: int
    channels: tuple[int, ...]
    strides: tuple[tuple[int, ...], ...]
    out_channels: int
    dropout: float

    @property
    def encoding(self) -> tuple[str, ...]:
        """Return the names of the parts that see the image, `""` for all of the net; none where the net does not say.

        By default all of an encoder and of a net that reads text, and what a dense net calls `encoder`.
        """
        if self.role in (*ENCODERS, "text"):
            return ("",)
        return ("encoder",) if isinstance(getattr(self, "encoder", None), nn.Module) else ()

    @property
    def depths(self) -> Depths:
        """Return the names of the parts of `encoding` by depth, from the input to the deepest, a tuple each.

        Layer-wise rates and gradual unfreezing go by them. Every parameter of `encoding` lies in exactly one of them.
        By default parts follow one another as they are declared (see `_depths.py`); a family whose image passes them
        in another order overrides this. Where a net of its own sees the images, they are that net's.
        """
        inner = {part: self.get_submodule(part) for part in self.encoding if part}
        if len(inner) == 1:
            (name, net), *_ = inner.items()
            if isinstance(net, Net):
                return under(name, net.depths)
        return depths_of(self, self.encoding)

    def __init__(
        self,
        dims: int,
        channels: Sequence[int],
        *,
        strides: Sequence[int | Sequence[int]],
        out_channels: int | None = None,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.dims = dims
        self.channels = tuple(int(c) for c in channels)
        self.strides = tuple((s,) * dims if isinstance(s, int) else tuple(int(v) for v in s) for s in strides)
        self.out_channels = self.channels[-1] if out_channels is None else out_channels
        self.dropout = dropout

    def head(self, classes: int) -> nn.Module:
        """Return a fresh classification head: the maps of `forward` → logits `(B, classes)`.

        By default the last map's mean, dropout and one linear layer; a family whose paper has another head
        overrides this. Dense nets have none: a task gives them a 1×1 convolution.

        Raises:
            PlanError: the net is not an encoder.
        """
        if self.role not in ENCODERS:
            raise PlanError(f"a {self.role} net has no classification head", hint="choose an encoder")
        return GlobalHead(self.channels[-1], classes, dropout=self.dropout)

    def cam_map(self, output: Any) -> Tensor:
        """Return the map `(B, C, …)` that class-activation maps weigh, out of what `forward` returned.

        It is the map that heads are put on, so that gradients of an answer reach it: an encoder's last one, and the map
        at the input's own resolution of a dense net. A family whose head takes another map overrides this.
        """
        found: Tensor = output.full if self.role == "dense" else output[-1]
        return found

    def summed_up(self, output: Any) -> Tensor:
        """Return `(B, F)`, the mean over space of the deepest map, out of what `forward` returned.

        It is an encoder's last map, and the bottom of a U-Net. A family that sums an image up otherwise overrides this.
        """
        deepest: Tensor = (output.features if self.role == "dense" else output)[-1]
        return deepest.flatten(2).mean(-1)

    def adapted(self, name: str, tensor: Tensor, shape: Sequence[int]) -> tuple[Tensor, str] | None:
        """Return a tensor of given weights in the `shape` that this net's tensor `name` has, and what was done to it.

        None where it cannot be. By default a kernel is fitted to other input channels of the first layer, and to a
        third axis. A family with learned positions overrides this.
        """
        if name in self.places and tensor.ndim == 2 and tuple(tensor.shape[1:]) == tuple(shape[1:]):
            return (tensor[: shape[0]], f"the first {shape[0]} places") if len(tensor) > shape[0] else None
        first = next((n for n, p in self.named_parameters() if p.ndim > 3), None)
        return adapted_kernel(tensor, shape, first=name == first)

    def check_input(self, x: Tensor) -> None:
        """Refuse a tensor of another rank with one line instead of a stack of torch."""
        if x.ndim != self.dims + 2:
            axes = "(B, C, Y, X)" if self.dims == 2 else "(B, C, Z, Y, X)"
            raise PlanError(f"a {self.dims}-D net takes {axes}", found=f"shape {tuple(x.shape)}")


class GlobalHead(nn.Module):
    """Global average of the last map, dropout, one linear layer: `[maps] -> (B, classes)`."""

    def __init__(self, channels: int, classes: int, *, dropout: float = 0.0) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.linear = nn.Linear(channels, classes)

    def forward(self, maps: list[Tensor]) -> Tensor:
        pooled = maps[-1].flatten(2).mean(-1)  # (B, C)
        logits: Tensor = self.linear(self.dropout(pooled))
        return logits


def pad_to_multiple(x: Tensor, multiple: Sequence[int], *, two: bool = False) -> Tensor:
    """Zero-pad the end of each spatial axis to a multiple of `multiple`; `x` itself where nothing is missing.

    The start stays where it was, so voxel i of a map with stride s still covers input voxels [i·s, (i+1)·s).
    With `two`, at least two positions remain at the coarsest stride, which normalisation over space needs.
    """
    sizes = list(x.shape[2:])
    goal = [math.ceil(n / m) * m for n, m in zip(sizes, multiple, strict=True)]
    if two and all(g == m for g, m in zip(goal, multiple, strict=True)):
        goal[-1] *= 2
    pad: list[int] = []
    for n, g in zip(reversed(sizes), reversed(goal), strict=True):
        pad += [0, g - n]
    return torch.nn.functional.pad(x, pad) if any(pad) else x


def crop_to(x: Tensor, size: Sequence[int]) -> Tensor:
    """Return the first `size` positions of each spatial axis; `x` itself where it has that size."""
    if tuple(x.shape[2:]) == tuple(size):
        return x
    for axis, n in enumerate(size, start=2):
        x = x.narrow(axis, 0, n)
    return x
