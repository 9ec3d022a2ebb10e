"""Best: an ensemble over every fold, twice the steps, and mirror images, where time does not matter."""

from __future__ import annotations

from vesalius.core.plan import Plan
from vesalius.plan.draft import Draft

NAMES = {"best": "a member for each fold, twice the steps, mirror images: where time does not matter"}


def choose(plan: Plan) -> Draft:
    """Return a member for each fold, twice as many steps as are enough, and the published width."""
    draft = Draft()
    draft.set("train.members", plan.train.folds, "a model for each fold: together they learn from every case")
    draft.set("train.enough", 2.0 * plan.train.enough, "twice what is enough still gains a little")
    if plan.net.scale < 1 and plan.net.init is None:
        draft.set("net.scale", 1.0, "the published width; narrower where the time limit asks for it")
    axes = list(plan.augment.flip_axes)
    draft.set(
        "infer.mirror", axes, "every axis that training mirrors" if axes else "training mirrors no axis"
    )
    if plan.data.sampling == "patches":
        draft.set(
            "infer.overlap", max(0.5, plan.infer.overlap), "half a tile, so that borders count for less"
        )
    return draft
