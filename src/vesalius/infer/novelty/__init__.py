"""Detectors of images unlike those of training: one file a detector, chosen by a plan's `infer.novelty`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vesalius.core.registry import held

if TYPE_CHECKING:
    from vesalius.infer.novelty.contract import Detector

KIND = "infer.novelty"


def get(name: str) -> Detector:
    """Return the detector of that registered name. Raises UnknownName."""
    found: Detector = held(KIND, name, "DETECTOR")
    return found
