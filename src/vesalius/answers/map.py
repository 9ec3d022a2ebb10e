"""Map: a field of numbers over an image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from vesalius.answers.contract import Handling
from vesalius.answers.drawing import planes
from vesalius.answers.drawing.lines import Line
from vesalius.answers.drawing.signed import tinted
from vesalius.answers.drawing.slices import Slice
from vesalius.core.answers.map import Map
from vesalius.core.image import Array, Image
from vesalius.prepare.between import Between
from vesalius.prepare.geometry import upright


class MapHandling(Handling[Map]):
    """What is done with a field."""

    kind = Map
    objects = (".pm.dcm", ".sc.dcm")
    draws = True

    def columns(self, answer: Map) -> dict[str, Any]:
        """Return no column: the field is a file of its own."""
        return {}

    def summary(self, answer: Map) -> dict[str, Any]:
        """Return the quantity, its unit, and its lowest and highest value."""
        low, high = np.nanmin(answer.image.array), np.nanmax(answer.image.array)
        found = {"quantity": answer.quantity, "unit": answer.unit, "low": float(low), "high": float(high)}
        more = {"figures": answer.figures, "facts": answer.facts, "beside": answer.beside}
        return found | {name: dict(held) for name, held in more.items() if held}

    def lines(self, answer: Map) -> list[Line]:
        """Return the quantity with its lowest and highest value."""
        low, high = np.nanmin(answer.image.array), np.nanmax(answer.image.array)
        return [Line(answer.quantity, f"{low:.4g} to {high:.4g} {answer.unit or ''}".rstrip())]

    def draw(self, axes: Any, answer: Map, image: Image, shown: Slice) -> None:
        """Draw the field's slice in colour over the image; one of two signs in two colours that meet at zero."""
        field = upright(answer.image, image)
        plane = field.array[0, shown.z]
        if float(np.nanmin(field.array)) < 0:
            layer = tinted(plane, float(np.nanmax(np.abs(field.array))))
            axes.imshow(layer, aspect=shown.aspect, extent=planes.extent(plane))
            return
        axes.imshow(plane, cmap="magma", alpha=0.45, aspect=shown.aspect, extent=planes.extent(plane))

    def chances(self, answer: Map) -> Array:
        """Return the field's own numbers, and 0 where it says nothing."""
        return np.nan_to_num(answer.image.array.astype(np.float32, copy=False), nan=0.0)

    def carried(self, answer: Map, between: Between) -> Map:
        """Return the field on the later visit's grid; where the earlier one shows nothing it says nothing."""
        return replace(answer, image=between.carried(answer.image, order=1, fill=float("nan")))

    def placed(self, answer: Map, low: Sequence[int], reference: Image) -> Map:
        """Return the field on the whole grid; outside of its part it says nothing."""
        part = answer.image.array
        array = np.full((part.shape[0], *reference.shape), np.nan, dtype=np.float32)
        array[(slice(None), *(slice(a, a + n) for a, n in zip(low, part.shape[1:], strict=True)))] = part
        return replace(answer, image=replace(answer.image, array=array, affine=reference.affine))


HANDLING = MapHandling()
