"""Which tensors of given weights a model takes over, as they are or adapted, which not, and why; counted, in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from torch import Tensor, nn

from vesalius.core.errors import PlanError
from vesalius.learn.vocabulary import reworded
from vesalius.nets import Net

NAMED = 4  # tensors that are named before the others are only counted


@dataclass(frozen=True)
class Fit:
    """The names of a net's tensors, held against given weights. `share` is that of the net's parameters taken over.

    `missing` are the net's that the weights lack, `strange` the weights' that the net lacks, and `shapes` those that
    both have in different shapes, each as (theirs, ours). `adapted` says of those among the taken that were fitted to
    this net how.
    """

    taken: tuple[str, ...]
    missing: tuple[str, ...]
    strange: tuple[str, ...]
    shapes: Mapping[str, tuple[tuple[int, ...], tuple[int, ...]]]
    share: float
    adapted: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        """Return one line: how many are taken over, which are not, and why."""
        whole = len(self.taken) + len(self.missing) + len(self.shapes)
        said = [
            f"{len(self.taken)} of the net's {whole} tensors taken over, {_percent(self.share)} of its parameters"
        ]
        if self.adapted:
            how: dict[str, list[str]] = {}
            for name, done in self.adapted.items():
                how.setdefault(done, []).append(name)
            said += [f"{done}: {_some(names)}" for done, names in how.items()]
        if self.shapes:
            shown = [f"{n} ({_shape(a)} there, {_shape(b)} here)" for n, (a, b) in self.shapes.items()]
            said.append(f"not taken, of another shape: {_some(shown)}")
        if self.missing:
            said.append(f"not among the given weights: {_some(self.missing)}")
        if self.strange:
            said.append(f"given, and not in this net: {_some(self.strange)}")
        return "; ".join(said)


def fit_of(model: nn.Module, start: Mapping[str, Tensor]) -> Fit:
    """Hold given weights against a model's (see `placed`). Raises PlanError where no kernel or matrix fits."""
    return placed(model, start)[1]


def placed(model: nn.Module, start: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], Fit]:
    """Return given weights under the model's own names, adapted where they must be, and how they fit.

    The names may be a model's (`net.stem.0.weight`), a net's (`stem.0.weight`), or those of what a net sees images
    with (`encoder.stem.0.weight`): they are taken where most parameters fit, so that an encoder's weights find their
    place in a dense net over it. Raises PlanError where no kernel or matrix fits.
    """
    start = reworded(start, model)
    own = model.state_dict()
    nets = _nets(model)
    given = max(_readings(start, nets), key=lambda names: _fitting(names, own))
    found, adapted, shapes = {}, {}, {}
    for name, tensor in given.items():
        if name not in own:
            continue
        shape = tuple(own[name].shape)
        if tuple(tensor.shape) == shape:
            found[name] = tensor
        elif (fitted := _adapted(name, tensor, shape, nets)) is not None:
            found[name], adapted[name] = fitted
        else:
            shapes[name] = (tuple(tensor.shape), shape)
    size = {k: p.numel() for k, p in model.named_parameters()}
    taken = tuple(k for k in own if k in found)
    fit = Fit(
        taken=taken,
        missing=tuple(k for k in own if k not in given),
        strange=tuple(k for k in given if k not in own),
        shapes={k: shapes[k] for k in own if k in shapes},
        share=sum(size.get(k, 0) for k in taken) / max(1, sum(size.values())),
        adapted={k: adapted[k] for k in own if k in adapted},
    )
    if not any(own[k].ndim > 1 for k in taken):  # of norms and counters alone nothing is learned
        raise PlanError(
            "none of the given weights fits this net",
            found=f"{len(start)} tensors; {fit}",
            hint="--set net.name of that model",
        )
    return {k: found[k] for k in taken}, fit


def _nets(model: nn.Module) -> dict[str, Net]:
    """Return the model's nets by where they are in it, the outermost first."""
    return {name: m for name, m in model.named_modules() if isinstance(m, Net)}


def _readings(start: Mapping[str, Tensor], nets: Mapping[str, Net]) -> list[dict[str, Tensor]]:
    """Return the given tensors under every name that they may have in the model; as they are first."""
    inside = sorted({p for name in start for p in ("net.encoder.", "net.", "encoder.") if name.startswith(p)})
    found = [dict(start)]
    for theirs in ("", *inside):
        kept = {n.removeprefix(theirs): t for n, t in start.items() if n.startswith(theirs)}
        for ours in nets:
            found.append({f"{ours}.{n}" if ours else n: t for n, t in kept.items()})
        inner = [name for name in nets if not any(other.startswith(f"{name}.") for other in nets if name)]
        if len(inner) > 1:  # nets that see different images of a case each take them
            found.append({f"{ours}.{n}": t for ours in inner if ours for n, t in kept.items()})
    return found


def _fitting(given: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> int:
    """Return how many numbers of the given tensors have a place in the model, by their names and first sides."""
    return sum(t.numel() for n, t in given.items() if n in own and t.ndim and t.shape[:1] == own[n].shape[:1])


def _adapted(
    name: str, tensor: Tensor, shape: tuple[int, ...], nets: Mapping[str, Net]
) -> tuple[Tensor, str] | None:
    """Return a tensor as the innermost net that it belongs to fits it to a shape, and how; None where it cannot."""
    inner = [where for where in nets if not where or name.startswith(f"{where}.")]
    if not inner:
        return None
    where = max(inner, key=len)
    return nets[where].adapted(name.removeprefix(f"{where}.") if where else name, tensor, shape)


def _percent(share: float) -> str:
    """Return a share of which less than all is never called 100 %."""
    return "all" if share == 1 else f"{min(99.9, 100 * share):.1f} %"


def _shape(sides: tuple[int, ...]) -> str:
    return "×".join(map(str, sides)) or "one number"


def _some(names: tuple[str, ...] | list[str]) -> str:
    rest = len(names) - NAMED
    return ", ".join(names[:NAMED]) + (f" and {rest} more" if rest > 0 else "")
