"""Networks: one file is one family, in 2-D and 3-D alike; this package finds and builds them by name.

A family's file holds literals that are read without importing it:

    NAMES = {"resnet-18": "one line", …}   what can be built
    ROLE = "encoder"                       encoder | dense | cine | sequence | text | writer | graph | denoiser | table
    OVER = {"lstm": "vectors"}             what each `sequence` net reads of a step: vectors, maps, or nodes of a tree
    DIMS = (2, 3)                          the dimensions it serves
    AHEAD = True                           where a `sequence` net without an option `causal` reads later steps, too
    SOURCE = "authors, title, year"        the paper
    SMALLEST = 0.0625                      the smallest meaningful `scale`
    TINY = {"patch": 1}                    options of the tests' smallest form, where the defaults are too large
    TINY_SIZE = {3: (32, 32, 32)}          the size by dims that this form needs, where 32² or 16³ is too small
    OPTIONS = {"stem": "paper"}            what `options` may hold, with the default of each
    NEEDS_SIZE = False                     True where the net is made for one input size
    TWO_STAGE = True                       where the paper locates first, on a coarser grid, and then segments
    NO_EXPORT = "reason"                   only where `torch.export` cannot follow the net

and one function, `build`, with the signature of `vesalius.nets.build`. Torch is imported when a net is built.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from vesalius.core import registry
from vesalius.core.errors import PlanError, UnknownName
from vesalius.nets._topology import topology

if TYPE_CHECKING:
    from torch import nn

    from vesalius.nets._net import Dense as Dense
    from vesalius.nets._net import Net as Net
    from vesalius.nets._overtime import OverTime as OverTime
    from vesalius.nets._overtime import last_of as last_of

__all__ = [
    "MUST",
    "Dense",
    "Net",
    "OverTime",
    "adopt",
    "build",
    "count_parameters",
    "describe",
    "last_of",
    "looks_ahead",
    "names_for",
    "topology",
]
_LATE = {"Net": "_net", "Dense": "_net", "OverTime": "_overtime", "last_of": "_overtime"}


def __getattr__(name: str) -> Any:
    """Give out what needs torch on first use, so that listing the nets loads none."""
    if name in _LATE:
        return getattr(importlib.import_module(f"vesalius.nets.{_LATE[name]}"), name)
    raise AttributeError(f"module 'vesalius.nets' has no attribute '{name}'")


MUST = ("ROLE", "DIMS", "SOURCE", "SMALLEST", "OPTIONS", "build")


def adopt(thing: Any, name: str, said: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a net's file would hold, of a class that is registered in the running process (see `vs.register`).

    Raises RegisterError for what is no net.
    """
    from vesalius.nets._adopt import adopted

    return adopted(thing, name, said)


def describe(name: str) -> dict[str, Any]:
    """Return the literals of the file that holds `name` (`ROLE`, `DIMS`, `SOURCE`, `OPTIONS` …), read without import.

    Raises:
        UnknownName: no net is called `name`.
    """
    known = registry.names("nets")
    if name not in known:
        raise UnknownName("net", name, known)
    return registry.literals("nets", name.partition("-")[0])


def names_for(role: str, *, dims: int | None = None, over: str | None = None) -> list[str]:
    """Return names of the nets with this role (and dimension, where given). Imports none of them.

    Of nets over time `over` is what they read of a step: `vectors`, `maps` or `tree`.
    """
    return [
        name
        for name in registry.names("nets")
        if (text := describe(name)).get("ROLE") == role
        and (dims is None or dims in text.get("DIMS", (2, 3)))
        and (over is None or text.get("OVER", {}).get(name) == over)
    ]


def looks_ahead(name: str, options: Mapping[str, Any] | None = None) -> bool:
    """Return whether a net over time, with these options, answers a step by later ones, too. Imports nothing.

    It is what the option `causal` says where the net has it, and else what its file says (`AHEAD`).
    """
    text = describe(name)
    causal = {**text.get("OPTIONS", {}), **(options or {})}.get("causal")
    return bool(text.get("AHEAD", False)) if causal is None else not causal


def build(
    name: str,
    *,
    dims: int,
    in_channels: int,
    scale: float = 1.0,
    dropout: float = 0.0,
    size: Sequence[int] | None = None,
    options: Mapping[str, Any] | None = None,
) -> Net:
    """Build the net called `name`, with freshly drawn weights.

    `dims` is 2 for `(B, C, Y, X)` inputs and 3 for `(B, C, Z, Y, X)`. `scale` is the dial of width and depth:
    1.0 is the published size. `dropout` is a probability; each file says where it acts. `size` is the input's
    `(Y, X)` or `(Z, Y, X)` in voxels: a U-Net chooses its depth by it, and transformers with learned positions
    need it. `options` are the family's own (its `OPTIONS`). Weights come from torch's global generator.

    Raises:
        UnknownName: no net is called `name`.
        PlanError: the net does not fit these dimensions, this size or these options.
    """
    text = describe(name)
    served = text.get("DIMS", (2, 3))
    if dims not in served:
        fits = names_for(text["ROLE"], dims=dims)
        raise PlanError(f"net '{name}' has no {dims}-D form", hint=", ".join(fits) or "dims 2 or 3")
    if in_channels < 1:
        raise PlanError(f"net '{name}' needs at least one input channel", found=str(in_channels))
    smallest = text.get("SMALLEST", 0.0)
    if not (scale > 0 and scale >= smallest):
        raise PlanError(f"scale of net '{name}' is too small", found=str(scale), hint=f"{smallest} or more")
    if not 0.0 <= dropout < 1.0:
        raise PlanError("dropout must be at least 0 and below 1", found=str(dropout))
    if size is not None and (len(size) != dims or min(size) < 1):
        raise PlanError(f"size must be {dims} positive numbers of voxels", found=str(tuple(size)))
    if size is None and text.get("NEEDS_SIZE"):
        raise PlanError(f"net '{name}' is made for one input size", hint="give size=(Z, Y, X) or (Y, X)")
    module = registry.lookup("nets", name)
    net = module.build(
        name, dims=dims, in_channels=in_channels, scale=scale, dropout=dropout, size=size, options=options
    )
    return cast("Net", net)


def count_parameters(net: nn.Module) -> int:
    """Return the number of trainable parameters (works on the `meta` device too)."""
    return sum(p.numel() for p in net.parameters() if p.requires_grad)
