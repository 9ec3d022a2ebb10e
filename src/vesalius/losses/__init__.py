"""Losses: one file = one family; what a network's raw output is held against while it learns.

A loss's file declares, as literals that are read without importing it:

    NAMES = {"dice": "…", "dice-ce": "…"}    registered names, one line each
    TARGETS = ("mask",)                       the kinds of target it takes
    OPTIONS = {"smooth": 1e-5}                its own options with their defaults (see `core/options.py`)
    LIMITS = {"smooth": {"ge": 0}}            what values they take
    DEFAULT_FOR = {"mask": "dice-ce"}         the kinds of target for which it is chosen, and by which name, where a
                                              task chooses no loss itself; `classify`, `segment`, `regress` do
    HOLDS = "cases"                           of one that is told how alike pairs are, what each case of a batch is held
                                              against: the other `cases`, or a learned vector of each label (`proxies`)
    LOGITS = True                             of such a one, that it takes likenesses divided by a temperature
    GRADED = True                             of such a one, that pairs may be alike in part

and has `make(name, *, weights, smoothing, multilabel, options) -> nn.Module`, whose call is
`(logits, target, weight=None) -> ()`: the mean that is minimised.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from vesalius.core import registry
from vesalius.core.errors import PlanError
from vesalius.core.options import options_of

if TYPE_CHECKING:
    from torch import nn

__all__ = ["MUST", "OWN", "adopt", "build", "default_for", "holds"]
OWN = "own"  # the name in a plan of a loss that a task brings itself
MUST = ("TARGETS", "make")


def adopt(thing: Any, name: str, said: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a loss's file would hold, of a class or a function that is registered in the running process.

    Raises RegisterError.
    """
    from vesalius.losses._adopt import adopted

    return adopted(thing, name, said)


def holds(name: str) -> str:
    """Return what a loss holds each case of a batch against, `cases` or `proxies`; empty of one that learns targets.

    Raises UnknownName.
    """
    if name == OWN:
        return ""
    return str(registry.literals("losses", registry.stem_of("losses", name)).get("HOLDS", ""))


def default_for(kind: str) -> str:
    """Return the name of the loss that is chosen for a kind of target where its task chooses none.

    It is `OWN` where no file claims the kind. Raises PlanError where several do.
    """
    claims = []
    for stem in registry.stems("losses"):
        claimed: dict[str, str] = registry.literals("losses", stem).get("DEFAULT_FOR", {})
        claims += [claimed[kind]] if kind in claimed else []
    if len(claims) > 1:
        raise PlanError(
            f"{len(claims)} losses would be chosen for a target of kind {kind}",
            found=" and ".join(claims),
            hint="a DEFAULT_FOR in one file alone, or `loss.name` in the task's own `defaults`",
        )
    return claims[0] if claims else OWN


def build(
    name: str,
    *,
    weights: Sequence[float] | None = None,
    smoothing: float = 0.0,
    multilabel: bool = False,
    options: Mapping[str, Any] | None = None,
) -> nn.Module:
    """Return the loss of that registered name, called as `loss(logits, target, weight=None)`; it returns one number.

    `logits` is `(B, K)` or `(B, K, …)`. `target` is, where labels exclude one another, integers `(B, …)` or
    `(B, 1, …)` in 0 … K-1 with -1 where unknown, or floats of the logits' shape that sum to one (mixup); where
    they may overlap (`multilabel`), bits or floats of the logits' shape, -1 where unknown. `weight` is `(B,)`
    or the target's `(B, …)` without channels; zero leaves a sample or voxel out.

    `weights` holds one factor a class; for `multilabel`, a factor on each label's positive term.
    `smoothing` is the mass spread evenly over the labels.

    Raises UnknownName for a loss or an option that does not exist, PlanError for values that cannot be.
    """
    module = registry.lookup("losses", name)
    chosen = options_of("losses", name, options or {}, where="loss.options")
    if not 0.0 <= smoothing < 1.0:
        raise PlanError("label smoothing must lie in [0, 1)", found=str(smoothing))
    if weights is not None and (not len(weights) or not all(0 <= w < float("inf") for w in weights)):
        raise PlanError("class weights must be finite and not negative", found=str(list(weights)))
    made = module.make(
        name,
        weights=weights,
        smoothing=smoothing,
        multilabel=multilabel,
        options=chosen,
    )
    return cast("nn.Module", made)
