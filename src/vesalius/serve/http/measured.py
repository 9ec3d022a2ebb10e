"""What a bundle's scorecard says of its model, as clients are told: figures, headlines, and the data they are of."""

from __future__ import annotations

import re
from typing import Any

from vesalius.answers import contract
from vesalius.core.bundle import Bundle
from vesalius.core.scorecard import Interval, Scorecard
from vesalius.evaluate.own_card import is_of, scorecard_within
from vesalius.evaluate.standing import standing

UNITS = r"_(mm2|mm|ml|px)$"  # that a metric's name may end in
_OTHER = "The scorecard in this bundle was measured on another model, so its figures are not shown."


def measured(bundle: Bundle, kind: str) -> dict[str, Any]:
    """Return the part of `schemas.ModelBody` that a bundle's scorecard gives; a banner alone for another model's card.

    `kind` is the kind of answer of the bundle's last stage, by name.
    """
    card = scorecard_within(bundle)
    if card is None:
        return _nothing()
    if card.answer != kind or not is_of(card, bundle):
        return _nothing({"kind": "another model", "text": _OTHER})
    return {
        "scorecard": {name: _figure(card, name, found) for name, found in card.metrics.items()},
        "headlines": _headlines(card),
        "baseline_is": card.baseline_is or None,
        "measured_on": {
            "split": card.split,
            "cases": card.n_cases,
            "patients": card.n_patients if card.patients_known else None,
            "data": card.data_hash,
            "learned_from_it": card.split != "test",
            "same_data": card.data_hash == bundle.data_hash,
        },
        "banners": [{"kind": b.kind, "text": b.text} for b in card.banners],
    }


def _nothing(*banners: dict[str, str]) -> dict[str, Any]:
    return {
        "scorecard": None,
        "headlines": [],
        "baseline_is": None,
        "measured_on": None,
        "banners": list(banners),
    }


def _figure(card: Scorecard, name: str, found: Interval) -> dict[str, Any]:
    trivial = card.baseline.get(name)
    return {
        "called": _called(card, name),
        "value": found.value,
        "low": found.low,
        "high": found.high,
        "n": found.n,
        "baseline": None if trivial is None else trivial.value,
        "standing": standing(card, name),
    }


def _called(card: Scorecard, name: str) -> str:
    """Return how a metric is written, as in a report, without the label and the unit that its name ends in."""
    metric = name.partition("/")[0]
    plain = re.sub(UNITS, "", metric)
    names = contract.of(card.answer).metric_names
    return names.get(metric) or names.get(plain) or plain.replace("_", " ")


def _headlines(card: Scorecard) -> list[str]:
    """Return the metrics that come first: those of the kind of answer, or else all that speak of no single label."""
    wanted = contract.of(card.answer).headlines or tuple(n for n in card.metrics if "/" not in n)
    return [name for name in wanted if name in card.metrics]
