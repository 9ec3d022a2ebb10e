"""The verdict on a map: what is measured of it, and why it is not to be shown where it does not hold."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from vesalius.core.image import Array
from vesalius.explain import faithful
from vesalius.explain.contract import Attribution, Method, Setting
from vesalius.explain.pieces import means, numbered
from vesalius.explain.question import Question

SAME = 0.5  # rank correlation from which a map of a model that learned nothing is the same map


def yardsticks(question: Question, setting: Setting) -> dict[str, float]:
    """Return what a map's gain is held against: that of random maps, and of one that points at the middle."""
    middle = faithful.middle(question.image.shape[1:])
    return {
        "gain_by_chance": faithful.by_chance(question, setting),
        "gain_of_the_middle": faithful.gain(question, setting, middle)["gain"],
    }


def measured(
    method: Method, question: Question, setting: Setting, found: Attribution, *, full: bool
) -> dict[str, float]:
    """Return how faithful a map is; `full` measures infidelity and stability, too."""

    def again(other: Question) -> Array:
        return method.attribute(other, setting).field

    figures = faithful.gain(question, setting, found.field)
    others = [again(faithful.with_other_weights(question, seed)) for seed in (1, 2)]
    figures["same_without_learning"] = float(np.mean([abs(faithful.alike(found.field, f)) for f in others]))
    if method.sampled:
        other = method.attribute(question, replace(setting, seed=setting.seed + 1)).field
        figures["same_from_another_seed"] = alike_in_pieces(question, setting, found.field, other)
    if full:
        figures["infidelity"] = faithful.infidelity(question, setting, found.field)
        figures["stability"] = faithful.stability(question, again, found.field, seed=setting.seed)
    return figures


def alike_in_pieces(question: Question, setting: Setting, one: Array, other: Array) -> float:
    """Return the rank correlation of two maps over the pieces of the image, each by its mean in a piece.

    Maps of single voxels and maps of whole pieces can be compared in this way.
    """
    numbers = numbered(question, about=setting.pieces, spacing_mm=setting.spacing_mm)
    return faithful.alike(means(numbers, one), means(numbers, other))


def fault(figures: Mapping[str, float], field: Array | None = None) -> str | None:
    """Return why a map is not to be shown; None where it holds, as far as was measured.

    A `field` that is the same everywhere has no order: its gain is that of chance, and may beat a bad middle.
    """
    if math.isnan(figures.get("gain", 0.0)):
        return "what is asked is answered alike without the image"
    if field is not None and np.ptp(field) == 0:
        return "it is the same everywhere"
    for name, who in (
        ("same_without_learning", "a model that learned nothing"),
        ("same_with_other_labels", "a model that learned from labels in a random order"),
    ):
        if abs(figures.get(name, 0.0)) >= SAME:
            return f"{who} gives nearly the same map (rank correlation {figures[name]:.2f})"
    if "gain" in figures and figures["gain"] <= figures["gain_of_the_middle"]:
        return (
            f"it is no better than pointing at the middle of the image (gain {figures['gain']:.2f}, "
            f"the middle {figures['gain_of_the_middle']:.2f})"
        )
    return None
