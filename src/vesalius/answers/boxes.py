"""Boxes: where things lie in an image, as boxes with labels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from vesalius.answers._asking import number_place
from vesalius.answers.contract import Handling
from vesalius.answers.drawing.lines import Line
from vesalius.answers.drawing.slices import Slice
from vesalius.core.answers.boxes import Boxes
from vesalius.core.ask import Ask
from vesalius.core.case import Box
from vesalius.core.image import Array, Image, Triple
from vesalius.core.marks import Mark
from vesalius.core.palette import BEFORE, colour_of
from vesalius.core.words import counted
from vesalius.prepare.geometry import upright, upright_points

KNOWN_AGAIN = 16  # of the surest boxes
OVERLAP = 0.5  # intersection over union from which a box has found a true one


class BoxesHandling(Handling[Boxes]):
    """What is done with boxes."""

    kind = Boxes
    objects = (".sr.dcm",)
    monailabel = "detection"
    draws = True
    asks = ("box",)

    def columns(self, answer: Boxes) -> dict[str, Any]:
        """Return how many boxes there are, and the highest probability among them."""
        return {"boxes": len(answer.boxes), "highest_p": float(answer.p.max()) if len(answer.boxes) else 0.0}

    def marks(self, answer: Boxes) -> list[Mark]:
        """Return how many boxes there are, and the labels, probabilities and corners of the surest of them."""
        surest = sorted(range(len(answer.boxes)), key=lambda k: -float(answer.p[k]))[:KNOWN_AGAIN]
        chosen = [answer.boxes[k] for k in surest]
        corners = [float(x) for box in chosen for x in (*box.low, *box.high)]
        return [
            Mark("boxes", str(len(answer.boxes))),
            Mark("labels of the surest boxes", ", ".join(box.label for box in chosen)),
            Mark("probabilities of the surest boxes", tuple(float(answer.p[k]) for k in surest)),
            Mark(
                "corners of the surest boxes", tuple(corners), unit=max(map(abs, corners), default=1.0) or 1.0
            ),
        ]

    def lines(self, answer: Boxes) -> list[Line]:
        """Return each box's label, probability and place, the surest first."""
        pairs = sorted(zip(answer.boxes, answer.p, strict=True), key=lambda pair: -float(pair[1]))
        return [
            Line(b.label, f"{float(p):.3f} at z, y, x {_place(b.low)} to {_place(b.high)}", share=float(p))
            for b, p in pairs
        ]

    def shown_by(self, answer: Boxes, image: Image) -> Image | None:
        """Return where the surest box is, so that a slice through it is shown; None without boxes."""
        if not answer.boxes:
            return None
        low, high = _corners(answer.boxes[int(np.argmax(answer.p))], image)
        bits = np.zeros((1, *upright(image).shape), dtype=np.uint8)
        first = np.clip(np.floor(low), 0, None).astype(int)
        bits[0][tuple(slice(a, math.ceil(b)) for a, b in zip(first, high, strict=True))] = 1
        return Image(bits)

    def draw(self, axes: Any, answer: Boxes, image: Image, shown: Slice) -> None:
        """Draw the outline of every box that the slice cuts, in the colour of its label."""
        colours = {label.name: colour_of(label, k) for k, label in enumerate(answer.labels)}
        for box in answer.boxes:
            (bottom, y, x), (top, down, across) = _corners(box, image)
            if bottom < shown.z + 1 and top > shown.z:
                outline = [x, across, across, x, x], [y, y, down, down, y]
                axes.plot(*outline, color=colours.get(box.label, BEFORE[0]))

    def ask(self, answer: Boxes, of: str, which: str | None) -> Ask:
        """Return the k-th box; by default the surest."""
        surest = int(np.argmax(answer.p)) if len(answer.p) else 0
        place = number_place(which, len(answer.boxes), what=of, default=surest)
        box = answer.boxes[place]
        label = next((k for k, x in enumerate(answer.labels) if x.name == box.label), None)
        return Ask(
            of, place, words=f"box {place + 1}, {box.label}", box=np.array([box.low, box.high]), label=label
        )

    def placed(self, answer: Boxes, low: Sequence[int], reference: Image) -> Boxes:
        """Return the boxes moved by the place at which the part began."""
        return replace(
            answer,
            boxes=tuple(replace(b, low=_moved(b.low, low), high=_moved(b.high, low)) for b in answer.boxes),
        )

    def rate(self, answer: Boxes, truth: Any, measured: Any) -> tuple[float, str]:
        """Return the F1 score of one case: true boxes of the same label that a box overlaps by half, the surest first.

        The score is 1 where there is nothing and nothing was found.
        """
        left: list[Box] = list(truth)
        for k in np.argsort(-np.asarray(answer.p), kind="stable"):
            box = answer.boxes[int(k)]
            best = max(left, key=lambda other: overlap(box, other), default=None)
            if best is not None and overlap(box, best) >= OVERLAP:
                left.remove(best)
        found = len(truth) - len(left)
        every = len(truth) + len(answer.boxes)
        false = len(answer.boxes) - found
        caption = f"{found} of {counted(len(truth), 'box', 'boxes')} found, {false} false"
        return (2 * found / every if every else 1.0), caption


def overlap(one: Box, other: Box) -> float:
    """Return the intersection of two boxes over their union; 0 where their labels differ."""
    if one.label != other.label:
        return 0.0
    inside = [
        max(min(b, d) - max(a, c), 0)
        for a, b, c, d in zip(one.low, one.high, other.low, other.high, strict=True)
    ]
    both = float(np.prod(inside))
    sizes = [float(np.prod(np.subtract(box.high, box.low))) for box in (one, other)]
    return both / (sum(sizes) - both) if both else 0.0


def _place(corner: Triple) -> str:
    return ", ".join(f"{v:.4g}" for v in corner)


def _corners(box: Box, image: Image) -> tuple[Array, Array]:
    """Return the low and the high corner of a box, `(z, y, x)`, in the image as it is shown upright."""
    corners = upright_points(np.array([box.low, box.high]), image)
    return corners.min(axis=0), corners.max(axis=0)


def _moved(corner: Triple, by: Sequence[int]) -> Triple:
    return (corner[0] + by[0], corner[1] + by[1], corner[2] + by[2])


HANDLING = BoxesHandling()
