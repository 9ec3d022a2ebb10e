"""Probe: a linear head on features that stay as they are, to see what given weights know already."""

from __future__ import annotations

from vesalius.core.plan import Plan
from vesalius.plan.draft import Draft

NAMES = {
    "probe": "with --init: the encoder stays as it is, and only what is put on it learns (a linear probe)"
}
WHY = (
    "what the encoder knows is held against the target as it is, with few numbers to learn: for very few cases, and to "
    "compare weights (Alain & Bengio 2017, arXiv 1610.01644; Kornblith et al. 2019, arXiv 1805.08974)"
)


def choose(plan: Plan) -> Draft:
    """Return one phase with the encoder frozen, and half of the steps."""
    draft = Draft()
    draft.set("train.phases", [{"share": 1.0, "frozen": ["encoder"]}], WHY)
    draft.set("train.enough", min(0.5, plan.train.enough), "a head alone needs fewer steps")
    return draft
