"""Folding: a field of many labels is blended as the net's map, and its last layer is put on it afterwards.

A convolution of one point changes places with what is linear in space: the mean over tiles, mirror images and members,
and interpolation. So a map of 32 channels is blended in place of 105 labels, of which only a few rows exist at once.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from contextlib import _GeneratorContextManager
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from vesalius.core.errors import PlanError
from vesalius.infer import beside
from vesalius.infer.layers import Watch, watched
from vesalius.infer.native import Point, by_name
from vesalius.infer.runs.contract import Members
from vesalius.tasks.contract import Task

WORTH = 0.67  # of the labels, from which fewer channels are worth it
CLOSE = {"fp32": 1e-4, "bf16": 3e-2}  # of the largest value, by the precision of the net
_SOME = 12  # points along an axis that are compared
_BYTES = 16 << 20  # of labels that exist at once


@dataclass(frozen=True, eq=False)
class Folded:
    """Members without their last layers, and these as one matrix `(K, M F)` and `(K,)` over the maps of all of them."""

    members: tuple[Members, ...]
    weight: Tensor
    bias: Tensor

    @property
    def channels(self) -> int:
        """Return how many channels the maps of all members have together."""
        return int(self.weight.shape[1])

    def raw(self, field: Tensor) -> Tensor:
        """Return the raw field `(K, …)` of the maps `(M F, …)`."""
        found: Tensor = torch.tensordot(self.weight, field, dims=1)
        return found + self.bias.view(-1, *[1] * (field.ndim - 1))

    def point(self, point: Point) -> Point:
        """Return what turns the maps into values, where `point` turns a raw field into them."""

        def turned(field: Tensor) -> Tensor | Mapping[str, Tensor]:
            step = max(1, _BYTES // (4 * len(self.bias) * max(1, field[0, :, 0].numel())))
            some = (field[:, :, k : k + step] for k in range(0, max(1, field.shape[2]), step))
            parts = [point(self.raw(part)) for part in some]
            if not isinstance(parts[0], Mapping):
                return torch.cat([part for part in parts if isinstance(part, Tensor)], dim=1)
            named = [by_name(part) for part in parts]
            return {name: torch.cat([one[name] for one in named], dim=1) for name in named[0]}

        return turned

    def agrees(self, maps: Tensor, raw: Tensor) -> bool:
        """Return whether maps `(B, M F, …)` give the raw outputs `(B, K, …)` about the same points, up to rounding."""
        if maps.ndim != raw.ndim or maps.shape[1] != self.channels or maps.shape[2:] != raw.shape[2:]:
            return False
        precision = self.members[0].plan.train.precision
        most = CLOSE.get(precision, CLOSE["fp32"]) * float(raw.detach().abs().max().clamp_min(1e-6))
        return all(
            float((self.raw(a) - b).detach().abs().max()) <= most for a, b in zip(maps, raw, strict=True)
        )


def sampled(field: Tensor) -> Tensor:
    """Return some of the points of `(B, K, z, y, x)`, spread over it, as a tensor of their own."""
    z, y, x = (slice(None, None, max(1, n // _SOME)) for n in field.shape[2:])
    return field[:, :, z, y, x].clone()


def folded(members: Members, channels: int) -> Folded | None:
    """Return the members without their last layers; None where these are no convolutions of one point.

    `channels` is how many the raw field has. Also None where the maps have hardly fewer.
    """
    found = getattr(members.task, "last_layer", None)
    if found is None or type(members.task).join is not Task.join:
        return None
    heads: list[nn.Conv2d | nn.Conv3d] = []
    bare: list[Members] = []
    for k, model in enumerate(members.models):
        if beside.of(model) is not None:
            return None  # a compiled graph says labels alone, and is quicker
        try:
            head = found(model)
        except (PlanError, AttributeError):  # a model of another make
            return None
        name = next((n for n, m in model.named_modules() if m is head), "")
        if not _is_pointwise(head, channels) or not name:
            return None
        heads.append(head)
        if members.watch is not None and any(head in w.modules() for w in watched(model).values()):
            return None  # what is watched would be another
        watch = None if members.watch is None or k else _Folding(members.watch, head)
        bare.append(replace(members, models=(_without(model, name.split(".")),), watch=watch))
    if not heads or sum(h.in_channels for h in heads) > WORTH * channels:
        return None
    with torch.no_grad():
        weight = torch.cat([h.weight.detach().float().flatten(1) for h in heads], dim=1) / len(heads)
        biases = [torch.zeros(channels, device=weight.device) if h.bias is None else h.bias for h in heads]
        bias = torch.stack([b.detach().float() for b in biases]).mean(dim=0)
    return Folded(tuple(bare), weight, bias)


class _Folding(Watch):
    """A watch that is told of maps where it would be told of raw outputs; what it keeps of these is their mean."""

    def __init__(self, watch: Watch, head: nn.Conv2d | nn.Conv3d) -> None:
        super().__init__(apart=watch.apart)
        self._watch, self._head = watch, head

    def over(self, model: nn.Module, rows: int) -> _GeneratorContextManager[None, None, None]:
        return self._watch.over(model, rows)

    def told(self, raw: Tensor) -> None:
        mean = raw.float().mean(dim=(2, 3, 4))  # (B, F)
        weight = self._head.weight.float().flatten(1)
        found = mean @ weight.T + (0.0 if self._head.bias is None else self._head.bias.float())
        self._watch.told(found[:, :, None, None, None])  # all tiles have one size, so each counts as much


def _is_pointwise(head: nn.Module, channels: int) -> bool:
    if type(head) not in (nn.Conv2d, nn.Conv3d) or not isinstance(head, nn.Conv2d | nn.Conv3d):
        return False
    ones = all(n == 1 for n in (*head.kernel_size, *head.stride))
    still = all(n == 0 for n in head.padding) if isinstance(head.padding, tuple) else False
    return ones and still and head.groups == 1 and head.out_channels == channels


def _without(model: nn.Module, path: Sequence[str]) -> nn.Module:
    """Return a model that shares all but one module, which passes on what it is given; the model itself stays."""
    other = copy.copy(model)
    other._modules = dict(model._modules)
    first, *rest = path
    below = model._modules[first]
    other._modules[first] = _without(below, rest) if rest and below is not None else nn.Identity()
    return other
