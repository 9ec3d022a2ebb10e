"""How a U-Net descends: the stride and kernel of each stage, from the size and the spacing of its input."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

SMALLEST_AXIS = 4


@dataclass(frozen=True)
class Topology:
    """One stride and one kernel a stage, finest first; the first stage's stride is 1 on every axis."""

    strides: tuple[tuple[int, ...], ...]
    kernels: tuple[tuple[int, ...], ...]

    @property
    def cumulative(self) -> tuple[tuple[int, ...], ...]:
        """Stride of each stage's map against the input."""
        total = [1] * len(self.strides[0])
        out = []
        for stride in self.strides:
            total = [t * s for t, s in zip(total, stride, strict=True)]
            out.append(tuple(total))
        return tuple(out)


def topology(
    dims: int,
    size: Sequence[int] | None,
    *,
    spacing_mm: Sequence[float] | None = None,
    stages: int | None = None,
) -> Topology:
    """Halve the axes stage by stage, never one below four voxels; at most 6 stages in 3-D and 8 in 2-D.

    With `spacing_mm` (in the order of `size`) an axis whose voxels are more than twice as long as the finest
    waits with halving, and with kernels of 3, until the others have caught up, as nnU-Net plans it (Isensee et
    al., Nature Methods 2021). Without a size: `stages`, or five, all axes alike.
    """
    if size is None:
        count = stages or 5
        strides = ((1,) * dims, *(((2,) * dims,) * (count - 1)))
        return Topology(strides=strides, kernels=((3,) * dims,) * count)
    limit = stages or (6 if dims == 3 else 8)
    left = [float(n) for n in size]
    voxel = [float(s) for s in spacing_mm] if spacing_mm is not None else [1.0] * dims
    strides_list = [(1,) * dims]
    kernels_list = [_kernel(voxel)]
    while len(strides_list) < limit:
        wide = [n / 2 >= SMALLEST_AXIS for n in left]
        finest = min((v for v, w in zip(voxel, wide, strict=True) if w), default=None)
        if finest is None:
            break
        stride = tuple(2 if w and v <= 2 * finest else 1 for v, w in zip(voxel, wide, strict=True))
        left = [n / s for n, s in zip(left, stride, strict=True)]
        voxel = [v * s for v, s in zip(voxel, stride, strict=True)]
        strides_list.append(stride)
        kernels_list.append(_kernel(voxel))
    return Topology(strides=tuple(strides_list), kernels=tuple(kernels_list))


def _kernel(voxel: Sequence[float]) -> tuple[int, ...]:
    return tuple(3 if v <= 2 * min(voxel) else 1 for v in voxel)
