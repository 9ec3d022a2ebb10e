"""Pointing: whether a map lies where something is drawn that is known to be there, beside chance and the middle."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vesalius.cohorts.targets import contract as targets
from vesalius.core import grids
from vesalius.core.case import Case
from vesalius.core.errors import VesaliusError
from vesalius.core.image import Array, Image
from vesalius.explain.faithful import middle
from vesalius.prepare.case import load_mask

ONE = (1, 255)  # what stands for the one label of a drawing
MOST = 12  # parts of a drawing that are looked at: more are no findings but an atlas


@dataclass(frozen=True, eq=False)
class Part:
    """One label of what is drawn on an image: its name, and where it is, `(Z, Y, X)` of bits."""

    name: str
    bits: Array


@dataclass(frozen=True)
class Pointed:
    """Where one map points, for one part of what is drawn.

    `hit` is 1 where the highest value lies inside (Zhang et al. 2018: the pointing game), else 0; of several highest
    values it is the share that lies inside. `share` is how much of all that is above 0 lies inside, `by_chance` the
    part's share of the image, which is both figures of a map that is random. `middle_hit` and `middle_share` are those
    of a map that points at the middle of the image.
    """

    part: str
    hit: float
    share: float
    by_chance: float
    middle_hit: float
    middle_share: float

    def figures(self) -> dict[str, float]:
        """Return the figures by the names of a table's columns."""
        return {
            f"pointing {self.part}": self.hit,
            f"share_inside {self.part}": self.share,
            f"inside_by_chance {self.part}": self.by_chance,
            f"pointing_of_the_middle {self.part}": self.middle_hit,
            f"share_inside_of_the_middle {self.part}": self.middle_share,
        }


def drawn(case: Case, whole: Image, *, but: str = "") -> tuple[tuple[Part, ...], tuple[str, ...]]:
    """Return what is drawn on a case's image beside the target `but`, and in sentences what could not be used.

    A part is called after its target; each further label of a drawing is a part of its own, with its value behind the
    name. What is drawn but empty has no part: nothing can be pointed at. `whole` is the case's reference image.
    """
    parts: list[Part] = []
    said: list[str] = []
    for target, value in targets.drawings(case, {}).items():
        if target == but:
            continue
        try:
            image = load_mask(value)
        except VesaliusError as error:
            said.append(f"{target} cannot be read: {error}")
            continue
        fault = grids.mask_fault(whole, image)
        if fault is not None:
            said.append(f"{target} has {fault}")
            continue
        values = [int(v) for v in np.unique(image.array) if v]
        if len(values) > MOST:
            said.append(f"{target} has {len(values)} labels, and at most {MOST} are looked at")
            continue
        for v in values:
            bits = (image.array == v).any(axis=0)
            parts.append(Part(target if v in ONE else f"{target}.{v}", bits))
    return tuple(parts), tuple(said)


def pointed(field: Array, part: Part) -> Pointed:
    """Return where a field `(Z, Y, X)` points; NaN is where it says nothing, and what is below 0 speaks against.

    A field without anything above 0 points nowhere: its hit and its share are 0.
    """
    seen = np.isfinite(field)
    centre = np.where(seen, middle(field.shape), np.nan)
    return Pointed(
        part.name,
        *_inside(field, seen, part.bits),
        float(part.bits[seen].mean()) if seen.any() else 0.0,
        *_inside(centre, seen, part.bits),
    )


def _inside(field: Array, seen: Array, bits: Array) -> tuple[float, float]:
    """Return which share of the highest values lies inside, and which share of all that is above 0."""
    for_it = np.where(seen, np.maximum(np.nan_to_num(field), 0), 0).astype(np.float64)
    total = float(for_it.sum())
    if total <= 0:
        return 0.0, 0.0
    return float(bits[for_it == for_it.max()].mean()), float(for_it[bits].sum()) / total
