"""Quick: one narrower model with a quarter of the steps, to see within minutes whether something can be learned."""

from __future__ import annotations

from vesalius.core.plan import USER, Plan
from vesalius.nets import describe
from vesalius.plan.draft import Draft

NAMES = {"quick": "one narrower model with a quarter of the steps: a first look, no last word"}


def choose(plan: Plan) -> Draft:
    """Return one member, half the width, fewer steps, and answers without mirror images."""
    draft = Draft()
    draft.set("train.members", 1, "one model trains and answers in a fraction of an ensemble's time")
    draft.set(
        "train.enough",
        0.25 * plan.train.enough,
        "a quarter of the steps shows whether something can be learned",
    )
    draft.set("train.validations", min(3, plan.train.validations), "each one takes time from training")
    narrower = max(plan.net.scale / 2, describe(plan.net.name).get("SMALLEST", 0.0), 0.25)
    if narrower < plan.net.scale and plan.net.init is None and plan.reasons.get("net.scale") != USER:
        draft.set("net.scale", narrower, "half the width takes a quarter of the time a step")
        draft.set("train.lr", plan.train.lr * 2, "a narrower net takes larger steps")
    draft.set("infer.mirror", [], "a mirror image would double the time of an answer")
    if plan.data.sampling == "patches":
        draft.set("infer.overlap", min(0.25, plan.infer.overlap), "fewer tiles an image")
    return draft
