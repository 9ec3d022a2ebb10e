"""Pictures of cases that something is proposed about: the case, the other one beside it, or the region of its mask."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from vesalius.answers.drawing.pictures import picture
from vesalius.answers.drawing.slices import look
from vesalius.core.case import Case, Ref
from vesalius.core.cohort import Cohort
from vesalius.core.errors import VesaliusError
from vesalius.core.image import Image
from vesalius.prepare.case import load_mask, load_reference
from vesalius.prepare.geometry import upright
from vesalius.reliability.mask_errors import BACKGROUND
from vesalius.run.cleaning.proposals import Proposal

DOUBTED = "given, and doubted"
COLOUR = "#ff5c39"


@dataclass(frozen=True)
class Pictured:
    """A picture of a case as a data address, and what is said under it."""

    case: str
    caption: str
    src: str


def pictured(proposal: Proposal, cohort: Cohort) -> tuple[Pictured, ...]:
    """Return the case of a proposal, and the one that it is the same as; nothing of a case that cannot be shown."""
    names = [proposal.case, *([proposal.same_as] if proposal.same_as else [])]
    found = []
    for name in names:
        try:
            case = cohort.case(name)
            found.append(_of(case, proposal if name == proposal.case else None, cohort))
        except (VesaliusError, OSError):
            continue
    return tuple(found)


def _of(case: Case, proposal: Proposal | None, cohort: Cohort) -> Pictured:
    image = load_reference(case)
    if image.times_s is not None:
        image = replace(image, array=image.array[0], times_s=None)
    region = None if proposal is None else _region(case, proposal, cohort)
    if region is not None:
        mask, z = region
        plane = _plane(image, z)
        shown = look(upright(plane), "", answer=upright(_plane(mask, z), plane))
        views = picture(shown, {DOUBTED: 1}, {DOUBTED: COLOUR})["views"]
        return Pictured(case.id, f"slice {z}", views[-1]["src"])
    views = picture(look(upright(image), ""), {}, {})["views"]
    return Pictured(case.id, "", views[-1]["src"])


def _region(case: Case, proposal: Proposal, cohort: Cohort) -> tuple[Image, int] | None:
    """Return a mask of 1 where the doubted label lies in the box of a proposal, and the slice with most of that.

    None of a proposal about the whole case, or of a label whose value is not known without decoding all masks.
    """
    corners = [int(v) for v in proposal.place.split(",") if v.isdigit()]
    target = case.targets.get(proposal.target)
    if len(corners) != 6 or not isinstance(target, Ref | Image):
        return None
    values = {x.name: x.value for x in cohort.targets[proposal.target].labels}
    value = 0 if proposal.was == BACKGROUND else values.get(proposal.was)
    if value is None:
        return None
    mask = load_mask(target)
    box = tuple(slice(a, b) for a, b in zip(corners[:3], corners[3:], strict=True))
    array = np.zeros(mask.array.shape, dtype=np.uint8)
    array[0][box] = mask.array[0][box] == value
    return replace(mask, array=array), corners[0] + int(array[0][box].sum(axis=(1, 2)).argmax())


def _plane(image: Image, z: int) -> Image:
    """Return one slice of an image, on the affine of that slice."""
    affine = image.affine
    if affine is not None:
        affine = affine.copy()
        affine[:3, 3] += affine[:3, 2] * z
    return replace(image, array=image.array[:, z : z + 1], affine=affine)
