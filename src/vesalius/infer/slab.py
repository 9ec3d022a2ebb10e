"""The slab of a field that is blended: weighted sums of some rows along one axis, moved on as they are finished."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from torch import Tensor

Piece = tuple[int, int, int, Tensor]  # axis, start, stop, and the field `(K, z, y, x)` between them


def finished(
    slab: Tensor, weigh: Callable[[int, int], Tensor], axis: int, start: int, stop: int, chunk: int
) -> Iterator[Piece]:
    """Yield the slab's rows `[start, stop)` divided by their weights, a few at a time: no second slab beside it."""
    rows = max(1, chunk * slab.shape[axis + 1] // (4 * slab.numel()))
    for low in range(start, stop, rows):
        high = min(low + rows, stop)
        yield axis, low, high, slab.narrow(axis + 1, low - start, high - low) / weigh(low, high)


def shift(slab: Tensor, dim: int, by: int) -> None:
    """Move rows down by `by` in place, in stretches that do not overlap their goal; zeros come after."""
    rest = slab.shape[dim] - by
    for k in range(0, rest, max(by, 1)):
        n = min(by, rest - k)
        slab.narrow(dim, k, n).copy_(slab.narrow(dim, k + by, n))
    slab.narrow(dim, rest, by).zero_()
