"""Finetune: begin from given weights with the encoder frozen, then train all of it at a lower rate."""

from __future__ import annotations

from vesalius.core.plan import Plan
from vesalius.plan.draft import Draft

NAMES = {
    "finetune": "with --init: a fifth of the steps with the encoder frozen, then all of it at a quarter of the rate"
}
WHY = (
    "a new head must not shake weights that know something already; then all of them move in smaller steps "
    "(Howard & Ruder 2018, arXiv 1801.06146)"
)


def choose(plan: Plan) -> Draft:
    """Return two phases, and half of the steps."""
    draft = Draft()
    phases = [{"share": 0.2, "frozen": ["encoder"]}, {"share": 0.8, "rate": 0.25}]
    draft.set("train.phases", phases, WHY)
    draft.set("train.enough", min(0.5, plan.train.enough), "weights that know something need fewer steps")
    return draft
