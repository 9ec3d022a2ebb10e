"""How much the labels of a mask, or the things of a label, changed in size between two visits."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from vesalius.answers._followed import components, followed
from vesalius.core.answers import Answer
from vesalius.core.cohort import Label
from vesalius.core.growth import (
    Changed,
    Errors,
    Growth,
    Part,
    Reach,
    by_errors,
    by_opinions,
    errors_of,
    first_known,
)
from vesalius.core.image import Array, Image
from vesalius.core.palette import colour_of
from vesalius.core.words import counted, listed
from vesalius.prepare.between import Between

UNITS = {"ml": "ml", "mm2": "mm²", "pixels": "pixels"}
KEYS = {"ml": "ml", "mm2": "mm2", "pixels": "px"}  # as a scorecard calls them
QUANTITIES = {"ml": "volume", "mm2": "area", "pixels": "size"}
OUTSIDE = 0.005  # of a label that may lie where the other visit shows nothing


@dataclass(frozen=True, eq=False)
class Side:
    """A label at one visit: where it is, `(Z, Y, X)` of bits, and what one voxel is in the unit of sizes."""

    bits: Array
    each: float

    def size(self, within: Array | None = None) -> float:
        """Return its size, or that of what lies within some voxels."""
        count = int(np.count_nonzero(self.bits if within is None else self.bits & within))
        return round(count * self.each, 4)

    def outside(self, within: Array) -> float:
        """Return which share of it does not lie within some voxels."""
        whole = int(np.count_nonzero(self.bits))
        return 0.0 if not whole else 1 - np.count_nonzero(self.bits & within) / whole


def labels_of(earlier: Sequence[Label], later: Sequence[Label]) -> list[Label]:
    """Return the labels of both answers, in the order of the later one's."""
    known = {label.name for label in later}
    return [*later, *(label for label in earlier if label.name not in known)]


def grown(
    labels: Sequence[Label],
    sides: Callable[[str], tuple[Side, Side]],
    between: Between,
    *,
    unit: tuple[str, str],
    answers: tuple[Answer, Answer],
) -> Changed:
    """Return how much each label grew. `sides` gives a label at both visits, `unit` is that of sizes at each.

    A label that the field of view cuts off, or that lies in part where the other visit shows nothing, is measured
    within what both show; where nobody knows what that is, its change cannot be told.
    """
    if unit[0] != unit[1]:
        said = f"sizes are in {UNITS[unit[0]]} at the earlier visit and in {UNITS[unit[1]]} at the later one"
        return Changed(notes=(f"{said}: they cannot be compared",))
    shared = between.shared() if between.placed else None
    growths, partly = [], []
    for place, label in enumerate(labels):
        one, two = sides(label.name)
        sizes, whole, fault = (one.size(), two.size()), None, ""
        if not between.same and _is_cut(one, two, shared):
            if shared is None:
                fault = "the field of view cuts it off, and the images are not registered"
            else:
                whole, sizes = sizes, (one.size(shared[0]), two.size(shared[1]))
                partly.append(label.name)
                if max(sizes) == 0:
                    fault = "it lies where the other visit shows nothing"
        reach, others = first_known(_known(label.name, *sizes, unit[0], between, answers))
        growths.append(
            Growth(
                label.name, QUANTITIES[unit[0]], UNITS[unit[0]], *sizes, reach, others, fault, between.same,
                colour=colour_of(label, place), whole=whole,
            )
        )  # fmt: skip
    said = f"the field of view cuts off {listed(partly, 8)}: compared is what both visits show of it"
    return Changed(tuple(growths), notes=(said,) if partly else ())


def _is_cut(one: Side, two: Side, shared: tuple[Array, Array] | None) -> bool:
    """Return whether a label reaches an edge of either image, or lies where the other visit shows nothing."""
    if cut_off(one.bits) or cut_off(two.bits):
        return True
    return shared is not None and max(one.outside(shared[0]), two.outside(shared[1])) > OUTSIDE


def parts_of(
    name: str, earlier: Array, later: Array, between: Between, *, unit: str, each: tuple[float, float]
) -> tuple[list[Part], str]:
    """Return what became of a label's parts, and what is to be said of them. `earlier`, `later` hold a number a part.

    What lies where the other visit shows nothing is left out: nobody knows what became of it.
    """
    if not between.placed:
        return [], ""
    shared = between.shared()
    lost = sum(len(set(np.unique(ids)) - set(np.unique(ids[seen])) - {0}) for ids, seen in
               ((earlier, shared[0]), (later, shared[1])))  # fmt: skip
    earlier, later = (np.where(seen, ids, 0) for ids, seen in ((earlier, shared[0]), (later, shared[1])))
    unseen = (
        f"{name}: {counted(lost, 'part lies', 'parts lie')} where the other visit shows nothing"
        if lost
        else ""
    )
    carried = between.carried(Image(earlier[None].astype(np.int32))).array[0]
    found = followed(earlier, later, carried, label=name, unit=UNITS[unit], each=each)
    if found is None:
        return [], f"{name}: too many parts to be followed one by one"
    return found, unseen


def parts_of_bits(
    name: str, sides: tuple[Side, Side], between: Between, *, unit: str
) -> tuple[list[Part], str]:
    """Return what became of a label's connected parts, where it has several at one visit at least."""
    one, two = (components(side.bits) for side in sides)
    if max(int(one.max()), int(two.max())) < 2:
        return [], ""
    return parts_of(name, one, two, between, unit=unit, each=(sides[0].each, sides[1].each))


def cut_off(bits: Array) -> bool:
    """Return whether something reaches an edge of its image, on an axis that has more than one plane."""
    return any(bool(np.take(bits, [0, -1], axis=axis).any()) for axis in range(3) if bits.shape[axis] > 1)


def unregistered(between: Between, what: str) -> tuple[str, ...]:
    """Return that single parts were not followed, where the images are not registered."""
    return () if between.placed else (f"{what} are not followed one by one: {between.registration.why}",)


def _known(
    name: str, earlier: float, later: float, unit: str, between: Between, answers: tuple[Answer, Answer]
) -> list[Reach | None]:
    if between.same:
        return []
    return [
        by_test(errors_in(between, name, unit), earlier, later),
        by_doubts(f"{name}_{unit}_sd", earlier, later, answers),
    ]


def by_test(errors: Errors | None, earlier: float, later: float) -> Reach | None:
    """Return the bounds that a test split's errors give; None without any."""
    return None if errors is None else by_errors(earlier, later, errors)


def by_doubts(figure: str, earlier: float, later: float, answers: tuple[Answer, Answer]) -> Reach | None:
    """Return the bounds that both answers' doubts give by a figure of theirs; None where either has none."""
    doubts = [answer.doubt for answer in answers]
    found = [doubt.figures.get(figure) for doubt in doubts if doubt is not None]
    if len(found) != 2 or found[0] is None or found[1] is None or doubts[0] is None:
        return None
    return by_opinions(
        earlier, later, (float(found[0]), float(found[1])), way=doubts[0].way, samples=doubts[0].samples
    )


def errors_in(between: Between, name: str, unit: str) -> Errors | None:
    """Return how far the model's sizes of a label are off, by its scorecard; None where that does not say it."""
    sizes: Mapping[str, Any] = {} if between.card is None else between.card.clinical.get("sizes", {})
    found = sizes.get(name)
    return errors_of(found, between.card) if found is not None and found.get("unit") == KEYS[unit] else None


def lacking(between: Between, growths: Sequence[Growth]) -> tuple[str, ...]:
    """Return of what nothing says how far it is off, in a sentence."""
    names = [g.name for g in growths if g.reach is None and not g.same and (g.earlier or g.later)]
    if not names:
        return ()
    why = (
        "the bundle has no scorecard of its own" if between.card is None else "its test split does not say it"
    )
    return (
        f"nothing says how far sizes of {listed(names, 6)} are off, so that no change can be told: {why}",
    )
