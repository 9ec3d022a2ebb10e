"""Looking at one picture of a case of several sources: which image a map is of, which frame, and its way back."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from vesalius.core.case import Case
from vesalius.core.image import Image
from vesalius.explain.methods.frames import losses
from vesalius.explain.parts import PartQuestion
from vesalius.explain.question import Seen
from vesalius.infer.predictor import Asked, Predictor
from vesalius.prepare.sources import image_of, steps_of_reference

MOST = 32  # stretches of frames that are left out to find the frame that counts most


@dataclass(frozen=True, eq=False)
class Picture:
    """What a map is drawn on: which picture of the prepared case, and the case asked with that image as its reference.

    `given.reference` is one still picture. `words` say which it is.
    """

    seen: Seen
    given: Asked
    words: str


def source_of(method: str) -> tuple[str, str | None]:
    """Return the method and the source that a name such as `occlusion@xray` says; None where it names no source."""
    name, parted, source = method.partition("@")
    return name, source if parted else None


def picture_of(
    predictor: Predictor, case: Case, given: Asked, source: str | None, parts: PartQuestion
) -> Picture | str:
    """Return the picture that maps of a source are of, or in a sentence why there is none.

    Of an image with several frames it is the frame without which the answer loses most (or gains most, where the case
    speaks against what is asked).
    """
    plan, images = given.members.plan, given.example.images
    if not images:
        return "the case has no image, on which a map could lie"
    if source is None:
        held = (n for n in images if image_of(case, n, plan.data, plan.sources) == case.reference)
        source = next(held, next(iter(images)))
    if source not in images:
        return f"the case has no image '{source}'"
    own = image_of(case, source, plan.data, plan.sources)
    if own is None:
        return f"'{source}' has images of earlier visits alone, and a map lies on one of this visit"
    if own != case.reference:
        given = predictor.accepting.asked(replace(case, reference=own))
        case = replace(case, reference=own)
    array = images[source]
    if array.ndim == 4:
        return Picture(Seen(source), _still(given, 0), source)
    places = steps_of_reference(
        case, source, plan.data, plan.sources, reference=given.reference, total=len(array)
    )
    if not places:
        return f"no frame of '{source}' is of this visit"
    step = next(iter(places))
    if len(places) > 1:
        step = max(places, key=dict(enumerate(_counts(parts, source))).__getitem__)
    words = parts.called(source)[step] if source in parts.steps else ""
    return Picture(Seen(source, step), _still(given, places[step]), f"{source}, {words}" if words else source)


def _counts(parts: PartQuestion, source: str) -> list[float]:
    """Return how much each step moves the answer toward what it is."""
    lost = losses(parts, source, most=MOST)
    whole, nothing = parts.each([{}, {source: np.array(True)}])
    return [float(x) if whole >= nothing else -float(x) for x in lost]


def _still(given: Asked, frame: int) -> Asked:
    """Return the same with one frame as its reference."""
    image: Image = given.reference
    if image.times_s is not None:
        image = replace(image, array=image.array[frame], times_s=None)
    return replace(given, reference=image, whole=image)
