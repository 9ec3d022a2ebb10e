"""A loss that is registered in the running process: a class of `nn.Module`, or a function of logits and targets."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from torch import Tensor, nn

from vesalius.core.errors import PlanError, RegisterError
from vesalius.core.joining import accepted, literals_in, options_in, takes

GIVEN = ("logits", "target", "weight", "weights", "smoothing", "multilabel", "options", "self")


class FunctionLoss(nn.Module):
    """A function `loss(logits, target)` as a module; `weight` is given on where the function takes one."""

    def __init__(self, function: Callable[..., Tensor], options: Mapping[str, Any]) -> None:
        super().__init__()
        self.function, self.options = function, dict(options)

    def forward(self, logits: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
        """Return what the function gives. Raises PlanError for weights of samples that it would ignore."""
        if weight is None:
            return self.function(logits, target, **self.options)
        if not takes(self.function, "weight"):
            raise PlanError("the loss is given a weight for each sample, and its function takes no 'weight'")
        return self.function(logits, target, weight=weight, **self.options)


def adopted(thing: Any, name: str, said: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the file of a loss would hold, of a class or a function. Raises RegisterError."""
    if not callable(thing):
        raise RegisterError(f"loss '{name}' is neither a class nor a function", found=type(thing).__name__)
    own = {**literals_in(thing), **said}
    is_class = isinstance(thing, type)
    if is_class and not issubclass(thing, nn.Module):
        raise RegisterError(f"loss '{name}' is not a class of nn.Module", found=thing.__name__)
    positional = () if is_class else tuple(list(_arguments(thing))[:2])
    options = dict(own.get("OPTIONS") or options_in(thing, (*GIVEN, *positional)))

    def make(
        name: str,
        *,
        weights: Sequence[float] | None,
        smoothing: float,
        multilabel: bool,
        options: Mapping[str, Any],
    ) -> nn.Module:
        if not is_class:
            _nothing_ignored(name, lambda _: False, weights, smoothing)
            extra = {"multilabel": multilabel} if takes(thing, "multilabel") else {}
            return FunctionLoss(thing, {**options, **extra})
        _nothing_ignored(name, lambda argument: takes(thing, argument), weights, smoothing)
        given = {"weights": weights, "smoothing": smoothing, "multilabel": multilabel}
        made = thing(**accepted(thing, {**given, **options}))
        return made if takes(made.forward, "weight") else FunctionLoss(made, {})

    return {**own, "OPTIONS": options, "make": make}


def _arguments(function: Callable[..., Any]) -> list[str]:
    import inspect

    return list(inspect.signature(function).parameters)


def _nothing_ignored(
    name: str, taken: Callable[[str], bool], weights: Sequence[float] | None, smoothing: float
) -> None:
    """Raise PlanError where what is planned of a loss would be passed over without a word."""
    if weights is not None and not taken("weights"):
        raise PlanError(
            f"loss '{name}' takes no class weights, and they are planned",
            hint="--set loss.class_weights=none",
        )
    if smoothing and not taken("smoothing"):
        raise PlanError(
            f"loss '{name}' takes no label smoothing, and it is planned", hint="--set loss.smoothing=0"
        )
