"""LoRA: given weights stay as they are; low-rank adapters beside a transformer's layers learn, and the head."""

from __future__ import annotations

from vesalius.core.plan import Plan
from vesalius.plan.draft import Draft

NAMES = {
    "lora": "with --init, for transformers: their weights stay, and low-rank adapters beside them learn (needs peft)"
}
RANK = 8
WHY = (
    "adapters of this rank beside every linear layer change about a hundredth of the weights, so that few cases do not "
    "unlearn what they know (Hu et al. 2021, arXiv 2106.09685; all layers: Dettmers et al. 2023, arXiv 2305.14314)"
)


def choose(plan: Plan) -> Draft:
    """Return the adapters' rank, and half of the steps; the planned rate stays, as adapters take larger steps."""
    draft = Draft()
    draft.set("train.lora", RANK, WHY)
    draft.set("train.enough", 0.5, "weights that know something need fewer steps")
    return draft
