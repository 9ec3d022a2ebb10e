"""A net that is registered in the running process: a class of ours, or any `nn.Module` that makes maps of an image.

What reads steps in time, or cines, is in `_adopt_time.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from vesalius.core.errors import PlanError, RegisterError
from vesalius.core.joining import accepted, literals_in, options_in
from vesalius.nets._adopt_time import OVERS, TIMELESS, AdoptedCine, AdoptedOverTime, probe
from vesalius.nets._blocks import read_options
from vesalius.nets._net import Dense, Net

GIVEN = ("dims", "in_channels", "scale", "dropout", "size")
SIDE = {2: 64, 3: 32}  # of the image that a module is tried on where its size does not matter


class Adopted(Net):
    """A plain module as a net: its map, or its maps finest first, `(B, C, …)`; or features `(B, F)` as a map of one.

    Channels and strides are measured on one image. Of role `dense` it gives one map at the image's own resolution.
    """

    def __init__(
        self, inner: nn.Module, *, role: str, dims: int, in_channels: int, size: Sequence[int]
    ) -> None:
        nn.Module.__init__(self)
        was = inner.training
        with torch.no_grad():
            out = inner.eval()(torch.zeros(1, in_channels, *size))
        maps = _maps(out)
        if role == "dense" and tuple(maps[0].shape[2:]) != tuple(size):
            raise PlanError(
                "a dense net gives a map at the image's own resolution",
                found=f"{tuple(maps[0].shape[2:])} of an image of {tuple(size)}",
            )
        super().__init__(
            dims,
            [m.shape[1] for m in maps],
            strides=[[max(1, round(n / s)) for n, s in zip(size, m.shape[2:], strict=True)] for m in maps],
            out_channels=maps[0].shape[1] if role == "dense" else None,
        )
        self.inner = inner.train(was)
        self.kind = role

    @property
    def encoding(self) -> tuple[str, ...]:
        """Return all of it, as nothing tells its parts apart."""
        return ("inner",)

    def forward(self, x: Tensor) -> list[Tensor] | Dense:
        """Return the maps, finest first."""
        self.check_input(x)
        maps = _maps(self.inner(x))
        return Dense(maps, maps[0]) if self.kind == "dense" else maps


class AdoptedDense(Adopted):
    """The same, of role `dense`."""

    role = "dense"


def _maps(out: Any) -> list[Tensor]:
    """Return what a module gave as maps `(B, C, …)`. Raises PlanError for what cannot be read as such."""
    found = list(out) if isinstance(out, list | tuple) else [out]
    if not found or not all(isinstance(m, Tensor) and m.ndim >= 2 for m in found):
        raise PlanError(
            "a net gives a map (B, C, …), a list of them, or features (B, F)", found=type(out).__name__
        )
    rank = max(m.ndim for m in found)
    return [m.reshape(*m.shape, *(1,) * (max(rank, 4) - m.ndim)) for m in found]


def adopted(thing: Any, name: str, said: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the file of a net would hold, of a class. Raises RegisterError for what is no net."""
    if not (isinstance(thing, type) and issubclass(thing, nn.Module)):
        built = isinstance(thing, nn.Module)
        raise RegisterError(
            f"net '{name}' is not a class of nn.Module",
            found=f"an instance of {type(thing).__name__}, which is built already"
            if built
            else repr(thing)[:80],
            hint=f"its class, which each member builds anew: vs.register('nets', {type(thing).__name__}, …)"
            if built
            else "a class of nn.Module that takes in_channels",
        )
    own = {**literals_in(thing), **said}
    role = str(own.get("ROLE") or getattr(thing, "role", "encoder"))
    options = dict(own.get("OPTIONS") or options_in(thing, GIVEN))
    over = own.get("OVER", "vectors")
    over = over if isinstance(over, Mapping) else {name: over}
    if role == "sequence" and over.get(name) not in OVERS:
        raise RegisterError(
            f"net '{name}' does not say what it reads of a step",
            found=f"OVER = {own.get('OVER')!r}",
            hint=" or ".join(f"OVER = '{one}'" for one in OVERS),
        )

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
        chosen = read_options(name, options, parts["OPTIONS"])
        given = {"dims": dims, "in_channels": in_channels, "scale": scale, "dropout": dropout, "size": size}
        made = thing(**accepted(thing, {**given, **chosen}))
        if isinstance(made, Net):
            return made
        if role == "sequence":
            return AdoptedOverTime(made, over=over[name], dims=dims, in_channels=in_channels)
        sides = tuple(size) if size is not None else (SIDE[dims],) * dims
        if role == "cine":
            return AdoptedCine(made, dims=dims, in_channels=in_channels, size=sides)
        kind = AdoptedDense if role == "dense" else Adopted
        return kind(made, role=role, dims=dims, in_channels=in_channels, size=sides)

    parts: dict[str, Any] = {
        "SOURCE": f"registered as {thing.__qualname__}",
        "SMALLEST": 0.0 if "scale" not in accepted(thing, {"scale": 1.0}) else 0.01,
        **(TIMELESS if role == "sequence" and not issubclass(thing, Net) else {}),
        **own,
        **({"OVER": over} if role == "sequence" else {}),
        "ROLE": role,
        "OPTIONS": options,
        "build": build,
    }
    if "DIMS" not in parts:
        parts["DIMS"] = _tried(build, name, parts)
    else:
        for dims in parts["DIMS"]:
            _try(build, name, dims, parts)
    return parts


def _tried(build: Any, name: str, parts: Mapping[str, Any]) -> tuple[int, ...]:
    """Return the dimensions in which the net takes what it reads. Raises RegisterError where it takes none."""
    found, why = [], ""
    for dims in (2, 3):
        try:
            _try(build, name, dims, parts)
            found.append(dims)
        except RegisterError as error:
            why = why or (error.found or "")
    if not found:
        words = {
            "cine": "takes neither a cine (B, T, C, Y, X) nor one of volumes",
            "sequence": "does not take steps in time, such as (B, T, F)",
        }
        told = words.get(parts["ROLE"], "takes neither an image (B, C, Y, X) nor a volume")
        raise RegisterError(f"net '{name}' {told}", found=why)
    return tuple(found)


def _try(build: Any, name: str, dims: int, parts: Mapping[str, Any]) -> None:
    """Build the net and give it one image. Raises RegisterError, with what went wrong."""
    size = tuple(parts.get("TINY_SIZE", {}).get(dims, (SIDE[dims],) * dims))
    try:
        with torch.random.fork_rng(devices=[]):
            net = build(name, dims=dims, in_channels=1, size=size, options=parts.get("TINY")).eval()
            with torch.no_grad():
                out = net(*_given(name, parts, dims, size))
    except Exception as error:  # whatever a stranger's module raises
        raise RegisterError(
            f"net '{name}' fails on {_said(name, parts, dims, size)}",
            found=f"{type(error).__name__}: {error}"[:200],
            hint="DIMS = (2,) or (3,), or TINY_SIZE, as attributes of the class",
        ) from error
    if parts["ROLE"] == "sequence":
        _check_over_time(name, net, out)
        return
    maps = out.features if isinstance(out, Dense) else out
    channels = [m.shape[1] for m in maps] if isinstance(maps, list | tuple) else None
    if channels != list(net.channels):
        raise RegisterError(
            f"net '{name}' does not give the maps that it declares",
            found=f"{channels or type(out).__name__}, declared {list(net.channels)}",
        )


def _given(name: str, parts: Mapping[str, Any], dims: int, size: tuple[int, ...]) -> tuple[Tensor, ...]:
    """Return what a net of its role is tried on: an image, a cine, steps in time, or a tree."""
    if parts["ROLE"] in ("sequence", "cine"):
        return probe(parts["ROLE"], parts.get("OVER", {}).get(name, ""), dims, 1, size=size)
    return (torch.zeros(1, 1, *size),)


def _said(name: str, parts: Mapping[str, Any], dims: int, size: tuple[int, ...]) -> str:
    """Return in words what a net of its role is tried on."""
    shape = tuple(_given(name, parts, dims, size)[0].shape)
    if parts["ROLE"] == "sequence":
        return f"steps {shape}"
    return f"a cine {shape}" if parts["ROLE"] == "cine" else f"a {dims}-D image of {'×'.join(map(str, size))}"


def _check_over_time(name: str, net: Any, out: Any) -> None:
    """Raise RegisterError where a net over time does not say what a task must know of it."""
    channels = out.shape[2] if isinstance(out, Tensor) and out.ndim > 2 else None
    if channels != net.out_channels or not isinstance(getattr(net, "causal", None), bool):
        raise RegisterError(
            f"net '{name}' does not give the steps that it declares",
            found=f"{channels} channels a step, out_channels {net.out_channels}, causal {getattr(net, 'causal', None)}",
            hint="a class of vesalius.nets.OverTime",
        )
