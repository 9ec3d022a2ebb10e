"""A picture of an answer on its image: what its kind draws, such as contours, boxes or probabilities, on one slice."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from vesalius.answers import contract
from vesalius.answers.drawing import planes
from vesalius.answers.drawing.slices import Slice, look
from vesalius.core.answers import Answer
from vesalius.core.disk import write_bytes
from vesalius.core.image import Array, Image
from vesalius.prepare.geometry import upright

LONGEST = 480  # pixels of the longer side of a layer


def overlay(image: Image, answer: Answer, path: Path) -> None:
    """Write a PNG of the answer on its image; of a kind that draws nothing, of its parts. Raises OutputError."""
    write_bytes(path, overlay_png(image, answer))


def overlay_png(image: Image, answer: Answer) -> bytes:
    """Return a PNG of the answer on its image; of a kind that draws nothing, of its parts."""
    from matplotlib.figure import Figure

    shown = look(upright(image), "", truth=_field(answer, image))
    height, width = shown.image.shape[:2]
    figure = Figure(figsize=(6, max(2.0, 6 * height * shown.aspect / width)), dpi=120)
    axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
    low, high = shown.window or np.nanpercentile(shown.image, (0.5, 99.5))
    axes.imshow(
        shown.image, cmap="gray", vmin=low, vmax=high, interpolation="nearest", aspect=shown.aspect,
        extent=planes.extent(shown.image),
    )  # fmt: skip
    axes.axis("off")
    _draw(axes, answer, image, shown)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()


def with_layer(
    answer: Answer, image: Image, *, title: str, caption: str, truth: Any | None = None, z: int | None = None
) -> Slice:
    """Return the slice that the answer's kind chooses, or `z`, and over it what the kind draws there, as its own layer.

    Of a kind that draws nothing its parts are drawn; where these draw nothing either, the slice has no layer. `truth`
    is drawn beside the answer by a kind that draws truths.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    handling = contract.of(answer)
    field = None if truth is None else handling.shown_beside(answer, truth, image)
    field = _field(answer, image) if field is None else field
    shown = replace(look(upright(image), title, caption=caption, truth=field, z=z), truth=None)
    if not any(True for _ in contract.drawable(answer)):
        return shown
    height, width = shown.image.shape[0] * shown.aspect, shown.image.shape[1]
    scale = LONGEST / max(height, width) / 100
    figure = Figure(figsize=(max(width * scale, 0.6), max(height * scale, 0.6)), dpi=100)
    figure.patch.set_alpha(0.0)
    axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
    axes.set_aspect("auto")
    axes.axis("off")
    _draw(axes, answer, image, shown)
    if truth is not None:
        handling.draw_truth(axes, truth, image, shown)
    canvas: Any = FigureCanvasAgg(figure)
    canvas.draw()
    return replace(shown, layer=np.array(canvas.buffer_rgba()))


def telling(earlier: Answer, later: Answer, image: Image, within: Array | None = None) -> int:
    """Return the slice, upright, on which two answers on one image differ most, or which is the fullest.

    What does not lie `within` `(Z, Y, X)` of the image is not looked at.
    """
    fields = [_field(one, image) for one in (earlier, later)]
    if within is not None:
        seen = upright(replace(image, array=within[None], times_s=None), image).array
        fields = [None if f is None else replace(f, array=np.where(seen, f.array, 0)) for f in fields]
    return look(upright(image), "", truth=fields[0], answer=fields[1]).z


def _field(answer: Answer, image: Image) -> Image | None:
    """Return the labels by which a slice is chosen, of the first that has any."""
    fields = (contract.of(one).shown_by(one, image) for one in contract.drawable(answer))
    return next((f for f in fields if f is not None), None)


def _draw(axes: Any, answer: Answer, image: Image, shown: Slice) -> None:
    for one in contract.drawable(answer):
        contract.of(one).draw(axes, one, image, shown)
    planes.fit(axes, shown.image)
