"""What stands on a picture of surfaces: the patient's letters, a bar of a known length, and what colours mean."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from PIL import Image as Pil
from PIL import ImageDraw, ImageFont

from vesalius.core.image import Array
from vesalius.shapes.scale import Scale
from vesalius.shapes.views import bar_of

INK = (40, 40, 40)
TEXT = 13  # pixels
EDGE = 8
BAR_HIGH = 10
_PLACES = {"left": "lm", "right": "rm", "top": "mt", "bottom": "mb"}


def noted(
    picture: Array,
    *,
    per_mm: float,
    letters: Mapping[str, str],
    scale: Scale | None,
    beyond: tuple[bool, bool],
) -> Array:
    """Return a picture `(H, W, 3)` with its letters, its bar of length at the left, and its colours at the right."""
    sheet = Pil.fromarray(picture)
    pen = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(TEXT)
    height, width = picture.shape[:2]
    foot = height - EDGE
    middle = (height - TEXT - BAR_HIGH - 2 * EDGE) // 2
    at = {
        "left": (EDGE, middle),
        "right": (width - EDGE, middle),
        "top": (width // 2, EDGE),
        "bottom": (width // 2, foot - TEXT - BAR_HIGH - EDGE),
    }
    for name, letter in letters.items():
        pen.text(at[name], letter, fill=INK, font=font, anchor=_PLACES[name])
    length, pixels = bar_of(per_mm, width / 4)
    pen.rectangle([EDGE, foot - 3, EDGE + pixels, foot - 1], fill=INK)
    pen.text((EDGE, foot - 6), f"{length:g} mm", fill=INK, font=font, anchor="lb")
    if scale is not None:
        _colours(sheet, pen, font, scale, beyond)
    found: Array = np.asarray(sheet)
    return found


def _colours(
    sheet: Pil.Image, pen: ImageDraw.ImageDraw, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, scale: Scale,
    beyond: tuple[bool, bool],
) -> None:  # fmt: skip
    """Draw the scale's colours with its ends; one beyond which there are values is marked < or >."""
    wide = sheet.width // 2
    left, foot = sheet.width - EDGE - wide, sheet.height - EDGE
    values = np.linspace(scale.low, scale.high, wide)
    strip = np.broadcast_to(np.rint(scale.colours(values)).astype(np.uint8), (BAR_HIGH, wide, 3))
    sheet.paste(Pil.fromarray(np.ascontiguousarray(strip)), (left, foot - BAR_HIGH))
    line = foot - BAR_HIGH - 3
    low = f"{'< ' if beyond[0] else ''}{scale.low:.3g}"
    high = f"{'> ' if beyond[1] else ''}{scale.high:.3g}"
    name = f"{scale.name}, {scale.unit}" if scale.unit else scale.name
    pen.text((left, line), low, fill=INK, font=font, anchor="lb")
    pen.text((left + wide / 2, line), name, fill=INK, font=font, anchor="mb")
    pen.text((left + wide, line), high, fill=INK, font=font, anchor="rb")
