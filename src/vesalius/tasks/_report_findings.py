"""The findings of `report`: which are learned, what is true of a case, and what a model's figures say, as data."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from vesalius.core.finding import Finding, Side
from vesalius.core.image import Array
from vesalius.tasks._report_raw import FIGURES, LEFT, RIGHT, SIZE

LEAST = 5  # training cases that have a finding, and that lack it, from which it is learned
FEW_SIZES = 8  # cases of a known size from which sizes are learned
FAR = 4.0  # standard deviations, beyond which no size is said
SIDED = 0.1  # share of a finding's cases of a known side from which sides are learned


@dataclass(frozen=True, slots=True)
class About:
    """What is learned of one finding: its code, its share of training cases, whether it has sides, and its sizes.

    `log_mm` and `spread` are the mean and the deviation of the logarithm of its size in millimetres; None without any.
    """

    name: str
    code: str
    share: float
    sided: bool
    log_mm: float | None = None
    spread: float = 1.0

    def json(self) -> dict[str, Any]:
        """Return it as plain data."""
        about = {"name": self.name, "code": self.code, "share": self.share, "sided": self.sided}
        return about if self.log_mm is None else {**about, "log_mm": self.log_mm, "spread": self.spread}

    @classmethod
    def parse(cls, data: Mapping[str, Any]) -> About:
        """Return it from its plain data."""
        return cls(**data)


def known_of(found: Sequence[Sequence[Finding]]) -> tuple[About, ...]:
    """Return the findings that are learned of the findings of training cases, by name.

    One that fewer than LEAST cases have, or that fewer lack, is left out: nothing tells it from the rest.
    """
    present = [{f.name: f for f in each if f.status == "present"} for each in found]
    names = sorted({name for each in present for name in each})
    learned = []
    for name in names:
        having = [each[name] for each in present if name in each]
        if len(having) < LEAST or len(found) - len(having) < LEAST:
            continue
        sizes = [math.log(f.size_mm) for f in having if f.size_mm]
        sized = {}
        if len(sizes) >= FEW_SIZES:
            sized = {"log_mm": float(np.mean(sizes)), "spread": max(float(np.std(sizes)), 0.05)}
        sides = sum(f.side is not None for f in having)
        code = next((f.code for f in having if f.code), "")
        learned.append(About(name, code, len(having) / len(found), sides >= SIDED * len(having), **sized))
    return tuple(learned)


def truth_of(found: Sequence[Finding], abouts: Sequence[About]) -> Array:
    """Return what is true of a case's findings, `(K, 4)` float32: there, left, right, size; NaN where unknown.

    A finding of which nothing is said is not there. One that is uncertain, or past, is unknown.
    """
    truth = np.full((len(abouts), FIGURES), np.nan, np.float32)
    for k, about in enumerate(abouts):
        own = [f for f in found if f.name == about.name]
        present = [f for f in own if f.status == "present"]
        if present or not any(f.status in ("uncertain", "past") for f in own):
            truth[k, 0] = float(bool(present))
        sides = {f.side for f in present if f.side is not None}
        if about.sided and sides:
            truth[k, LEFT], truth[k, RIGHT] = (bool(sides & {side, "both"}) for side in ("left", "right"))
        sizes = [f.size_mm for f in present if f.size_mm]
        if about.log_mm is not None and sizes:
            truth[k, SIZE] = (math.log(max(sizes)) - about.log_mm) / about.spread
    return truth


def said_of(
    figures: Array, measured: Array, called: Sequence[bool], abouts: Sequence[About]
) -> tuple[Finding, ...]:
    """Return what a model's figures `(K, 4)` say as findings, those that are called and those that are not.

    What an earlier stage measured `(K,)`, in mm, goes before the model's own size; it is 0 where it measured nothing.
    """
    found = []
    for k, about in enumerate(abouts):
        if not called[k]:
            found.append(Finding(about.name, "absent", code=about.code))
            continue
        side = side_of(figures[k]) if about.sided else None
        size = float(measured[k]) or size_of(figures[k], about)
        found.append(Finding(about.name, side=side, size_mm=size, code=about.code))
    return tuple(found)


def side_of(figures: Array) -> Side:
    """Return the side that the logits of left and right say; the likelier one where neither reaches one half."""
    left, right = float(figures[LEFT]), float(figures[RIGHT])
    if left > 0 and right > 0:
        return "both"
    return "left" if left >= right else "right"


def size_of(figures: Array, about: About) -> float | None:
    """Return the size in mm that the figures `(4,)` of a finding say; None of one whose sizes were not learned."""
    if about.log_mm is None:
        return None
    return float(np.exp(np.clip(figures[SIZE], -FAR, FAR) * about.spread + about.log_mm))
