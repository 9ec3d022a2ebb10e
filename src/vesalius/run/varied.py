"""Members that are trained differently, but answer as one stage: how each learns, and never what it is or is shown."""

from __future__ import annotations

from vesalius.core.errors import PlanError
from vesalius.core.plan import Plan, override

ALONE = (  # what may be other for a member: the same net, of the same loss, on the same prepared cases
    "augment.",
    "train.batch", "train.optimizer", "train.lr", "train.layer_decay", "train.weight_decay", "train.schedule",
    "train.warmup", "train.ema", "train.clip_norm",
    "loss.smoothing",
    "net.dropout",
)  # fmt: skip


def varied(plan: Plan, member: int) -> Plan:
    """Return the plan by which a member is trained. Raises PlanError where the plan cannot be followed."""
    own = plan.train.varied[member % len(plan.train.varied)] if plan.train.varied else {}
    return override(plan, own, reason=f"of member {member}") if own else plan


def may_vary(path: str) -> bool:
    """Return whether a path of the plan may be other for single members."""
    return path.startswith(ALONE)


def assert_varied(plan: Plan) -> None:
    """Raise PlanError or UnknownName where members are to differ in what they must share, or cannot be trained so."""
    for number, own in enumerate(plan.train.varied):
        shared = [path for path in own if not may_vary(path)]
        if shared:
            raise PlanError(
                "members of one stage share their net, their loss and what they are shown",
                found=f"train.varied: {', '.join(shared)}",
                hint=f"only {', '.join(ALONE)}",
            )
        varied(plan, number)
