"""Boxes drawn on a slice: called ones with their label and probability, true ones in dashes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from vesalius.answers.drawing.slices import Slice
from vesalius.core import palette
from vesalius.core.answers.boxes import Boxes
from vesalius.core.called import called_by
from vesalius.core.case import Box
from vesalius.core.image import Array, Image
from vesalius.core.palette import BEFORE, colour_of
from vesalius.prepare.geometry import upright, upright_points

WORDED = 12  # boxes on a slice that each have their words; of more there is a legend
NEAR_EDGE = 0.06  # of an image's height, within which there is no room above a box
RIM = "#000000"


def colours(answer: Boxes) -> dict[str, str]:
    """Return the colour of each label by its name."""
    return {label.name: colour_of(label, k) for k, label in enumerate(answer.labels)}


def corners(box: Box, image: Image) -> tuple[Array, Array]:
    """Return the low and the high corner of a box, `(z, y, x)`, in the image as it is shown upright."""
    points = upright_points(np.array([box.low, box.high]), image)
    return points.min(axis=0), points.max(axis=0)


def reached(boxes: Sequence[Box], image: Image) -> Image:
    """Return through which slices of the upright image each box reaches, as bits `(1, Z, 1, N)`."""
    bits = np.zeros((1, upright(image).shape[0], 1, max(len(boxes), 1)), dtype=np.uint8)
    for n, box in enumerate(boxes):
        (bottom, *_), (top, *_) = corners(box, image)
        bits[0, max(0, int(np.floor(bottom))) : int(np.ceil(top)), 0, n] = 1
    return Image(bits)


def draw(axes: Any, answer: Boxes, image: Image, shown: Slice) -> None:
    """Draw the called boxes that the slice cuts, in the colour of their label, with words or, of many, a legend."""
    cut = [(k, _cut(answer.boxes[k], image, shown)) for k in answer.called]
    there = [(k, found) for k, found in cut if found is not None]
    own, nice = colours(answer), called_by([x.name for x in answer.labels])
    for k, place in reversed(there):  # the surest last, over the others
        label = answer.boxes[k].label
        colour = own.get(label, BEFORE[0])
        _outline(axes, place, RIM, width=2.6, alpha=0.5)
        _outline(axes, place, colour, width=1.4)
        if len(there) <= WORDED:
            text = f"{nice.get(label, label)} {float(answer.p[k]):.2f}"
            _words(axes, place, text, colour, height=shown.image.shape[0])
    if len(there) > WORDED:
        _legend(axes, [answer.boxes[k].label for k, _ in there], own, nice)


def draw_truth(axes: Any, truth: Sequence[Box], image: Image, shown: Slice) -> None:
    """Draw the true boxes that the slice cuts: white dashes on a dark rim, crowds in white dots."""
    for box in truth:
        place = _cut(box, image, shown)
        if place is not None:
            _outline(axes, place, RIM, width=1.9, alpha=0.55)
            _outline(axes, place, palette.TRUTH, width=1.1, style=(0, (1, 2)) if box.crowd else (0, (3, 2.2)))


def _cut(box: Box, image: Image, shown: Slice) -> tuple[float, float, float, float] | None:
    """Return left, top, right and bottom of a box on a slice; None where that does not cut it."""
    (bottom, y, x), (top, down, across) = corners(box, image)
    if bottom < shown.z + 1 and top > shown.z:
        return float(x), float(y), float(across), float(down)
    return None


def _outline(
    axes: Any,
    place: tuple[float, float, float, float],
    colour: str,
    *,
    width: float,
    style: Any = "-",
    alpha: float = 1.0,
) -> None:
    left, top, right, bottom = place
    axes.plot(
        [left, right, right, left, left], [top, top, bottom, bottom, top],
        color=colour, lw=width, ls=style, alpha=alpha, solid_joinstyle="miter",
    )  # fmt: skip


def _words(
    axes: Any, place: tuple[float, float, float, float], text: str, colour: str, *, height: int
) -> None:
    """Write on the box's upper edge, or, where that is the image's own, on its lower one."""
    left, top, _, bottom = place
    inside = top < height * NEAR_EDGE
    axes.annotate(
        text, (max(left, 0), bottom if inside else top), xytext=(1, -2 if inside else 2), textcoords="offset points",
        color=_ink_on(colour), fontsize=6.5, va="top" if inside else "bottom", annotation_clip=False, clip_on=True,
        bbox={"facecolor": colour, "alpha": 0.85, "lw": 0, "pad": 0.8},
    )  # fmt: skip


def _ink_on(colour: str) -> str:
    """Return black or white, whichever is read more easily on a colour `#rrggbb` (WCAG's relative luminance)."""
    parts = [int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)]
    red, green, blue = (v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in parts)
    return "#000000" if 0.2126 * red + 0.7152 * green + 0.0722 * blue > 0.179 else "#ffffff"


def _legend(axes: Any, labels: Sequence[str], own: Mapping[str, str], nice: Mapping[str, str]) -> None:
    for label in dict.fromkeys(labels):
        text = f"{nice.get(label, label)} ({labels.count(label)})"
        axes.plot([], [], color=own.get(label, BEFORE[0]), label=text)
    axes.legend(loc="lower right", fontsize=7, framealpha=0.6)
