"""Tables of boxes beside a cohort: `boxes.csv` has a row a box, in pixels or voxels of the image, from 0 on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from vesalius.core.case import Box
from vesalius.core.image import Array
from vesalius.phantom.common.output import as_csv
from vesalius.phantom.contract import Row

FLAT_COLUMNS = ("case", "label", "y0", "x0", "y1", "x1")
COLUMNS = ("case", "label", "z0", "y0", "x0", "z1", "y1", "x1")


def box_around(inside: Array, label: str, window: Sequence[slice]) -> Box:
    """Return the tightest box around the pixels of a window of an image, 2-D or 3-D, that are `inside`."""
    ends = []
    for axis in range(inside.ndim):
        others = tuple(a for a in range(inside.ndim) if a != axis)
        hits = np.flatnonzero(inside.any(axis=others)) + window[axis].start
        ends.append((float(hits[0]), float(hits[-1] + 1)))
    ends = [(0.0, 1.0)] * (3 - inside.ndim) + ends
    low, high = zip(*ends, strict=True)
    return Box((low[0], low[1], low[2]), (high[0], high[1], high[2]), label)


def boxes_csv(cases: Mapping[str, Sequence[Row]], *, flat: bool, more: Sequence[str] = ()) -> str:
    """Return the table of boxes by case; a case without any has a row without coordinates, which says so.

    A box has a `label`, its `low` and its `high` corner `(z, y, x)`, or `(y, x)` where it is `flat`, and what is in
    `more`.
    """
    columns = (*(FLAT_COLUMNS if flat else COLUMNS), *more)
    rows: list[Row] = []
    for case, boxes in cases.items():
        rows += [
            dict(zip(columns, (case, b["label"], *b["low"], *b["high"], *(b[m] for m in more)), strict=True))
            for b in boxes
        ] or [{"case": case}]
    return as_csv(rows, columns=columns)
