"""The shape that all U-Nets share: down stage by stage, up again, each level joined to its mirror image."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar, Protocol

import torch
from torch import Tensor, nn

from vesalius.core.errors import PlanError
from vesalius.nets._blocks import SPATIAL_DROPOUT, conv, norm, transposed, width
from vesalius.nets._net import Dense, Net, crop_to, pad_to_multiple
from vesalius.nets._topology import Topology, topology

SLOPE = 0.01


class Level(Protocol):
    """Makes one level's block."""

    def __call__(
        self, inside: int, outside: int, *, stride: Sequence[int], kernel: Sequence[int], stage: int
    ) -> nn.Module: ...


class UShape(Net):
    """A U-Net whose blocks are made by `encode` and `decode`, and whose skips pass through `gate`, if any.

    `gate(stage)` makes a module that takes `(skip, coarser map upsampled)` and returns the skip to be joined. Kernels
    on the way up are those of the same level on the way down, or `kernels_up`, finest first.
    `forward` returns the decoder's map of every level, finest first, the last one being the bottom; an input
    that does not divide by the total stride is zero-padded at its end and the maps are cropped again.
    """

    role: ClassVar[str] = "dense"

    def __init__(
        self,
        dims: int,
        in_channels: int,
        *,
        channels: Sequence[int],
        plan: Topology,
        encode: Level,
        decode: Level,
        gate: Callable[[int], nn.Module] | None = None,
        kernels_up: Sequence[Sequence[int]] | None = None,
        dropout: float = 0.0,
    ) -> None:
        super().__init__(dims, channels, strides=plan.cumulative, out_channels=channels[0], dropout=dropout)
        ones = (1,) * dims
        inside = in_channels
        self.encoder = nn.ModuleList()
        for i, outside in enumerate(channels):
            block = encode(inside, outside, stride=plan.strides[i], kernel=plan.kernels[i], stage=i)
            self.encoder.append(block)
            inside = outside
        rising = plan.kernels if kernels_up is None else kernels_up
        self.up, self.decoder, self.gates = nn.ModuleList(), nn.ModuleList(), nn.ModuleList()
        for i in range(len(channels) - 1):
            self.up.append(transposed(dims, channels[i + 1], channels[i], stride=plan.strides[i + 1]))
            self.decoder.append(decode(2 * channels[i], channels[i], stride=ones, kernel=rising[i], stage=i))
            if gate is not None:
                self.gates.append(gate(i))

    def forward(self, x: Tensor) -> Dense:
        self.check_input(x)
        size = [int(n) for n in x.shape[2:]]
        x = pad_to_multiple(x, self.strides[-1], two=True)
        skips = []
        for block in self.encoder:
            x = block(x)
            skips.append(x)
        maps = [skips.pop()]
        for i in reversed(range(len(self.up))):
            up = self.up[i](maps[-1])
            skip = skips.pop()
            if len(self.gates):
                skip = self.gates[i](skip, up)
            maps.append(self.decoder[i](torch.cat((skip, up), dim=1)))
        maps.reverse()
        cropped = [
            crop_to(m, [-(-n // s) for n, s in zip(size, stride, strict=True)])
            for m, stride in zip(maps, self.strides, strict=True)
        ]
        return Dense(cropped, cropped[0])


class ConvNormAct(nn.Sequential):
    """Convolution, normalisation, leaky ReLU (in place), and dropout of whole channels where there is any."""

    def __init__(
        self,
        dims: int,
        inside: int,
        outside: int,
        *,
        kernel: Sequence[int],
        stride: int | Sequence[int] = 1,
        normalise: str = "instance",
        eps: float = 1e-5,
        slope: float = SLOPE,
        dropout: float = 0.0,
    ) -> None:
        layers = [conv(dims, inside, outside, kernel=kernel, stride=stride, bias=False)]
        if dropout:
            layers.append(SPATIAL_DROPOUT[dims](dropout))
        layers += [norm(normalise, dims, outside, eps=eps), nn.LeakyReLU(slope, inplace=True)]
        super().__init__(*layers)


def each(name: str, option: str, value: int | Sequence[int], stages: int) -> list[int]:
    """Return an option that is one number for all stages, or one a stage. Raises PlanError for another count."""
    if isinstance(value, int):
        return [value] * stages
    if len(value) != stages or min(value) < 1:
        raise PlanError(
            f"'{option}' of net '{name}' must be one number, or one a stage", found=str(list(value))
        )
    return [int(v) for v in value]


def kernels_of(
    name: str, given: Sequence[Sequence[int]], *, dims: int, stages: int
) -> tuple[tuple[int, ...], ...]:
    """Return the sides of kernels, finest first. Raises PlanError unless there are `dims` odd ones for each stage."""
    kernels = tuple(tuple(int(v) for v in kernel) for kernel in given)
    if len(kernels) != stages or any(len(k) != dims or any(v % 2 == 0 for v in k) for k in kernels):
        raise PlanError(
            f"'kernels' of net '{name}' must hold {dims} odd numbers for each of {stages} stages",
            found=str(given),
        )
    return kernels


def plan_levels(
    name: str,
    *,
    dims: int,
    scale: float,
    size: Sequence[int] | None,
    options: Mapping[str, Any],
    base: int = 32,
) -> tuple[list[int], Topology]:
    """Return channels and topology of a U-Net from its size, scale and the options every U-Net has.

    `channels`: channels of each stage (instead of `base · scale`, doubled at each stage up to 320 · scale in
    3-D and 512 · scale in 2-D); `stages`: how many; `spacing_mm`: voxel size in the order of `size`;
    `strides`: the stages' strides themselves, the first one all ones; `kernels`: the sides of the stages' kernels,
    odd numbers, where the net has that option.

    Raises:
        PlanError: the options contradict each other, or the size is too small for the stages asked.
    """
    given: Sequence[int] | None = options["channels"]
    asked: int | None = options["stages"] or (len(given) if given else None)
    if options["strides"] is not None:
        strides = tuple(tuple(int(v) for v in stride) for stride in options["strides"])
        if any(len(stride) != dims for stride in strides) or not strides or max(strides[0]) != 1:
            raise PlanError(
                f"'strides' of net '{name}' must hold {dims} numbers a stage, the first stage all 1",
                found=str(options["strides"]),
            )
        plan = Topology(strides=strides, kernels=((3,) * dims,) * len(strides))
    else:
        plan = topology(dims, size, spacing_mm=options["spacing_mm"], stages=asked)
    if options.get("kernels") is not None:
        plan = replace(
            plan, kernels=kernels_of(name, options["kernels"], dims=dims, stages=len(plan.strides))
        )
    found = len(plan.strides)
    if asked is not None and found != asked:
        where = f"size {tuple(size)}" if size is not None else "the strides"
        raise PlanError(
            f"net '{name}' was asked for {asked} stages",
            found=f"{found} in {where}",
            hint=f"{found} stages or a larger patch",
        )
    if given:
        return [int(c) for c in given], plan
    top = 320 if dims == 3 else 512
    return [width(min(base * 2**i, top), scale) for i in range(found)], plan
