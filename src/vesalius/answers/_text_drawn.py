"""Where a text's sentences looked, drawn on the image: the number of each at its place, in the colour of its mark."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from vesalius.answers._text_words import sentences_of
from vesalius.answers.drawing import planes
from vesalius.answers.drawing.slices import Slice
from vesalius.core import palette
from vesalius.core.answers import ImageAnswer
from vesalius.core.answers.text import Text
from vesalius.core.image import Array, Image
from vesalius.prepare.geometry import upright

MOST = 4  # sentences that are drawn at once
MUCH = 0.7  # of the way from its lowest to its highest value, from which on a sentence looked there
BORNE_OUT, DOUBTED, UNTOLD = palette.SERIES[1], palette.SERIES[3], palette.SERIES[6]


@dataclass(frozen=True, eq=False)
class Look:
    """Where one sentence looked: its number from 1 on, its field on the image's grid, and the colour of its mark."""

    number: int
    field: Image
    colour: str


def has_looks(answer: Text) -> bool:
    """Return whether some sentence says where it looked."""
    return any(True for _ in _fields(answer))


def looks(answer: Text, image: Image) -> list[Look]:
    """Return where sentences looked, at most `MOST` of them: first those that say that something is there."""
    every = [
        (not says, Look(number, _on(part.image, image), colour))
        for number, part, colour, says in _fields(answer)
    ]
    return [look for _, look in sorted(every, key=lambda one: one[0])][:MOST]


def shown_by(answer: Text, image: Image) -> Image | None:
    """Return where sentences looked as labels, upright as the image is shown; None where none says it."""
    found = looks(answer, image)
    if not found:
        return None
    bits = np.zeros((1, *image.shape), np.uint8)
    for one in found:
        bits |= _near(one.field.array)
    return upright(replace(image, array=bits, times_s=None), image)


def draw(axes: Any, answer: Text, image: Image, shown: Slice) -> None:
    """Draw the outline of where each sentence looked on this slice, and its number where it looked most."""
    for one in looks(answer, image):
        field = upright(one.field, image).array[0]
        bits = _near(field)[shown.z]
        if not bits.any():
            continue
        planes.outline(axes, bits, one.colour, width=1.2)
        y, x = np.unravel_index(int(np.argmax(np.where(bits, field[shown.z], -np.inf))), bits.shape)
        axes.text(
            float(x) + 0.5,
            float(y) + 0.5,
            str(one.number),
            color=one.colour,
            fontsize=22,
            fontweight="bold",
            ha="center",
            va="center",
            bbox={"facecolor": "black", "alpha": 0.55, "pad": 1.0, "edgecolor": "none"},
        )


def _fields(answer: Text) -> Iterator[tuple[int, ImageAnswer, str, bool]]:
    """Yield of each sentence that looked somewhere its number, its field, its colour, and whether it claims a thing."""
    for number, (_, _, _, evidence) in enumerate(sentences_of(answer), start=1):
        part = None if evidence is None else answer.parts.get(evidence.part)
        if evidence is None or not isinstance(part, ImageAnswer):
            continue
        colours = {True: BORNE_OUT, False: DOUBTED, None: UNTOLD}
        says = any(f.status in ("present", "uncertain") for f in evidence.findings)
        yield number, part, colours[evidence.supported], says


def _near(field: Array) -> Array:
    """Return where a field is nearly as high as at its highest; nowhere where it is flat or says nothing."""
    known = np.nan_to_num(np.asarray(field, dtype=np.float64), nan=0.0)
    low, high = float(known.min()), float(known.max())
    found: Array = known >= low + MUCH * (high - low) if high > low else np.zeros(known.shape, bool)
    return found


def _on(field: Image, image: Image) -> Image:
    """Return a field on the image's grid, each point that of the coarser cell in which it lies."""
    array = np.asarray(field.array[:1])
    for axis, (many, wanted) in enumerate(zip(array.shape[1:], image.shape, strict=True), start=1):
        array = np.take(array, (np.arange(wanted) * many) // wanted, axis=axis)
    return replace(image, array=array, times_s=None, unit=None)
