"""Examples and batches: prepared cases as a task encodes them, one by one in numpy and stacked in torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from vesalius.core.image import Array


@dataclass(frozen=True, eq=False)
class Example:
    """One prepared case, in numpy, before it is cut and put into a batch. Absent things are None.

    `images` by name `(C, Z, Y, X)`; `targets` by name, those named in `on_grid` as `(K, Z, Y, X)` and moved
    with the image by every geometric change; `weight` is how much this case counts.
    """

    case_id: str
    images: Mapping[str, Array]
    targets: Mapping[str, Array] = field(default_factory=dict)
    on_grid: frozenset[str] = frozenset()
    covariates: Array | None = None
    tokens: Array | None = None
    times: Array | None = None
    weight: float = 1.0


@dataclass(frozen=True, eq=False)
class Batch:
    """What a task's `loss` and `infer` are given, and all that the loop knows of a task.

    `images` by name `(B, C, Z, Y, X)` float32 (a 2-D picture has Z == 1); `targets` by name, any absent;
    `on_grid` names the targets that lie on the images' grid `(B, K, Z, Y, X)`; `covariates` `(B, F)`;
    `tokens` `(B, L)` int64; `times` `(B, …)`; `has_target` `(B,)` bool; `weight` `(B,)`.
    """

    images: Mapping[str, Tensor]
    case_ids: tuple[str, ...] = ()
    targets: Mapping[str, Tensor] = field(default_factory=dict)
    on_grid: frozenset[str] = frozenset()
    covariates: Tensor | None = None
    tokens: Tensor | None = None
    times: Tensor | None = None
    has_target: Tensor | None = None
    weight: Tensor | None = None

    def to(self, device: torch.device) -> Batch:
        """The same on another device."""

        def move(value: Any) -> Any:
            if isinstance(value, Tensor):
                return value.to(device, non_blocking=True)
            if isinstance(value, Mapping):
                return {k: move(v) for k, v in value.items()}
            return value

        changed = {name: move(getattr(self, name)) for name in self.__dataclass_fields__}
        return replace(self, **changed)


def collate(examples: Sequence[Example]) -> Batch:
    """Stack examples into a Batch; a target, covariate … that some lack is absent, and `has_target` says so."""
    first = examples[0]
    names = set(first.targets)
    for example in examples[1:]:
        names &= set(example.targets)
    return Batch(
        images={k: torch.from_numpy(np.stack([e.images[k] for e in examples])) for k in first.images},
        case_ids=tuple(e.case_id for e in examples),
        targets={k: torch.from_numpy(np.stack([e.targets[k] for e in examples])) for k in sorted(names)},
        on_grid=frozenset(names & first.on_grid),
        covariates=_stacked([e.covariates for e in examples]),
        tokens=_stacked([e.tokens for e in examples]),
        times=_stacked([e.times for e in examples]),
        has_target=torch.tensor([bool(e.targets) for e in examples]),
        weight=torch.tensor([e.weight for e in examples], dtype=torch.float32),
    )


def _stacked(arrays: Sequence[Array | None]) -> Tensor | None:
    present = [a for a in arrays if a is not None]
    return torch.from_numpy(np.stack(present)) if present and len(present) == len(arrays) else None
