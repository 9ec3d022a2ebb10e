"""Pictures of a change: both visits on the same planes, each with its answer; or each by itself, not registered."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from vesalius.answers.drawing.overlay import telling, with_layer
from vesalius.answers.drawing.pictures import picture
from vesalius.core.answers import Answer
from vesalius.core.called import written
from vesalius.core.image import Image
from vesalius.prepare.geometry import upright_points
from vesalius.run.change.result import Change

MOST = 6  # planes
BECAME = {
    "new": "a new part",
    "gone": "a part that is gone",
    "larger": "a part that is larger",
    "smaller": "a part that is smaller",
    "merged": "parts that merged",
    "fell apart": "a part that fell apart",
}


def pictured(change: Change) -> list[dict[str, Any]]:
    """Return planes for a page, the most telling first: title, caption, and both visits, each a data address.

    Raises nothing where the images were let go: then there are none.
    """
    between = change.between
    if between is None or any(one.withheld is not None for one in change.answers):
        return []
    earlier, later = change.answers
    carried = change.carried()
    if carried is None:
        sides = [("earlier", earlier, between.earlier), ("later", later, between.later)]
        views = [_view(what, answer, image, telling(answer, answer, image)) for what, answer, image in sides]
        return [_pair("Each visit by itself", "planes of their own: the images are not registered", views)]
    fill = float(between.earlier.array.min())
    laid = between.carried(_first(between.earlier), order=1, fill=fill)
    image = replace(_first(between.later), array=_first(between.later).array)
    found = []
    for z, caption in _planes(change, carried, later, image):
        views = [_view("earlier", carried, laid, z), _view("later", later, image, z)]
        many = image.shape[0] > 1
        found.append(_pair(f"Plane {z + 1}" if many else "Both visits", caption, views))
    return found


def _planes(change: Change, carried: Answer, later: Answer, image: Image) -> list[tuple[int, str]]:
    """Return the planes to be shown, upright, each with what is seen in it."""
    between = change.between
    within = None if between is None else between.shared()[1]
    chosen = {telling(carried, later, image, within): "where both visits differ most"}
    parts = () if change.changed is None else change.changed.parts
    for part in sorted(parts, key=lambda part: -abs(part.later - part.earlier)):
        if part.became == "alike" or len(chosen) >= MOST:
            continue
        z = int(np.floor(upright_points(np.array(part.at) + 0.5, image)[0]))
        chosen.setdefault(z, f"{written(part.label)}: {BECAME.get(part.became, part.became)}")
    return list(chosen.items())


def _first(image: Image) -> Image:
    """Return an image, of a cine its first frame."""
    return image if image.times_s is None else replace(image, array=image.array[0], times_s=None)


def _view(what: str, answer: Answer, image: Image, z: int) -> dict[str, str]:
    shown = with_layer(answer, image, title=what, caption="", z=z)
    return {"what": what, "src": picture(shown, {}, {})["views"][0]["src"]}


def _pair(title: str, caption: str, views: list[dict[str, str]]) -> dict[str, Any]:
    return {"title": title, "caption": caption, "views": views}
