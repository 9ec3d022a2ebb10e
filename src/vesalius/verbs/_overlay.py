"""A picture of an answer on its image: contours of a mask on its fullest slice, and the figures beside it."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np

from vesalius.core.answer import Answer, Boxes, Map, Mask, Scores
from vesalius.core.disk import write_bytes
from vesalius.core.image import Array, Image
from vesalius.prepare.case import frame
from vesalius.prepare.geometry import orientation, turn

COLOURS = (
    "#e6550d",
    "#3182bd",
    "#31a354",
    "#c51b8a",
    "#fdae6b",
    "#9ecae1",
    "#a1d99b",
    "#fa9fb5",
    "#756bb1",
    "#636363",
)


def plane(image: Image, mask: Array | None = None, *, canonical: Image | None = None) -> tuple[Array, int]:
    """One axial slice `(Y, X)` or `(Y, X, 3)` in [0, 1], head up in canonical axes, and its number.

    The slice is the one with most of `mask` `(Z, Y, X)`, or the middle one.
    """
    order, flips = orientation(image.affine)
    array = turn(frame(image), order, flips)
    k = array.shape[1] // 2
    if mask is not None and mask.any():
        k = int(turn(mask != 0, order, flips).sum(axis=(1, 2)).argmax())
    shown = array[:, k].astype(np.float32)
    low, high = np.nanpercentile(shown, (0.5, 99.5))
    shown = np.clip((np.nan_to_num(shown) - low) / max(float(high - low), 1e-6), 0, 1)
    return (np.moveaxis(shown[:3], 0, -1) if shown.shape[0] >= 3 else shown[0]), k


def mask_plane(image: Image, mask: Array, k: int) -> Array:
    """Slice `k` of a mask `(Z, Y, X)` in the same axes as `plane`."""
    order, flips = orientation(image.affine)
    cut: Array = turn(mask, order, flips)[k]
    return cut


def overlay(image: Image, answer: Answer, path: Path) -> None:
    """Write a PNG of the answer on its image. Raises OutputError."""
    from matplotlib.figure import Figure

    mask = answer.image.array[0] if isinstance(answer, Mask) else None
    shown, k = plane(image, mask)
    height, width = shown.shape[:2]
    figure = Figure(figsize=(6, max(2.0, 6 * height / width)), dpi=120)
    axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
    axes.imshow(shown, cmap="gray", interpolation="nearest")
    axes.axis("off")
    if isinstance(answer, Mask) and mask is not None:
        cut = mask_plane(image, mask, k)
        for n, label in enumerate(answer.labels):
            where = cut == label.value
            if where.any():
                colour = label.colour or COLOURS[n % len(COLOURS)]
                axes.contour(where, [0.5], colors=[colour], linewidths=1.4)
                axes.plot([], [], color=colour, label=label.name)
        axes.legend(loc="lower right", fontsize=7, framealpha=0.6)
    elif isinstance(answer, Map):
        cut = mask_plane(image, answer.image.array[0], k)
        axes.imshow(cut, cmap="magma", alpha=0.45)
    elif isinstance(answer, Boxes):
        for box in answer.boxes:
            y, x = box.low[1], box.low[2]
            axes.plot(
                [x, box.high[2], box.high[2], x, x], [y, y, box.high[1], box.high[1], y], color=COLOURS[0]
            )
    elif isinstance(answer, Scores):
        lines = [f"{x.name}: {p:.2f}" for x, p in zip(answer.labels, answer.p, strict=True)]
        axes.text(
            0.02, 0.98, "\n".join(lines[:8]), transform=axes.transAxes, va="top", color="white", fontsize=8
        )
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    write_bytes(path, buffer.getvalue())
