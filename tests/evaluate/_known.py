"""A model of which little is known, for tests of cards."""

from __future__ import annotations

from typing import Any

from vesalius.core.plan import Plan, parse_plan
from vesalius.core.scorecard import Scorecard
from vesalius.evaluate.cards.card import ModelCard, card_of
from vesalius.evaluate.cards.known import Known


def plan(**task: Any) -> Plan:
    """A plan as small as a plan can be."""
    return parse_plan(
        {
            "task": {"name": "classify", **task},
            "data": {
                "dims": 2, "channels": 1, "sampling": "whole", "size": [1, 32, 32],
                "normalise": [{"method": "zscore"}],
            },
            "net": {"name": "resnet-10"}, "loss": {"name": "cross_entropy"}, "train": {"steps": 9, "batch": 4},
        }
    )  # fmt: skip


def known(scorecard: Scorecard | None = None, **more: Any) -> Known:
    """What is known of a model that has a plan, and perhaps a scorecard."""
    said = {"title": "A model", "plan": plan(), "answer": "Scores", "made_by": "vesalius 0"} | more
    return Known(scorecard=scorecard, **said)


def card(scorecard: Scorecard | None = None, **more: Any) -> ModelCard:
    """Its card."""
    return card_of(known(scorecard, **more))
