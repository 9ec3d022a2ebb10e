"""A GPU that is pretended: tensors that say they lie elsewhere and are computed on the processor, and what they meet.

They say `meta`, the one device of which torch has enough without its hardware. What would end a run on a GPU is found
without one: a tensor of the processor among those of the card, and a generator of the processor that is to draw there.
What would make the card wait is counted: values that are asked for.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from types import FrameType
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_map

CARD = torch.device("meta")
_aten = torch.ops.aten
_MIXES = {  # operations that take tensors of both: copies, and indices, which are brought to the card
    _aten._to_copy.default,
    _aten.copy_.default,
    _aten.index.Tensor,
    _aten.index_put.default,
    _aten.index_put_.default,
    _aten._index_put_impl_.default,
}
_WAITS = {_aten._local_scalar_dense.default, _aten.nonzero.default, _aten.is_nonzero.default}


class Pretended(Tensor):
    """A tensor that says it lies on the card; `inner` holds its values."""

    inner: Tensor

    @staticmethod
    def __new__(cls, inner: Tensor) -> Pretended:
        made = Tensor._make_wrapper_subclass(  # type: ignore[attr-defined]
            cls,
            inner.shape,
            strides=inner.stride(),
            storage_offset=inner.storage_offset(),
            dtype=inner.dtype,
            layout=inner.layout,
            device=CARD,
            requires_grad=inner.requires_grad,
        )
        made.inner = inner.detach()
        return made  # type: ignore[no-any-return]

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        raise RuntimeError("outside of a pretended card")


class PretendedCard(TorchDispatchMode):
    """While it lasts, the card is there. `mixed` are the faults met, `waits` the places where it is waited for."""

    def __init__(self) -> None:
        super().__init__()
        self.mixed: list[str] = []
        self.waits: Counter[str] = Counter()

    def put(self, value: Tensor) -> Tensor:
        """Return a tensor as one on the card."""
        return value if isinstance(value, Pretended) else Pretended(value)

    def put_model(self, model: nn.Module) -> nn.Module:
        """Bring a model's parameters and buffers to the card, in place."""
        for module in model.modules():
            for name, held in module._parameters.items():
                if held is not None and not isinstance(held, Pretended):
                    module._parameters[name] = nn.Parameter(Pretended(held), requires_grad=held.requires_grad)
            for name, kept in module._buffers.items():
                if kept is not None:
                    module._buffers[name] = self.put(kept)
        return model

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        tensors = [t for t in tree_flatten((args, kwargs))[0] if isinstance(t, Tensor)]
        there = any(isinstance(t, Pretended) for t in tensors)
        wanted = kwargs.get("device")
        wanted = None if wanted is None else torch.device(wanted)
        if wanted is not None and wanted.type == CARD.type:
            kwargs["device"] = torch.device("cpu")
        leaves = wanted is not None and wanted.type == "cpu"
        lands = not leaves and (there or (wanted is not None and wanted.type == CARD.type))
        self._look(func, tensors, kwargs, there=there, lands=lands)
        if there and (leaves or func in _WAITS):
            self.waits[_place()] += 1
        bare = tree_map(lambda t: t.inner if isinstance(t, Pretended) else t, (args, kwargs))
        out = func(*bare[0], **bare[1])
        in_place = func is _aten.copy_.default or (there and func._schema.name.endswith("_"))
        if in_place and args and isinstance(args[0], Tensor):
            return args[0]
        if not lands:
            return out
        return tree_map(lambda t: self.put(t) if isinstance(t, Tensor) else t, out)

    def _look(self, func: Any, tensors: list[Tensor], kwargs: Any, *, there: bool, lands: bool) -> None:
        apart = [t for t in tensors if not isinstance(t, Pretended) and t.ndim > 0]
        if there and apart and func not in _MIXES:
            self.mixed.append(f"{func}: a tensor of the processor among the card's, at {_place()}")
        if func is _aten.copy_.default or func is _aten._to_copy.default:
            return
        generator = kwargs.get("generator")
        if lands and generator is not None and generator.device.type == "cpu":
            self.mixed.append(f"{func}: the processor's generator draws on the card, at {_place()}")


@contextmanager
def pretended(patch: Any) -> Iterator[PretendedCard]:
    """Give a pretended card; `patch`, pytest's, has tensors of numbers made on it, and autocast leave it alone."""
    made, of = torch.tensor, Tensor.new_tensor

    def tensor(data: Any, *, device: Any = None, **options: Any) -> Tensor:
        there = device is not None and torch.device(device) == CARD
        return Pretended(made(data, **options)) if there else made(data, device=device, **options)

    def new_tensor(self: Tensor, data: Any, **options: Any) -> Tensor:
        options = {"dtype": self.dtype, **options}
        return Pretended(made(data, **options)) if isinstance(self, Pretended) else of(self, data, **options)

    patch.setattr(torch, "tensor", tensor)
    patch.setattr(Tensor, "new_tensor", new_tensor)
    patch.setattr(torch, "autocast", lambda *args, **kwargs: nullcontext())
    with PretendedCard() as card:
        yield card


def _place() -> str:
    """Return the innermost line of the package that led here."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        name = frame.f_code.co_filename
        if "/vesalius/" in name:
            return f"{name.rpartition('/vesalius/')[2]}:{frame.f_lineno}"
        frame = frame.f_back
    return "a test"
