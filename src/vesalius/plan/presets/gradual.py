"""Gradual: begin from given weights, and let the net learn from its head down, depth by depth."""

from __future__ import annotations

from vesalius.core.plan import Plan
from vesalius.plan.draft import Draft

NAMES = {"gradual": "with --init: the head learns first, then ever more of the encoder (gradual unfreezing)"}
WHY = (
    "what is deepest is most particular to what the weights learned from, and changes first; what is general changes "
    "last, when errors are small (Howard & Ruder 2018, arXiv 1801.06146, section 3.3)"
)
RATES = (
    "what is nearer to the input is more general, and learns at a lower rate (section 3.1 of the same paper)"
)
FROZEN = ("encoder", "encoder:75%", "encoder:50%", "encoder:25%", "")


def choose(plan: Plan) -> Draft:
    """Return five phases of equal length, rates by layer, and half of the steps."""
    draft = Draft()
    phases = [
        {"share": 0.2, "frozen": [part] if part else [], "rate": 1.0 if part == "encoder" else 0.5}
        for part in FROZEN
    ]
    draft.set("train.phases", phases, WHY)
    draft.set("train.layer_decay", 0.8, RATES)
    draft.set("train.enough", min(0.5, plan.train.enough), "weights that know something need fewer steps")
    return draft
