"""What a bundle's scorecard says of its model, as clients are told: figures, headlines, and the data they are of."""

from __future__ import annotations

import hashlib
from typing import Any

from vesalius.answers import contract
from vesalius.core.bundle import Bundle
from vesalius.core.errors import VesaliusError
from vesalius.core.scorecard import Interval, Scorecard, load_scorecard
from vesalius.core.sealed import MANIFEST
from vesalius.evaluate.standing import standing

_ADDED = ("scorecard.json", "card.md")  # what is sealed into a bundle once it has been scored
_OTHER = "The scorecard in this bundle was measured on another model, so its figures are not shown."


def measured(bundle: Bundle, kind: str) -> dict[str, Any]:
    """Return the part of `schemas.ModelBody` that a bundle's scorecard gives; a banner alone for another model's card.

    `kind` is the kind of answer of the bundle's last stage, by name.
    """
    try:
        card = load_scorecard(bundle.path / _ADDED[0])
    except VesaliusError:
        return _nothing()
    if card.answer != kind or card.bundle not in (bundle.hash, _hash_before(bundle)):
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
        "value": found.value,
        "low": found.low,
        "high": found.high,
        "n": found.n,
        "baseline": None if trivial is None else trivial.value,
        "standing": standing(card, name),
    }


def _headlines(card: Scorecard) -> list[str]:
    """Return the metrics that come first: those of the kind of answer, or else all that speak of no single label."""
    wanted = contract.of(card.answer).headlines or tuple(n for n in card.metrics if "/" not in n)
    return [name for name in wanted if name in card.metrics]


def _hash_before(bundle: Bundle) -> str:
    """Return the hash that a bundle had when it was scored: that of its manifest without what scoring added."""
    lines = (bundle.path / MANIFEST).read_text(encoding="utf-8").splitlines(keepends=True)
    kept = "".join(line for line in lines if line[66:].rstrip("\n") not in _ADDED)
    return hashlib.sha256(kept.encode()).hexdigest()
