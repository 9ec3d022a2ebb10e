"""Random numbers by place in the whole batch: a process draws for all rows and keeps those of its own.

While a module computes some rows, what it draws for them (dropout, noise, a row's chance to be left out) is what one
process would have drawn for the same rows; torch's generators go on alike on every process. What is drawn inside
torch's own kernels (the dropout of a fused attention, of a recurrent layer) cannot be reached, and differs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode


class ByPlace(TorchFunctionMode):
    """While it lasts, draws whose first axis is of rows are made for all `rows`, of which `own` are kept."""

    def __init__(self, rows: int, own: slice) -> None:
        super().__init__()
        self.rows, self.own, self.count = rows, own, own.stop - own.start

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Call a function of torch, or draw in its place."""
        how = _HOW.get(func)
        return func(*args, **(kwargs or {})) if how is None else how(self, func, args, dict(kwargs or {}))

    def begin(self) -> None:
        """Draw by place from now on."""
        self.__enter__()  # type: ignore[no-untyped-call]

    def end(self) -> None:
        """Draw as ever again."""
        self.__exit__(None, None, None)  # type: ignore[no-untyped-call]

    def times(self, size: tuple[int, ...]) -> int:
        """Return how many times as long the first axis is as there are rows here; 0 where it is of something else."""
        return size[0] // self.count if size and size[0] and not size[0] % self.count else 0

    def whole(self, size: tuple[int, ...], times: int) -> tuple[int, ...]:
        """Return the size that all rows have together."""
        return (times * self.rows, *size[1:])

    def cut(self, drawn: Tensor, times: int) -> Tensor:
        """Return the rows of this process."""
        return drawn[times * self.own.start : times * self.own.stop]


def _by_size(mode: ByPlace, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """`torch.rand(size)`, `torch.randn(size)`, `torch.randint(…, size)`."""
    at = len(args) - 1 if args and isinstance(args[-1], tuple | list) else None
    if at is not None:
        size = tuple(args[at])
    elif "size" in kwargs:
        size = tuple(kwargs["size"])
    elif func is not torch.randint and args:
        at, size = 0, tuple(args)
        args = (size,)
    else:
        return func(*args, **kwargs)
    times = mode.times(size)
    if not times:
        return func(*args, **kwargs)
    whole = mode.whole(size, times)
    if at is None:
        kwargs["size"] = whole
    else:
        args = (*args[:at], whole, *args[at + 1 :])
    return mode.cut(func(*args, **kwargs), times)


def _like(mode: ByPlace, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """`torch.rand_like(tensor)` and its kin."""
    times = mode.times(tuple(args[0].shape))
    if not times:
        return func(*args, **kwargs)
    return mode.cut(func(_laid_out(args[0], mode, times), *args[1:], **kwargs), times)


def _filled(mode: ByPlace, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """`tensor.normal_()` and its kin."""
    own = args[0]
    times = mode.times(tuple(own.shape))
    if not times or any(isinstance(a, Tensor) for a in args[1:]):
        return func(*args, **kwargs)
    with torch.no_grad():
        return own.copy_(mode.cut(func(_laid_out(own, mode, times), *args[1:], **kwargs), times))


def _bernoulli(mode: ByPlace, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """`torch.bernoulli(p)`: of other rows only that they were drawn matters."""
    p = args[0]
    times = mode.times(tuple(p.shape))
    if not times or len(args) > 1:
        return func(*args, **kwargs)
    whole = torch.zeros_like(_laid_out(p, mode, times))
    mode.cut(whole, times).copy_(p)
    return mode.cut(func(whole, **kwargs), times)


def _dropout(mode: ByPlace, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """`F.dropout(x)` and its kin, which leave out single numbers or whole channels."""
    names = ("input", "p", "training", "inplace")
    told = {"p": 0.5, "training": True, "inplace": False, **dict(zip(names, args, strict=False)), **kwargs}
    x, p = told["input"], float(told["p"])
    times = mode.times(tuple(x.shape)) if x.ndim else 0
    if not told["training"] or not p or not times:
        return func(*args, **kwargs)
    channels = func is not F.dropout and x.ndim > 2
    like = x[(slice(None), slice(None), *(slice(0, 1),) * (x.ndim - 2))] if channels else x
    with torch.no_grad():
        kept = mode.cut(func(torch.ones_like(_laid_out(like, mode, times)), p, True, False), times)
    return x.mul_(kept) if told["inplace"] else x * kept


def _laid_out(tensor: Tensor, mode: ByPlace, times: int) -> Tensor:
    """Return an empty tensor of all rows whose axes lie in memory as this one's do: torch draws in that order."""
    order = sorted(range(tensor.ndim), key=tensor.stride().__getitem__, reverse=True)
    size = mode.whole(tuple(tensor.shape), times)
    back = sorted(range(tensor.ndim), key=order.__getitem__)
    return tensor.new_empty([size[k] for k in order]).permute(back)


_How = Callable[[ByPlace, Any, tuple[Any, ...], dict[str, Any]], Any]
_HOW: dict[Any, _How] = {
    **dict.fromkeys((torch.rand, torch.randn, torch.randint), _by_size),
    **dict.fromkeys((torch.rand_like, torch.randn_like, torch.randint_like), _like),
    **dict.fromkeys(
        (Tensor.normal_, Tensor.uniform_, Tensor.bernoulli_, Tensor.random_, Tensor.exponential_), _filled
    ),
    **dict.fromkeys((torch.bernoulli, Tensor.bernoulli), _bernoulli),
    **dict.fromkeys((F.dropout, F.dropout1d, F.dropout2d, F.dropout3d), _dropout),
}
