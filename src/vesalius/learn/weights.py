"""Which tensors of given weights a net takes over, which not, and why; counted, and in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor, nn

from vesalius.core.errors import PlanError

NAMED = 4  # tensors that are named before the others are only counted


@dataclass(frozen=True)
class Fit:
    """The names of a net's tensors, held against given weights. `share` is that of the net's parameters taken over.

    `missing` are the net's that the weights lack, `strange` the weights' that the net lacks, and `shapes` those that
    both have in different shapes, each as (theirs, ours).
    """

    taken: tuple[str, ...]
    missing: tuple[str, ...]
    strange: tuple[str, ...]
    shapes: Mapping[str, tuple[tuple[int, ...], tuple[int, ...]]]
    share: float

    def __str__(self) -> str:
        """Return one line: how many are taken over, which are not, and why."""
        whole = len(self.taken) + len(self.missing) + len(self.shapes)
        said = [
            f"{len(self.taken)} of the net's {whole} tensors taken over, {_percent(self.share)} of its parameters"
        ]
        if self.shapes:
            shown = [f"{n} ({_shape(a)} there, {_shape(b)} here)" for n, (a, b) in self.shapes.items()]
            said.append(f"not taken, of another shape: {_some(shown)}")
        if self.missing:
            said.append(f"not among the given weights: {_some(self.missing)}")
        if self.strange:
            said.append(f"given, and not in this net: {_some(self.strange)}")
        return "; ".join(said)


def fit_of(model: nn.Module, start: Mapping[str, Tensor]) -> Fit:
    """Hold given weights against a net's, by name and shape. Raises PlanError where no kernel or matrix fits."""
    own = model.state_dict()
    taken = tuple(k for k in own if k in start and start[k].shape == own[k].shape)
    shapes = {k: (tuple(start[k].shape), tuple(own[k].shape)) for k in own if k in start and k not in taken}
    size = {k: p.numel() for k, p in model.named_parameters()}
    fit = Fit(
        taken=taken,
        missing=tuple(k for k in own if k not in start),
        strange=tuple(k for k in start if k not in own),
        shapes=shapes,
        share=sum(size.get(k, 0) for k in taken) / max(1, sum(size.values())),
    )
    if not any(own[k].ndim > 1 for k in taken):  # of norms and counters alone nothing is learned
        raise PlanError(
            "none of the given weights fits this net",
            found=f"{len(start)} tensors; {fit}",
            hint="--set net.name of that model",
        )
    return fit


def _percent(share: float) -> str:
    """Return a share of which less than all is never called 100 %."""
    return "all" if share == 1 else f"{min(99.9, 100 * share):.1f} %"


def _shape(sides: tuple[int, ...]) -> str:
    return "×".join(map(str, sides)) or "one number"


def _some(names: tuple[str, ...] | list[str]) -> str:
    rest = len(names) - NAMED
    return ", ".join(names[:NAMED]) + (f" and {rest} more" if rest > 0 else "")
