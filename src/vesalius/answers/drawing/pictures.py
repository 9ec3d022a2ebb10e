"""Pictures for pages: a case's slice alone, with the truth, and with the answer; small enough to stand in the page."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping
from typing import Any

import numpy as np
from PIL import Image as Pil

from vesalius.answers.drawing import planes
from vesalius.answers.drawing.slices import Slice
from vesalius.core import palette
from vesalius.core.image import Array

SIDE = 480  # pixels of the longer side at most
PLAIN = 40_000  # bytes up to which a PNG is small enough
FILL = 0.32  # how dense a label lies over the image


def picture(shown: Slice, values: Mapping[str, int], colours: Mapping[str, str]) -> dict[str, Any]:
    """Return a case for a page: title, caption, and its views, each with `what` it is and `src`, a data address.

    With truth and answer these are two views side by side: the truth dashed in the colour that is the truth's alone,
    and the answer's labels in their own, with the truth's outline over them. `values` are the label values by name.
    """
    grey = _grey(shown)
    views = []
    for what, field, other in (("truth", shown.truth, None), ("answer", shown.answer, shown.truth)):
        if field is not None:
            views.append(
                {"what": what, "src": _drawn(shown, grey, values, colours, field=field, other=other)}
            )
    if not views:
        views = [{"what": "image", "src": _drawn(shown, grey, {}, {}, field=None, other=None)}]
    views += [{"what": what, "src": address(Pil.fromarray(one))} for what, one in shown.beside]
    caption = " · ".join([shown.caption, *(what for what, _ in shown.beside)])
    return {"title": shown.title, "caption": caption, "views": views}


def address(picture: Pil.Image) -> str:
    """Return a picture as a data address: PNG where that is small, else WebP, which hardly differs to the eye."""
    plain = _saved(picture, format="PNG", compress_level=1)
    if len(plain) <= 4 * PLAIN:  # what is larger does not become small
        plain = _saved(picture, format="PNG", optimize=True)
    small = len(plain) <= PLAIN
    data = plain if small else _saved(picture, format="WEBP", quality=88, method=2)
    return f"data:image/{'png' if small else 'webp'};base64,{base64.b64encode(data).decode()}"


def _saved(picture: Pil.Image, **how: Any) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, **how)
    return buffer.getvalue()


def _grey(shown: Slice) -> Array:
    image = np.asarray(shown.image, dtype=np.float64)
    if shown.window is not None:
        low, high = shown.window
    elif image.ndim == 2:
        low, high = np.nanpercentile(image, [0.5, 99.5])
    else:
        low, high = float(np.nanmin(image)), float(np.nanmax(image))
    found: Array = np.clip((image - low) / max(high - low, 1e-12), 0, 1)
    return found


def _drawn(
    shown: Slice,
    grey: Array,
    values: Mapping[str, int],
    colours: Mapping[str, str],
    *,
    field: Array | None,
    other: Array | None,
) -> str:
    from matplotlib.figure import Figure

    height, width = grey.shape[0] * shown.aspect, grey.shape[1]
    scale = min(SIDE, max(240.0, 3 * max(height, width))) / max(height, width) / 100
    figure = Figure(figsize=(max(width * scale, 0.6), max(height * scale, 0.6)), dpi=100)
    axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
    smooth = "bilinear" if max(grey.shape[:2]) > 64 else "nearest"
    axes.imshow(
        grey,
        cmap="gray",
        vmin=0,
        vmax=1,
        aspect=shown.aspect,
        interpolation=smooth,
        extent=planes.extent(grey),
    )
    for name, value in values.items():
        colour = colours.get(name, palette.BEFORE[0])
        if field is not None:
            _label(axes, field == value, colour, fill=FILL if other is None else 0.0, rim=other is not None)
        truth = field if other is None else other
        if truth is not None:
            _truth(axes, truth == value)
    if shown.layer is not None:
        axes.imshow(shown.layer, aspect=shown.aspect, extent=planes.extent(grey))
    axes.set_axis_off()
    planes.fit(axes, grey)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", facecolor="black")
    return address(Pil.open(buffer).convert("RGB"))


def _label(axes: Any, bits: Array, colour: str, *, fill: float, rim: bool) -> None:
    if not bits.any():
        return
    at, padded = _padded(bits)
    axes.contourf(*at, padded, levels=[0.5, 2], colors=[colour], alpha=fill or 0.22)
    if rim:
        axes.contour(*at, padded, levels=[0.5], colors=[colour], linewidths=1.8)


def _truth(axes: Any, bits: Array) -> None:
    """Draw the outline of the truth: dashes in its own colour on a dark rim, so that it is seen on bone and on air."""
    if not bits.any():
        return
    at, padded = _padded(bits)
    axes.contour(*at, padded, levels=[0.5], colors=["#000000"], linewidths=1.7, alpha=0.55)
    axes.contour(
        *at, padded, levels=[0.5], colors=[palette.TRUTH], linewidths=1.1, linestyles=[(0, (3, 2.2))]
    )


def _padded(bits: Array) -> tuple[tuple[Array, Array], Array]:
    padded = np.pad(np.asarray(bits).astype(np.float64), 1)
    return (np.arange(padded.shape[1]) - 0.5, np.arange(padded.shape[0]) - 0.5), padded
