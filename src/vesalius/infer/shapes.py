"""Form: how a model differs from the one that its plan builds: layers that were made narrower, and blocks taken out.

Pruning removes filters, neurons and whole blocks. What is left cannot be written as a plan, for each layer has a width
of its own. So the plan still builds the net that was pruned, and the state of the stage holds its form, by which layers
take the shapes of their weights. A bundle without one is built by its plan alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from vesalius.core.bundle import State
from vesalius.core.errors import BundleError

if TYPE_CHECKING:
    from torch import nn

FORM = "form"  # in the values of a stage's state


@dataclass(frozen=True)
class Form:
    """What differs from the planned model.

    `shapes` are those of tensors that are smaller than planned, by their names in the model; `without` are the blocks
    that were taken out. `channels` are by the name of a network (`net`) those of the maps that it returns, finest
    first, and at the end its `out_channels`.
    """

    shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    without: tuple[str, ...] = ()
    channels: Mapping[str, tuple[int, ...]] = field(default_factory=dict)

    def then(self, later: Form) -> Form:
        """Return the form of a model of this form that was changed again."""
        gone = (*self.without, *(n for n in later.without if n not in self.without))
        shapes = {n: s for n, s in {**self.shapes, **later.shapes}.items() if not _within(n, gone)}
        return Form(shapes, gone, {**self.channels, **later.channels})


def form_of(state: State) -> Form | None:
    """Return the form that a stage's state holds; None where it holds none. Raises BundleError for what is no form."""
    told = state.values.get(FORM)
    if told is None:
        return None
    try:
        return Form(
            {str(n): tuple(int(k) for k in shape) for n, shape in told["shapes"].items()},
            tuple(str(n) for n in told["without"]),
            {str(n): tuple(int(k) for k in many) for n, many in told["channels"].items()},
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BundleError("the form of a pruned model cannot be read", found=str(error)[:100]) from error


def with_form(state: State, form: Form) -> State:
    """Return a state that holds a form."""
    told = {
        "shapes": {n: list(shape) for n, shape in form.shapes.items()},
        "without": list(form.without),
        "channels": {n: list(many) for n, many in form.channels.items()},
    }
    return replace(state, values={**state.values, FORM: told})


def take(model: nn.Module, form: Form) -> None:
    """Give a model, which its plan built, a form, in its place; what is left of a tensor are its first places.

    Raises BundleError for a form that is not one of this model.
    """
    from torch import nn

    for name in form.without:
        _inside(model, name)  # said by its name where it is not there
        parent, _, last = name.rpartition(".")
        setattr(model.get_submodule(parent), last, nn.Identity())
    changed: dict[str, Any] = {}
    for name, shape in form.shapes.items():
        owner, _, last = name.rpartition(".")
        module = _inside(model, owner)
        old = getattr(module, last, None)
        if (
            old is None
            or old.ndim != len(shape)
            or any(not 1 <= n <= m for n, m in zip(shape, old.shape, strict=True))
        ):
            found = "no such tensor" if old is None else f"{tuple(shape)} of {tuple(old.shape)}"
            raise BundleError(f"the pruned shape of '{name}' is none that the plan can have", found=found)
        cut = old.detach()[tuple(slice(0, n) for n in shape)].clone()
        if isinstance(old, nn.Parameter):
            cut = nn.Parameter(cut, requires_grad=old.requires_grad)
        setattr(module, last, cut)
        changed[owner] = module
    for owner, module in changed.items():
        _told(module, owner)
    for name, (*channels, out) in form.channels.items():
        net: Any = _inside(model, name)
        net.channels, net.out_channels = tuple(channels), out


def _inside(model: nn.Module, name: str) -> nn.Module:
    try:
        return model.get_submodule(name)
    except AttributeError as error:
        raise BundleError(f"the plan's model has no part '{name}' that was pruned") from error


def _within(name: str, parts: Sequence[str]) -> bool:
    return any(name == part or name.startswith(f"{part}.") for part in parts)


def _told(module: Any, name: str) -> None:
    """Tell a layer how wide its weights are now. Raises BundleError for a kind of layer that is never narrowed."""
    from torch import nn
    from torch.nn.modules.batchnorm import _BatchNorm
    from torch.nn.modules.conv import _ConvNd

    weight = getattr(module, "weight", None)
    if isinstance(module, _ConvNd):
        turned = module.transposed
        if module.groups > 1:  # depth-wise alone
            module.groups = int(module.weight.shape[0])
        wide = int(module.weight.shape[1]) * module.groups
        module.in_channels, module.out_channels = (
            (int(module.weight.shape[0]), wide) if turned else (wide, int(module.weight.shape[0]))
        )
    elif isinstance(module, nn.Linear):
        module.out_features, module.in_features = map(int, module.weight.shape)
    elif isinstance(module, _BatchNorm):
        first = next(t for t in (weight, module.running_mean) if t is not None)
        module.num_features = int(first.shape[0])
    elif isinstance(module, nn.GroupNorm) and weight is not None:
        each = module.num_channels // module.num_groups
        if weight.shape[0] % each:
            raise BundleError(f"the pruned shape of '{name}' cuts a group of its normalisation in two")
        module.num_channels, module.num_groups = int(weight.shape[0]), int(weight.shape[0]) // each
    elif any(True for _ in module.children()) or weight is not None:
        raise BundleError(f"'{name}' is of a kind that is never made narrower", found=type(module).__name__)
