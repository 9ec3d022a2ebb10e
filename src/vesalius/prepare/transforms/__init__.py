"""Transforms: one file = one random change to training batches.

A transform's file declares literals that are read without importing it:

    STAGE = "intensity"         when it is its turn: place, grid, intensity or mix
    ORDER = 30                  its place among those of its stage; 100 where it says nothing
    OPTIONS = {"strength": 0.1} its own options with their defaults, set by `augment.options.NAME.strength`
    LIMITS = {"strength": {"ge": 0}}
    FIELDS = ("gamma",)         in this package alone: the fields of the plan's `augment` that are its settings

and has `make(settings, probability)`, which returns a function, or None where these settings change nothing. What the
function is given depends on the stage:

    place       (n, shape, generator) -> Exchange                    voxels change place, none is resampled
    grid        (n, shape, generator) -> Move                        all of them together resample once
    intensity   (image, generator) -> image                          (B, C, Z, Y, X), normalised
    mix         (images, targets, generator) -> (images, targets)

Each sample is changed with the planned `probability`. All randomness comes from the generator, drawn in the order in
which the transforms stand, so that the same plan and seed give the same batches.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from vesalius.core import registry
from vesalius.core.options import options_of
from vesalius.core.plan import AugmentPlan

KIND = "prepare.transforms"


def planned(plan: AugmentPlan, stage: str) -> list[Callable[..., Any]]:
    """Return the planned transforms of a stage, in their order. Raises UnknownName or PlanError for bad options."""
    found = []
    for name in registry.names(KIND):
        text = registry.literals(KIND, registry.stem_of(KIND, name))
        if text["STAGE"] == stage and ("FIELDS" in text or name in plan.options):
            found.append((text.get("ORDER", 100), name, text.get("FIELDS", ())))
    made = []
    for _, name, fields in sorted(found):
        settings = {field: getattr(plan, field) for field in fields}
        settings |= options_of(KIND, name, plan.options.get(name, {}), where=f"augment.options.{name}")
        if (function := registry.lookup(KIND, name).make(settings, plan.probability)) is not None:
            made.append(function)
    return made
