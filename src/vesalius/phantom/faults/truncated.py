"""Images that lie beside the field: a part is cut off at one edge, and the other side is empty."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np

from vesalius.core.image import Array
from vesalius.phantom.common.output import as_csv
from vesalius.phantom.faults._pixels import read
from vesalius.phantom.faults._turn import BOXES
from vesalius.phantom.faults.contract import Planted, Site

ORDER = 2
NEEDS = ("pixels",)
SHARE = 0.3  # of the field that is lost


def plant(site: Site, share: float, random: np.random.Generator) -> list[Planted]:
    """Shift a share of the cases, masks alike, to the left, right, top or bottom, so that a part leaves the field.

    `shift` is by how many pixels the content lies further along `axis`. What comes in has the least value.
    """
    planted = []
    for i in site.chosen(range(len(site.rows)), share, random):
        row, axis, sign = site.rows[i], int(random.integers(1, 3)), int(random.choice((-1, 1)))
        size = read(site.files(row, site.images)[0]).array.shape[axis]
        shift = sign * round(SHARE * size)
        for path in site.pixels(row):
            site.alter(path, partial(_shifted, axis=axis, share=shift / size))
        planted.append(Planted("truncated", row["case"], {"axis": "zyx"[axis], "shift": shift, "size": size}))
    return planted


def texts(site: Site, planted: Sequence[Planted], texts: Mapping[str, str]) -> Mapping[str, str]:
    """Return the texts with boxes where they are now, without those that left the field."""
    if BOXES not in texts:
        return texts
    known = {p.case: p.known for p in planted}
    rows, kept = list(csv.DictReader(io.StringIO(texts[BOXES]))), []
    for row in rows:
        moved = _moved(row, known[row["case"]]) if row["case"] in known and row["y0"] else row
        kept += [moved] if moved is not None else []
    bare = set(known) & {r["case"] for r in rows} - {r["case"] for r in kept}
    kept += [dict.fromkeys(rows[0], "") | {"case": case} for case in sorted(bare)]
    return {**texts, BOXES: as_csv(kept)}


def _moved(row: dict[str, str], known: Mapping[str, int | str]) -> dict[str, str] | None:
    low, high = f"{known['axis']}0", f"{known['axis']}1"
    ends = [min(max(float(row[n]) + float(known["shift"]), 0.0), float(known["size"])) for n in (low, high)]
    return {**row, low: f"{ends[0]:g}", high: f"{ends[1]:g}"} if ends[0] < ends[1] else None


def _shifted(array: Array, *, axis: int, share: float) -> Array:
    way = round(share * array.shape[axis])
    new = np.full_like(array, array.min())
    at = [slice(None)] * 4
    into, out = at.copy(), at.copy()
    into[axis], out[axis] = (
        (slice(way, None), slice(None, -way)) if way > 0 else (slice(None, way), slice(-way, None))
    )
    new[tuple(into)] = array[tuple(out)]
    return new
