"""What the layers of a model show of a case, as means and deviations over space, gathered while it answers."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from vesalius.core.image import Array
from vesalius.nets import Net

QUIET = 1e-3  # added to deviations before their logarithm: what is below it counts as none


@dataclass(frozen=True, eq=False)
class Features:
    """What the layers of one model show of one case.

    `layers` holds by a layer's name the mean over space of each of its `C` channels, then the logarithm of the standard
    deviation of each, `(2 C,)` float64.
    `raw` is the model's raw output `(K,)` where that has no place in space, else None; `mean` is its mean over space
    `(K,)` where it is a field, else None. `grains` says which of the layers are what is seen before the first one
    (`grain_of`), and how many channels the image has there.
    """

    layers: Mapping[str, Array]
    raw: Array | None = None
    grains: Mapping[str, int] = field(default_factory=dict)
    mean: Array | None = None


@dataclass(frozen=True, eq=False)
class Shown:
    """What one map of a network showed in one pass: means and sums of squared deviations `(N, C)` over `n` points.

    `grain` is how many channels the image has where the map is what is seen before the first layer, else 0.
    """

    layer: str
    n: int
    mean: Array
    squares: Array
    grain: int = 0


@dataclass(eq=False)
class Sum:
    """Count, means `(C,)` and sums of squared deviations `(C,)` of a layer's channels, to which more can be added.

    Source: Chan, Golub, LeVeque, "Algorithms for computing the sample variance", 1983.
    """

    n: float
    mean: Array
    squares: Array

    def add(self, other: Sum) -> None:
        """Take in what was seen elsewhere of the same layer."""
        n = self.n + other.n
        apart = other.mean - self.mean
        self.mean = self.mean + apart * (other.n / n)
        self.squares = self.squares + other.squares + apart**2 * (self.n * other.n / n)
        self.n = n

    def described(self) -> Array:
        """Return the means and then the logarithms of the standard deviations, `(2 C,)`."""
        return np.concatenate([self.mean, np.log(np.sqrt(np.maximum(self.squares / self.n, 0.0)) + QUIET)])


Told = Callable[[str, Sequence[Tensor], int], None]
Taken = Callable[[Sequence[Shown]], None]


class Watch:
    """Sums up what the networks of one model show of the cases that pass, for one thread and one answer.

    With `apart` each row of a batch is a case by itself, in the order in which they come; else all that passes is of
    one case, such as its tiles. Memory is that of the sums, whatever the number of tiles.
    """

    def __init__(self, *, apart: bool) -> None:
        self.apart = apart
        self.lost = ""  # why the features cannot be told, in words
        self._cases: list[dict[str, Sum]] = []
        self._raw: list[Array | None] = []
        self._fields: list[Sum] = []  # of each case, its raw outputs where these are fields
        self._grains: dict[str, int] = {}

    @contextmanager
    def over(self, model: nn.Module, rows: int) -> Iterator[None]:
        """Watch one pass of `rows` cases or tiles through a model; what other threads ask of it is not looked at."""
        seen = _Pass(rows)

        def look(name: str, maps: Sequence[Tensor], grain: int) -> None:
            self._grains |= {f"{name}.0": grain} if grain else {}
            for k, found in enumerate(maps):
                n, mean, squares = summed(found)
                seen.add(f"{name}.{k}", n, mean.cpu().numpy(), squares.cpu().numpy())

        def take(shown: Sequence[Shown]) -> None:
            for one in shown:
                self._grains |= {one.layer: one.grain} if one.grain else {}
                seen.add(one.layer, one.n, one.mean, one.squares)

        with looked_at(model, look, take):
            yield
        self._keep(seen)

    def told(self, raw: Tensor) -> None:
        """Take in the raw output of the pass that was watched last: a few numbers about each case, or a field."""
        if self.apart and raw.ndim == 2:
            self._raw += list(raw.detach().float().cpu().numpy().astype(np.float64))
        elif raw.ndim == 5:  # (B, K, Z, Y, X)
            self._take_fields(raw.detach().float().flatten(2))

    def only(self, first: int) -> None:
        """Forget all cases but the first so many, where further rows were mirror images of these."""
        del self._cases[first:], self._raw[first:], self._fields[first:]

    def features(self) -> list[Features]:
        """Return what was seen of each case; of all that passed as of one, unless they are `apart`."""
        raws = self._raw if len(self._raw) == len(self._cases) else [None] * len(self._cases)
        many = len(self._cases)
        means = [f.mean for f in self._fields] if len(self._fields) == many else [None] * many
        return [
            Features({name: found.described() for name, found in sums.items()}, raw, self._grains, mean)
            for sums, raw, mean in zip(self._cases, raws, means, strict=True)
        ]

    def _take_fields(self, flat: Tensor) -> None:
        """Take in fields `(B, K, V)`, of a case each, or of parts of one case."""
        means = flat.mean(dim=-1).cpu().numpy().astype(np.float64)
        sums = [Sum(float(flat.shape[-1]), mean, np.zeros_like(mean)) for mean in means]
        if self.apart or not self._fields:
            self._fields += sums if self.apart else sums[:1]
            sums = [] if self.apart else sums[1:]
        for one in sums:
            self._fields[0].add(one)

    def _keep(self, seen: _Pass) -> None:
        self.lost = self.lost or seen.lost
        cases = seen.cases()
        if self.apart:
            self._cases += cases
            return
        self._cases = self._cases or [{}]
        for sums in cases:
            _merge(self._cases[0], sums)


class _Pass:
    """One pass of a batch through a model: the sums of each of its rows, by layer."""

    def __init__(self, rows: int) -> None:
        self.rows, self.lost = rows, ""
        self._found: list[dict[str, Sum]] = [{} for _ in range(rows)]

    def cases(self) -> list[dict[str, Sum]]:
        """Return the sums of each row."""
        return self._found

    def add(self, layer: str, n: float, means: Array, squares: Array) -> None:
        """Take in the sums of one map `(N, C)`; of a network that is called again, both calls count."""
        times, left = divmod(len(means), self.rows)
        if self.lost or left or not times:
            self.lost = self.lost or f"a network sees {len(means)} rows of {self.rows}"
            return
        means, squares = means.astype(np.float64), squares.astype(np.float64)
        for row in range(len(means)):  # the frames of a cine, say, follow one another within their case
            _merge(self._found[row // times], {layer: Sum(float(n), means[row], squares[row])})


def _merge(into: dict[str, Sum], more: Mapping[str, Sum]) -> None:
    for name, found in more.items():
        if name in into:
            into[name].add(found)
        else:
            into[name] = found


class Look:
    """A hook on one watched network, of one thread: what it shows is told, whatever other threads ask of it meanwhile.

    `told` is given the network's name, its maps, and how many channels the image has where the first map is its grain,
    else 0. `take` is given instead what all watched networks showed of a pass that was computed elsewhere.
    """

    def __init__(self, name: str, told: Told, take: Taken | None) -> None:
        self.name, self.told, self.take, self.thread = name, told, take, threading.get_ident()

    def __call__(self, module: nn.Module, inputs: Any, output: Any) -> None:
        """Tell of one call of the network."""
        if threading.get_ident() == self.thread:
            grain = grain_of(inputs)
            maps = [*grain, *maps_of(module, output)]
            self.told(self.name, maps, int(inputs[0].shape[1]) if grain else 0)


@contextmanager
def looked_at(model: nn.Module, told: Told, take: Taken | None = None) -> Iterator[None]:
    """Look at this thread's passes through the watched networks of a model while this lasts (see `Look`)."""
    handles = [m.register_forward_hook(Look(name, told, take)) for name, m in watched(model).items()]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def summed(found: Tensor) -> tuple[int, Tensor, Tensor]:
    """Return of a map `(N, C, …)` its number of points, and each channel's mean and squared deviations `(N, C)`."""
    flat = found.detach().float().flatten(2) if found.ndim > 2 else found.detach().float()[..., None]
    mean = flat.mean(dim=-1)
    return flat.shape[-1], mean, (flat - mean[..., None]).square_().sum(dim=-1)


def watched(model: nn.Module) -> dict[str, nn.Module]:
    """Return the parts of a model whose outputs are watched, by name: its networks, the outermost of each.

    A network that writes is not: what it says of a case depends on how long the texts beside it are. Of a model without
    a network of ours it is what the model is made of, part by part.
    """
    found: dict[str, nn.Module] = {}
    for name, module in model.named_modules():
        inside = any(name.startswith(f"{n}." if n else "") for n in found)
        if isinstance(module, Net) and module.role != "writer" and not inside:
            found[name] = module
    return {name or "net": m for name, m in found.items()} or dict(model.named_children())


def grain_of(inputs: Any) -> list[Tensor]:
    """Return what is seen before the first layer, `(N, C, …)`: each channel, and how far neighbours differ, by axis.

    Layers that learned to overlook noise or blur do not tell of them; the differences of neighbours do.
    """
    found = inputs[0] if isinstance(inputs, tuple) and inputs else None
    if not isinstance(found, Tensor) or found.ndim < 4 or not torch.is_floating_point(found):
        return []
    x = found.detach().float()
    axes = [a for a in range(2, x.ndim) if x.shape[a] > 1]
    inner = x[(..., *(slice(0, -1) if a in axes else slice(None) for a in range(2, x.ndim)))]
    steps = [x.diff(dim=a)[tuple(slice(0, n) for n in inner.shape)].abs() for a in axes]
    return [torch.cat([inner, *steps], dim=1)]


def maps_of(module: nn.Module, output: Any) -> Sequence[Tensor]:
    """Return the maps `(N, C, …)` of numbers in what a network returned, the finest first."""
    if isinstance(output, Tensor):
        listed: list[Any] = [output.movedim(-1, 1) if getattr(module, "role", "") == "sequence" else output]
    elif isinstance(output, Mapping):
        listed = list(output.values())
    elif isinstance(output, list | tuple):
        listed = [m for part in output for m in (part if isinstance(part, list | tuple) else [part])]
    else:
        listed = []
    return [m for m in listed if isinstance(m, Tensor) and m.ndim > 1 and torch.is_floating_point(m)]
