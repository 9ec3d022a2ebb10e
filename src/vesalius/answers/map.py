"""Map: a field of numbers over an image."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np

from vesalius.answers.contract import Handling
from vesalius.answers.drawing import planes
from vesalius.answers.drawing.lines import Line
from vesalius.answers.drawing.signed import tinted
from vesalius.answers.drawing.slices import Slice
from vesalius.core.answers.map import HIGHEST, LOWEST, Map
from vesalius.core.case import Case, Ref
from vesalius.core.errors import DataError
from vesalius.core.image import Array, Image
from vesalius.core.scorecard import Scorecard
from vesalius.metrics import Rows
from vesalius.metrics import map as judge
from vesalius.prepare.between import Between
from vesalius.prepare.case import load
from vesalius.prepare.geometry import upright

TARGETS = ("clean",)


class MapHandling(Handling[Map]):
    """What is done with a field."""

    kind = Map
    objects = (".pm.dcm", ".sc.dcm")
    draws = True
    headlines = ("psnr", "ssim", "mae")
    metric_names: ClassVar[Mapping[str, str]] = {"psnr": "PSNR", "ssim": "SSIM", "mae": "MAE"}
    baseline = "the best plain filter: none, Gaussian or median"
    compared = ("psnr", "ssim")

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

    def suffix(self, answer: Map) -> str:
        """Return `.png` for whole numbers of 8 or 16 bits over a picture, such as a restored one; else `.nii.gz`."""
        flat = answer.image.is_2d and answer.image.affine is None
        return ".png" if flat and answer.image.array.dtype in (np.uint8, np.uint16) else ".nii.gz"

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
        """Return the field's own numbers, and 0 where it says nothing.

        Of a field that is an image itself they are scaled: 0 is the lowest value of the image that it was made of, 1
        the highest.
        """
        field = answer.image.array.astype(np.float32, copy=False)
        if LOWEST in answer.figures and HIGHEST in answer.figures:
            low, high = answer.figures[LOWEST], answer.figures[HIGHEST]
            field = (field - low) / ((high - low) or 1.0)
        return np.nan_to_num(field, nan=0.0)

    def carried(self, answer: Map, between: Between) -> Map:
        """Return the field on the later visit's grid; where the earlier one shows nothing it says nothing."""
        return replace(answer, image=between.carried(answer.image, order=1, fill=float("nan")))

    def placed(self, answer: Map, low: Sequence[int], reference: Image) -> Map:
        """Return the field on the whole grid; outside of its part it says nothing."""
        part = answer.image.array
        array = np.full((part.shape[0], *reference.shape), np.nan, dtype=np.float32)
        array[(slice(None), *(slice(a, a + n) for a, n in zip(low, part.shape[1:], strict=True)))] = part
        return replace(answer, image=replace(answer.image, array=array, affine=reference.affine))

    # --- against the field that it ought to be

    def truth(self, target: Any, case: Case) -> Image:
        """Return the image that the field ought to be, read. Raises DataError where the truth is no image."""
        if not isinstance(target, Ref | Image):
            raise DataError(f"case {case.id}: the truth is no image", found=type(target).__name__)
        return load(target)

    def measure(self, answer: Map, truth: Image, case: Case) -> dict[str, float]:
        """Return the figures of one case, so that no field is kept. Raises DataError for another grid."""
        return judge.measured(answer, truth)

    def rows(self, measured: Sequence[Any], case_ids: Sequence[str]) -> Rows:
        """Return the figures of all cases."""
        return judge.of_figures(measured, case_ids)

    def rate(self, answer: Map, truth: Image, measured: Any) -> tuple[float, str]:
        """Return the PSNR, and figures as the caption."""
        return measured["psnr"], f"PSNR {measured['psnr']:.1f} dB, SSIM {measured['ssim']:.3f}"

    def each(self, rows: Rows) -> Array:
        """Return the PSNR of each case."""
        return rows["psnr"]

    def case(self, rows: Rows, index: int) -> dict[str, Any]:
        """Return the figures of one case."""
        return {name: float(rows[name][index]) for name in judge.DESCRIPTIONS}

    def again(self, card: Scorecard) -> Rows | None:
        """Return the rows that a scorecard was computed from."""
        names = judge.DESCRIPTIONS
        if not card.cases or any(case.get(n) is None for case in card.cases for n in names):
            return None
        found = [
            {n: float(case[n]) if case[n] is not None else math.nan for n in names} for case in card.cases
        ]
        return judge.of_figures(found, [str(case["case"]) for case in card.cases])


HANDLING = MapHandling()
