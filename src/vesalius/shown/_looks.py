"""Small pictures of cases and images, within a time that a reader waits for."""

from __future__ import annotations

import base64
import io
import time
from collections.abc import Callable, Iterable, Mapping

from PIL import Image as Pil

from vesalius.answers.drawing.pictures import picture
from vesalius.answers.drawing.slices import Slice, look
from vesalius.core.case import Case, Ref
from vesalius.core.cohort import Label
from vesalius.core.errors import VesaliusError
from vesalius.core.image import Image
from vesalius.core.palette import colour_of
from vesalius.prepare.case import load, load_mask
from vesalius.prepare.geometry import upright

PATIENCE_S = 2.0  # after which no further picture is begun


def within_patience(makers: Iterable[Callable[[], tuple[str, str] | None]]) -> list[tuple[str, str]]:
    """Return pictures with their captions, as many as are made in time; what cannot be read has none."""
    began, found = time.monotonic(), []
    for make in makers:
        if time.monotonic() - began > PATIENCE_S:
            break
        try:
            one = make()
        except (VesaliusError, OSError):
            continue
        if one is not None:
            found.append(one)
    return found


def of_image(image: Image) -> bytes:
    """Return a PNG of an image: its middle plane, upright."""
    return _png(look(upright(_still(image)), ""), {})


def of_case(case: Case, labels: Mapping[str, tuple[Label, ...]]) -> bytes | None:
    """Return a PNG of a case's reference image with what is drawn on it; None where it has no image.

    `labels` are those of the targets that are drawn, by name.
    """
    if case.image is None:
        return None
    image = load(case.image)
    drawn = next((n for n, t in case.targets.items() if n in labels and isinstance(t, Ref | Image)), None)
    if drawn is None:
        return of_image(image)
    target = case.targets[drawn]
    mask = load_mask(target) if isinstance(target, Ref | Image) else None
    still = _still(image)
    if mask is None or mask.shape != still.shape:
        return of_image(image)
    shown = look(upright(still), "", answer=upright(mask, still))
    named = {x.name: x.value for x in labels[drawn]}
    here = set(shown.answer.ravel().tolist()) - {0} if shown.answer is not None else set()
    known = named or {str(v): v for v in sorted(here)}
    colours = {x.name: colour_of(x, k) for k, x in enumerate(labels[drawn])}
    return _png(shown, {name: value for name, value in known.items() if value in here or named}, colours)


def address(png: bytes) -> str:
    """Return a PNG as a data address."""
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"


def _still(image: Image) -> Image:
    """Return an image without its time: the first frame."""
    from dataclasses import replace

    return image if image.times_s is None else replace(image, array=image.array[0], times_s=None)


def _png(shown: Slice, values: Mapping[str, int], colours: Mapping[str, str] | None = None) -> bytes:
    view = picture(shown, values, colours or {})["views"][-1]
    found = Pil.open(io.BytesIO(base64.b64decode(view["src"].partition(",")[2])))
    buffer = io.BytesIO()
    found.save(buffer, format="PNG")
    return buffer.getvalue()
