"""What losses share that are told how alike pairs of cases are, and not what labels cases have."""

from __future__ import annotations

from torch import Tensor

from vesalius.core.errors import PlanError


def only_pairs(name: str, *, labels: bool, smoothing: float) -> None:
    """Raise PlanError where such a loss is to learn labels of cases, or to smooth them."""
    if labels:
        raise PlanError(
            f"the loss '{name}' tells pairs of a batch apart, and learns no labels",
            hint="loss.name=cross_entropy, or focal",
        )
    if smoothing:
        raise PlanError(
            f"the loss '{name}' has no labels that could be smoothed",
            found=f"loss.smoothing={smoothing:g}",
            hint="--set loss.smoothing=0",
        )


def asked(there: Tensor, weight: Tensor | None) -> Tensor:
    """Return how much each row counts, `(Q,)` float32: nothing where something is not `there`, else its weight."""
    found = there.float()
    return found if weight is None else found * weight.to(found)


def mean_of(each: Tensor, counts: Tensor) -> Tensor:
    """Return the mean of rows by how much they count, `()`; 0 where none counts."""
    return (each * counts).sum() / counts.sum().clamp_min(1e-6)
