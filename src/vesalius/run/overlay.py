"""A picture of an answer on its image: contours of a mask on its fullest slice, and the figures beside it."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np

from vesalius.core.answers import Answer
from vesalius.core.answers.boxes import Boxes
from vesalius.core.answers.map import Map
from vesalius.core.answers.mask import Mask
from vesalius.core.answers.scores import Scores
from vesalius.core.disk import write_bytes
from vesalius.core.image import Image
from vesalius.dicom.values.colours import PALETTE
from vesalius.evaluate.pictures import look
from vesalius.prepare.geometry import upright

COLOURS = PALETTE


def overlay(image: Image, answer: Answer, path: Path) -> None:
    """Write a PNG of the answer on its image. Raises OutputError."""
    from matplotlib.figure import Figure

    field = upright(answer.image, image) if isinstance(answer, Mask | Map) else None
    seen = look(upright(image), "", truth=field if isinstance(answer, Mask) else None)
    shown, cut = seen.image, seen.truth
    height, width = shown.shape[:2]
    figure = Figure(figsize=(6, max(2.0, 6 * height * seen.aspect / width)), dpi=120)
    axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
    low, high = seen.window or np.nanpercentile(shown, (0.5, 99.5))
    axes.imshow(shown, cmap="gray", vmin=low, vmax=high, interpolation="nearest", aspect=seen.aspect)
    axes.axis("off")
    if isinstance(answer, Mask) and cut is not None:
        for n, label in enumerate(answer.labels):
            where = cut == label.value
            if where.any():
                colour = label.colour or COLOURS[n % len(COLOURS)]
                if min(where.shape) > 1:  # a line of pixels has no outline
                    axes.contour(where, [0.5], colors=[colour], linewidths=1.4)
                axes.plot([], [], color=colour, label=label.name)
        if axes.get_legend_handles_labels()[0]:
            axes.legend(loc="lower right", fontsize=7, framealpha=0.6)
    elif isinstance(answer, Map) and field is not None:
        axes.imshow(field.array[0, field.shape[0] // 2], cmap="magma", alpha=0.45, aspect=seen.aspect)
    elif isinstance(answer, Boxes):
        for box in answer.boxes:
            y, x = box.low[1], box.low[2]
            axes.plot(
                [x, box.high[2], box.high[2], x, x], [y, y, box.high[1], box.high[1], y], color=COLOURS[0]
            )
    elif isinstance(answer, Scores):
        lines = [f"{x.name}: {p:.2f}" for x, p in zip(answer.labels, answer.p, strict=True)]
        axes.text(
            0.02, 0.98, "\n".join(lines[:8]), transform=axes.transAxes, va="top", color="white", fontsize=8,
            bbox={"facecolor": "black", "alpha": 0.5, "linewidth": 0},
        )  # fmt: skip
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    write_bytes(path, buffer.getvalue())
