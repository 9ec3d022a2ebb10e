"""A picture of an answer on its image: what its kind draws, such as contours, boxes or probabilities, on one slice."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np

from vesalius.answers import contract
from vesalius.answers.drawing.slices import look
from vesalius.core.answers import Answer
from vesalius.core.disk import write_bytes
from vesalius.core.image import Image
from vesalius.prepare.geometry import upright


def overlay(image: Image, answer: Answer, path: Path) -> None:
    """Write a PNG of the answer on its image; of a kind that draws nothing, of its parts. Raises OutputError."""
    write_bytes(path, overlay_png(image, answer))


def overlay_png(image: Image, answer: Answer) -> bytes:
    """Return a PNG of the answer on its image; of a kind that draws nothing, of its parts."""
    from matplotlib.figure import Figure

    drawn = list(contract.drawable(answer))
    fields = (contract.of(one).shown_by(one, image) for one in drawn)
    shown = look(upright(image), "", truth=next((f for f in fields if f is not None), None))
    height, width = shown.image.shape[:2]
    figure = Figure(figsize=(6, max(2.0, 6 * height * shown.aspect / width)), dpi=120)
    axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
    low, high = shown.window or np.nanpercentile(shown.image, (0.5, 99.5))
    axes.imshow(shown.image, cmap="gray", vmin=low, vmax=high, interpolation="nearest", aspect=shown.aspect)
    axes.axis("off")
    for one in drawn:
        contract.of(one).draw(axes, one, image, shown)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()
