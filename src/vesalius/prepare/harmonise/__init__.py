"""Harmonisers: one file a way of making images, or features, of different scanners comparable.

`contract.py` says what such a file has. A plan names them in `data.harmonise` (steps that may be fitted) and in
`data.normalise` (the last step, a channel at a time).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from vesalius.core.errors import DataError, PlanError
from vesalius.core.image import Array
from vesalius.core.options import options_of
from vesalius.core.plan import HarmonisePlan, HarmoniseStep
from vesalius.core.registry import held, literals, lookup, names, stem_of
from vesalius.prepare.harmonise.contract import Back, Known, Method

KIND = "prepare.harmonise"


def get(name: str) -> Method:
    """Return the harmoniser of images of that registered name. Raises UnknownName, or PlanError for one of features."""
    if says(name, "TAKES", "image") != "image":
        raise PlanError(
            f"harmoniser '{name}' is for tables of features, not for images",
            hint=f"one of {', '.join(of_images())}",
        )
    method: Method = held(KIND, name, "METHOD")
    return method


def says(name: str, word: str, default: Any = None) -> Any:
    """Return a literal of a harmoniser's file. Raises UnknownName."""
    return literals(KIND, stem_of(KIND, name)).get(word, default)


def of_images() -> tuple[str, ...]:
    """Return the names of all harmonisers of images."""
    return tuple(name for name in names(KIND) if says(name, "TAKES", "image") == "image")


def ranked() -> tuple[str, ...]:
    """Return the harmonisers of images that are tried until a threshold holds, in their order."""
    tried = [name for name in of_images() if says(name, "RANK") is not None]
    return tuple(sorted(tried, key=lambda name: (says(name, "RANK"), name)))


def options_for(name: str, given: Mapping[str, Any], *, where: str = "data.harmonise") -> dict[str, Any]:
    """Return all options of a harmoniser. Raises UnknownName or PlanError for one that is not there or does not fit."""
    module = lookup(KIND, name)
    if hasattr(module, "options_for") and (own := module.options_for(name, dict(given))) != given:
        given = own
    return options_of(KIND, name, given, where=where)


def check_steps(plan: HarmonisePlan, *, unit: str | None = None) -> None:
    """Raise UnknownName or PlanError for steps, or methods to try, that do not exist or do not fit images of `unit`."""
    for name in (*plan.methods, *(step.method for step in plan.steps)):
        get(name)
    for step in plan.steps:
        options_for(step.method, step.options)
        assert_unit(step.method, unit)
    if plan.threshold is not None and plan.by is None:
        raise PlanError(
            "a threshold on the spread between scanners needs a column that names the scanner",
            hint="--harmonise by=scanner,threshold=0.05",
        )


def assert_unit(name: str, unit: str | None) -> None:
    """Raise PlanError where a harmoniser is for images of another unit."""
    wanted = says(name, "UNIT")
    if wanted is not None and unit != wanted:
        raise PlanError(
            f"harmoniser '{name}' is for images in {wanted}",
            found=f"images in {unit}" if unit else "images without a unit",
            hint="zscore, percentile or nyul, which need none",
        )


def looks_at_image(name: str) -> bool:
    """Return whether what becomes of a voxel depends on the rest of its image. Raises UnknownName."""
    return not says(name, "PLANNED", False) and says(name, "UNIT") is None


def check_last(name: str, unit: str | None = None) -> None:
    """Raise UnknownName or PlanError where a harmoniser cannot be the last step of a channel, `data.normalise`."""
    get(name)
    if says(name, "LOCAL", False) or (says(name, "FITTED", False) and not says(name, "PLANNED", False)):
        raise PlanError(
            f"harmoniser '{name}' cannot stand in data.normalise",
            hint=f"--set data.harmonise={name}",
        )
    assert_unit(name, unit)


def known_of(step: HarmoniseStep, channel: int) -> Known:
    """Return a step's options and what it learned of a channel. Raises PlanError where it has not learned yet."""
    needs = says(step.method, "FITTED", False)
    if needs and channel >= len(step.fitted):
        raise PlanError(
            f"harmoniser '{step.method}' has not learned from training images yet",
            hint="fit, which lets it learn before it trains",
        )
    fitted = step.fitted[channel] if channel < len(step.fitted) else {}
    return Known(options_for(step.method, step.options), fitted)


def applied(
    channel: Array, steps: Sequence[HarmoniseStep], *, number: int = 0, frames: int = 1
) -> tuple[Array, tuple[tuple[Back, ...], ...]]:
    """Return a channel `(frames · Z, Y, X)` float32 after all steps, and the way back of each.

    `number` says which channel of the plan it is. What depends on the place is done frame by frame. Raises DataError
    for an image that a step cannot be applied to.
    """
    ways = []
    for step in steps:
        method, known = get(step.method), known_of(step, number)
        apart = frames if says(step.method, "LOCAL", False) else 1
        parts = [method.apply(part, known) for part in np.split(np.asarray(channel, np.float32), apart)]
        channel = parts[0].channel if apart == 1 else np.concatenate([p.channel for p in parts])
        if not np.isfinite(channel).all():
            raise DataError(f"harmoniser '{step.method}' made values that are not finite")
        ways.append(tuple(part.back for part in parts))
    return channel, tuple(ways)


def undone(channel: Array, steps: Sequence[HarmoniseStep], ways: Sequence[Sequence[Back]]) -> Array:
    """Return a channel as it was before the steps, up to rounding. Raises PlanError where one cannot be undone."""
    for step, backs in reversed(list(zip(steps, ways, strict=True))):
        if not says(step.method, "UNDO", False):
            raise PlanError(
                f"what harmoniser '{step.method}' does to an image cannot be undone",
                hint=", ".join(name for name in of_images() if says(name, "UNDO", False)),
            )
        parts = np.split(channel, len(backs))
        channel = np.concatenate([get(step.method).undo(p, b) for p, b in zip(parts, backs, strict=True)])
    return channel
