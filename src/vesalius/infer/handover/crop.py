"""The part of the image around what the earlier stage found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import ClassVar

import numpy as np

from vesalius.answers import contract as answers
from vesalius.answers.contract import Handling
from vesalius.core.case import IGNORED, Box, Case, InstanceMask, Ref, Target
from vesalius.core.errors import BundleError
from vesalius.core.image import Array, Image
from vesalius.core.parts import boxes_in, image_in
from vesalius.formats import read_ids
from vesalius.infer.cropping import Corner, bounds, crop_case, with_margin
from vesalius.infer.handover.contract import Given, Handover, Said, Takes
from vesalius.prepare.case import load_mask, load_reference
from vesalius.tasks.contract import Task


class Crop(Handover):
    """What is kept is the box of what was found, `(2, 3)`: its low and its high corner `(z, y, x)`."""

    part: ClassVar[bool] = True
    truth: ClassVar[bool] = True

    def fault(self, task: Task) -> str | None:
        """Return that the stage learns no place, of a kind of answer that does not say where something is."""
        return "learns no place" if type(answers.of(task.answer.__name__)).found is Handling.found else None

    def kept(self, said: Said, name: str) -> Array:
        """Return the box of what the answer says that something is."""
        where = answers.of(said.answer).found(said.answer)
        if where is None:
            kind = type(said.answer).__name__
            raise BundleError(f"the stage '{name}' finds no place to crop to", found=f"a {kind}")
        return np.array(bounds(where), dtype=np.int64)

    def of_truth(self, case: Case, reference: Image, target: str | None) -> Array | None:
        """Return the box of what is drawn; what nobody knows is not in it."""
        item = case.targets.get(target or "")
        if isinstance(item, Ref | Image):
            mask = load_mask(item).array[0]
            return np.array(bounds((mask != 0) & (mask != IGNORED)), dtype=np.int64)
        if isinstance(item, InstanceMask):
            return np.array(bounds(read_ids(item).array[0] != 0), dtype=np.int64)
        return None

    def given(self, given: Given, kept: Array, *, name: str, takes: Takes, target: str | None) -> Given:
        """Return the part of the case in the box and a margin; what it learns of the case is cut alike."""
        low, high = with_margin(
            [int(v) for v in kept[0]], [int(v) for v in kept[1]], given.reference, float(takes["margin_mm"])
        )
        case = crop_case(given.case, given.reference, low, high)
        case = replace(case, targets=_targets(given.case.targets, target, low, high))
        return replace(given, case=case, reference=load_reference(case), low=low)

    def blank(self, reference: Image, width: int) -> Array:
        """Return a box without extent, which stands for all of the image."""
        return np.zeros((2, 3), dtype=np.int64)


def _targets(
    targets: Mapping[str, Target], target: str | None, low: Corner, high: Corner
) -> dict[str, Target]:
    """Return a case's targets, of which the one that is learned is cut to a box."""
    found = dict(targets)
    own = found.get(target or "")
    if isinstance(own, Ref | Image):
        found[target or ""] = image_in(load_mask(own), low, high)
    elif isinstance(own, InstanceMask):
        found[target or ""] = replace(own, ids=image_in(read_ids(own), low, high))
    elif isinstance(own, tuple):
        boxes = [b for b in own if isinstance(b, Box)]
        found[target or ""] = boxes_in(boxes, low, high) if len(boxes) == len(own) else own
    return found


HANDOVER = Crop()
