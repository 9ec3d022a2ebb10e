"""A batch shared among processes: each computes its rows of what a module is called with, and all get every row.

Every process draws the whole batch and computes the loss of all of it; only the modules between them, which is where
the work is, see a part. So any loss is what one process finds, also one that is no mean over cases (Dice over the
batch, Cox, contrast). On the way back each process has the gradients through its own rows, multiplied by the number of
processes, so that their mean (`gradients.py`) is the gradient of the whole; what is computed from every row alike, such
as a learned temperature, comes out right in the same mean. What one such module gives to the next has, between the two,
the gradient of every row on every process.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from vesalius.learn.parallel.crew import Crew
from vesalius.learn.parallel.draws import ByPlace
from vesalius.learn.parallel.joined import cut, gathered
from vesalius.learn.parallel.norms import convert

_PLAIN = (str, int, float, bool, torch.Generator, torch.dtype, torch.device, slice)


_INSIDE: list[_Splitter] = []  # that compute some rows alone at this moment: one at most


class _Unsplit(Exception):
    """Something whose rows are not known."""


def share(model: nn.Module, crew: Crew) -> None:
    """Have the parameters' modules of a model compute a process's rows alone while the crew takes a step together.

    The outermost module that is called with tensors of as many rows each is split; what it returns is joined again. A
    module that has no parameters, such as a loss, is never split; nor is one whose output has no rows, such as a sum.
    """
    if crew.alone:
        return
    splitter = _Splitter(crew)
    convert(model, crew)
    before, after = splitter.hooks()
    for module in model.modules():
        if next(module.parameters(), None) is not None:
            module.register_forward_pre_hook(before, with_kwargs=True)
            module.register_forward_hook(after, with_kwargs=True, always_call=True)


@dataclasses.dataclass(frozen=True, eq=False)
class Split:
    """What is shared at a moment: so many rows, of which `own` are computed here."""

    rows: int
    own: slice
    crew: Crew


def split_now() -> Split | None:
    """Return what is shared at this moment; None where a module is computed as a whole, or outside of all modules."""
    inside = _INSIDE[-1].inside if _INSIDE else None
    return None if inside is None else Split(inside.rows, inside.mode.own, _INSIDE[-1].crew)


@dataclasses.dataclass(eq=False)
class _Entered:
    """A module that computes some rows: what it was called with, and what draws by place while it does.

    `before` puts back what it draws from and counts in, until it is known whether its rows can be shared.
    """

    module: nn.Module
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    rows: int
    mode: ByPlace
    before: Callable[[], None]


class _Splitter:
    """What is split now, if anything; and of which modules it is known whether they can be."""

    def __init__(self, crew: Crew) -> None:
        self.crew = crew
        self.inside: _Entered | None = None
        self.whole: WeakKeyDictionary[nn.Module, bool] = WeakKeyDictionary()

    def hooks(self) -> tuple[Callable[..., Any], Callable[..., Any]]:
        """Return what is called before and after a module; functions, so that a copy of a model is split, too."""

        def before(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
            return self._enter(module, args, kwargs) if self.crew.active else None

        def after(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], out: Any) -> Any:
            inside = self.inside
            return None if inside is None or inside.module is not module else self._leave(inside, out)

        return before, after

    def _enter(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if _INSIDE or self.inside is not None or self.whole.get(module):
            return None
        n = rows_of((args, kwargs))
        if n is None or n < self.crew.size:
            return None
        own = self.crew.rows(n)
        mode = ByPlace(n, own)
        before = _untouched if module in self.whole else _remembered(module)
        self.inside = _Entered(module, args, kwargs, n, mode, before)
        self.crew.splits = True
        _INSIDE.append(self)
        mode.begin()

        def of_own(t: Tensor) -> Tensor:
            return cut(t, n, self.crew)

        return _mapped(args, of_own), _mapped(kwargs, of_own)

    def _leave(self, inside: _Entered, out: Any) -> Any:
        self.inside, self.crew.splits = None, False
        _INSIDE.remove(self)
        inside.mode.end()
        if out is None:  # it raised, or returned nothing
            return None
        module = inside.module
        own = self.crew.rows(inside.rows)
        if module not in self.whole:
            times = _times(out, own.stop - own.start)
            self.whole[module] = None in (said := self.crew.each(times)) or any(s != said[0] for s in said)
        if self.whole[module]:
            inside.before()
            return module.forward(*inside.args, **inside.kwargs)
        n = inside.rows

        def joined(t: Tensor) -> Tensor:
            return gathered(t, n, t.shape[0] // (own.stop - own.start), self.crew)

        return _mapped(out, joined)


def carried() -> Callable[[], AbstractContextManager[None]]:
    """Return what makes a block in which rows are split and drawn as they are now.

    For what computes a module again on the way back, when nothing is split any more. Outside of what is shared the
    block changes nothing.
    """
    splitter = _INSIDE[-1] if _INSIDE else None
    if splitter is None or splitter.inside is None:
        return nullcontext
    inside = splitter.inside

    @contextmanager
    def again() -> Iterator[None]:
        before, mode = splitter.inside, ByPlace(inside.mode.rows, inside.mode.own)
        splitter.inside = inside
        _INSIDE.append(splitter)
        splits, splitter.crew.splits = splitter.crew.splits, True
        mode.begin()
        try:
            yield
        finally:
            mode.end()
            _INSIDE.pop()
            splitter.inside, splitter.crew.splits = before, splits

    return again


def _untouched() -> None:
    """Put nothing back."""


def _remembered(module: nn.Module) -> Callable[[], None]:
    """Return what puts torch's generator and a module's buffers back to where they are now."""
    drawn = torch.get_rng_state()
    held = [(buffer, buffer.clone()) for buffer in module.buffers()]

    @torch.no_grad()
    def back() -> None:
        torch.set_rng_state(drawn)
        for buffer, was in held:
            buffer.copy_(was)

    return back


def rows_of(value: Any) -> int | None:
    """Return how many rows all tensors have that a module is called with; None where that differs or is not known."""
    found: set[int] = set()

    def look(t: Tensor) -> Tensor:
        found.add(t.shape[0])
        return t

    try:
        _mapped(value, look)
    except _Unsplit:
        return None
    return found.pop() if len(found) == 1 else None


def _times(out: Any, rows: int) -> tuple[int, ...] | None:
    """Return how many rows there are of each tensor that came out for one that went in; None where it is not known."""
    found: list[int] = []

    def look(t: Tensor) -> Tensor:
        if t.shape[0] % rows or not t.shape[0]:
            raise _Unsplit
        found.append(t.shape[0] // rows)
        return t

    try:
        _mapped(out, look, scalars=False)
    except _Unsplit:
        return None
    return tuple(found) or None


def _mapped(value: Any, how: Callable[[Tensor], Tensor], *, scalars: bool = True) -> Any:
    """Return a value with its tensors changed; parameters and single numbers stay. Raises _Unsplit."""
    if isinstance(value, Tensor):
        if value.ndim == 0 and not scalars:
            raise _Unsplit
        return value if value.ndim == 0 or isinstance(value, nn.Parameter) else how(value)
    if value is None or isinstance(value, _PLAIN):
        return value
    if isinstance(value, Mapping):
        return {k: _mapped(v, how, scalars=scalars) for k, v in value.items()}
    if isinstance(value, tuple | list):
        each = [_mapped(v, how, scalars=scalars) for v in value]
        if isinstance(value, list):
            return each
        return type(value)(*each) if hasattr(value, "_fields") else tuple(each)
    raise _Unsplit
