"""Stained blood smear in colour: red cells, white cells and platelets that touch and overlap, from three sites."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from vesalius.core.case import Box, Case
from vesalius.core.errors import DataError
from vesalius.core.image import Array, Image
from vesalius.phantom.blood.cells import SORTS, Cell
from vesalius.phantom.blood.field import draw_field, laid
from vesalius.phantom.blood.render import picture
from vesalius.phantom.blood.slide import GRADES, PIXEL_UM, Slide, draw_slide, hypochromia
from vesalius.phantom.common import plain, tables
from vesalius.phantom.common.output import as_csv, put
from vesalius.phantom.common.picture import png, png_ids
from vesalius.phantom.common.streams import stream
from vesalius.phantom.contract import Recipe, Row, SyntheticPatient

__all__ = ["GRADES", "PIXEL_UM", "SORTS", "SmearPatient", "hypochromia", "patient", "texts", "twin", "write"]

FORMATS = ("png",)
OPTIONS = {"size": 192, "density": 0.35, "overlap": 0.3, "contrast": 1.0, "noise": 4.0, "fields": 2}
FINDINGS = ("red_cell", "white_cell", "platelet")


@dataclass(frozen=True, eq=False)
class SmearPatient:
    """One field of a person's slide: `picture` `(Y, X, 3)` uint8 in colour, 0.25 µm a pixel.

    `ids` `(Y, X)` uint16 is which cell is seen at a pixel, k + 1 for `cells[k]`, the uppermost where cells overlap, and
    0 where there is none.
    """

    id: str
    patient: str
    picture: Array
    ids: Array
    cells: tuple[Cell, ...]
    slide: Slide

    @property
    def counts(self) -> dict[str, int]:
        """Return how many cells of each sort are in the picture."""
        found = Counter(cell.label for cell in self.cells)
        return {sort: found[sort] for sort in SORTS}

    @property
    def boxes(self) -> tuple[Box, ...]:
        """Return a box around each cell, as far as it lies in the picture, also where another cell hides it."""
        return tuple(
            tables.box_around(cell.inside(window := cell.window(len(self.ids))), cell.label, window)
            for cell in self.cells
        )

    def as_case(self) -> Case:
        """Return the picture with boxes, the counts of the sorts, and the site as covariate and group."""
        counts: dict[str, float] = {sort: float(n) for sort, n in self.counts.items()}
        return Case(
            self.id,
            {"image": Image(np.moveaxis(self.picture, -1, 0)[:, None])},
            patient=self.patient,
            targets={"boxes": self.boxes, **counts, "hypochromia": self.slide.hypochromia},
            covariates={"site": self.slide.site.name},
            group=self.slide.site.name,
        )

    def truth(self) -> dict[str, Any]:
        """Return what is known, as plain JSON values; boxes are `(y0, x0, y1, x1)` in pixels, the end excluded."""
        return {
            "id": self.id,
            "patient": self.patient,
            "pixel_um": PIXEL_UM,
            "counts": self.counts,
            "hypochromia": self.slide.hypochromia,
            "slide": self.slide.truth(),
            "cells": [self._cell(k, box) for k, box in enumerate(self.boxes)],
        }

    def _cell(self, k: int, box: Box) -> dict[str, Any]:
        """Return what is known of one cell. `visible_share` is of its part in the picture."""
        cell = self.cells[k]
        window = cell.window(len(self.ids))
        seen, whole = self.ids[window] == k + 1, cell.inside(window)
        shown = tables.box_around(seen, cell.label, window)
        return {
            "number": k + 1,
            **cell.truth(),
            "box": [int(v) for v in (*box.low[1:], *box.high[1:])],
            "visible_box": [int(v) for v in (*shown.low[1:], *shown.high[1:])],
            "pixels": int(whole.sum()),
            "visible_share": round(float(seen.sum() / whole.sum()), 4),
            "touches": _neighbours(self.ids, window, k + 1),
        }


def patient(
    index: int,
    seed: int = 0,
    *,
    size: int = 192,
    density: float = 0.35,
    overlap: float = 0.3,
    contrast: float = 1.0,
    noise: float = 4.0,
    fields: int = 2,
) -> SmearPatient:
    """Return field number `index`; `fields` of them in a row are of one person's slide, with its stain and focus.

    `size` is the pixels a side. `density` is the share of the picture that its red cells would cover side by side, on
    average, and `overlap` the share of them that were laid at another cell, from touching to over a third of the way.
    `contrast` multiplies the stains, `noise` is the standard deviation of a bright pixel in grey values.

    Raises DataError for an option that is out of its range.
    """
    return _draw(index, seed, size, density, overlap, contrast, noise, fields)


def twin(
    index: int,
    seed: int = 0,
    *,
    without: str,
    size: int = 192,
    density: float = 0.35,
    overlap: float = 0.3,
    contrast: float = 1.0,
    noise: float = 4.0,
    fields: int = 2,
) -> SmearPatient:
    """Return the same field without the cells of one sort; the others lie where they lay, and look as they did."""
    return _draw(index, seed, size, density, overlap, contrast, noise, fields, without)


def write(root: Path, patient: SyntheticPatient, format: str) -> Row:
    """Write a field's picture and the ids of its cells, and return the row of cohort.csv."""
    assert isinstance(patient, SmearPatient)
    path = f"images/{patient.id}.png"
    put(root / path, png(patient.picture))
    ids = f"instances/{patient.id}.png"
    put(root / ids, png_ids(patient.ids))
    return {
        "case": patient.id,
        "patient": patient.patient,
        "image": path,
        "instances": ids,
        **patient.counts,
        "hypochromia": patient.slide.hypochromia,
        "site": patient.slide.site.name,
    }


def texts(recipe: Recipe, rows: Sequence[Row], truths: Sequence[Row]) -> Mapping[str, str]:
    """Return the README, the table of boxes and that of what each id of an instance is."""
    boxes = {
        t["id"]: [{"label": c["label"], "low": c["box"][:2], "high": c["box"][2:]} for c in t["cells"]]
        for t in truths
    }
    instances = [
        {"case": truth["id"], "id": cell["number"], "label": cell["label"]}
        for truth in truths
        for cell in truth["cells"]
    ]
    files = {
        "images/<case>.png": "the picture, RGB",
        "boxes.csv": f"a row a cell, whole as far as it lies in the picture: {', '.join(tables.FLAT_COLUMNS)}, "
        "in pixels from 0 on, the high end excluded",
        "instances/<case>.png": "16 bits: which cell is seen at a pixel, the uppermost where cells overlap; 0 is none",
        "instances/instances.csv": "the sort of each id of each case",
    }
    return plain.texts(recipe, rows, truths, files=files) | {
        "boxes.csv": tables.boxes_csv(boxes, flat=True),
        "instances/instances.csv": as_csv(instances, columns=("case", "id", "label")),
    }


def _draw(
    index: int,
    seed: int,
    size: int,
    density: float,
    overlap: float,
    contrast: float,
    noise: float,
    fields: int,
    without: str = "",
) -> SmearPatient:
    _assert_possible(index, seed, size, noise, fields, density=density, overlap=overlap, contrast=contrast)
    slide = draw_slide(stream(seed, index // fields, 0))
    drawn = draw_field(stream(seed, index, 1), slide, size=size, density=density, overlap=overlap)
    cells = tuple(cell for cell in drawn.cells if cell.label != without)
    shown = picture(
        cells, slide, size=size, contrast=contrast, noise=noise, seed=lambda k: stream(seed, index, 2 + k)
    )
    return SmearPatient(
        f"smear-{index:04d}" + (f"-without-{without}" if without else ""),
        f"S{index // fields:04d}",
        shown,
        laid(cells, size).astype(np.uint16),
        cells,
        slide,
    )


def _neighbours(ids: Array, window: tuple[slice, slice], number: int) -> list[int]:
    """Return the numbers of the cells that are seen beside a cell, by an edge of a pixel."""
    rows, columns = window
    part = ids[max(rows.start - 1, 0) : rows.stop + 1, max(columns.start - 1, 0) : columns.stop + 1]
    own = part == number
    found: set[int] = set()
    for axis in (0, 1):
        for beside, here in ((part, own), (np.flip(part, axis), np.flip(own, axis))):
            first = [slice(None), slice(None)]
            second = [slice(None), slice(None)]
            first[axis], second[axis] = slice(1, None), slice(None, -1)
            found |= {int(n) for n in np.unique(beside[tuple(first)][here[tuple(second)]])}
    return sorted(found - {0, number})


def _assert_possible(
    index: int,
    seed: int,
    size: int,
    noise: float,
    fields: int,
    *,
    density: float,
    overlap: float,
    contrast: float,
) -> None:
    if index < 0 or seed < 0:
        raise DataError("a phantom's index and seed are not negative", found=f"{index} and {seed}")
    if not 64 <= size <= 2048 or fields < 1:
        raise DataError(
            "a smear has 64 to 2048 pixels a side, and one field a slide or more",
            found=f"size {size}, fields {fields}",
            hint="size=192, fields=2",
        )
    ranges = {
        "density": (density, 0.9),
        "overlap": (overlap, 1.0),
        "contrast": (contrast, 3.0),
        "noise": (noise, 60.0),
    }
    for name, (value, most) in ranges.items():
        if not 0 <= value <= most:
            raise DataError(f"option {name} of phantom smear lies from 0 to {most:g}", found=f"{value:g}")
