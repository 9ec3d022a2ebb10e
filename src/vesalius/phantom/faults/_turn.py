"""Turning every file of a case over along one axis, and the boxes that are told of it."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np

from vesalius.phantom.common.output import as_csv
from vesalius.phantom.faults._pixels import read
from vesalius.phantom.faults.contract import Planted, Site

BOXES = "boxes.csv"


def turn(
    site: Site, share: float, random: np.random.Generator, *, kind: str, axis: int | None
) -> list[Planted]:
    """Flip a share of the cases, images and masks alike, along `axis` of `(Z, Y, X)`; headers stay as they are.

    None flips a picture along its rows, and a volume along its planes.
    """
    planted = []
    for i in site.chosen(range(len(site.rows)), share, random):
        row = site.rows[i]
        shape = read(site.files(row, site.images)[0]).array.shape
        along = (0 if shape[0] > 1 else 1) if axis is None else axis
        for path in site.pixels(row):
            site.alter(path, partial(np.flip, axis=along))
        planted.append(Planted(kind, row["case"], {"axis": "zyx"[along], "size": shape[along]}))
    return planted


def turned_boxes(planted: Sequence[Planted], texts: Mapping[str, str]) -> dict[str, str]:
    """Return the cohort's texts with the boxes of turned cases where they are now."""
    sizes = {p.case: (p.known["axis"], p.known["size"]) for p in planted}
    if BOXES not in texts:
        return dict(texts)
    rows = list(csv.DictReader(io.StringIO(texts[BOXES])))
    for row in rows:
        axis, size = sizes.get(row["case"], ("x", 0))
        low, high = f"{axis}0", f"{axis}1"
        if size and row.get(low):
            row[low], row[high] = f"{size - float(row[high]):g}", f"{size - float(row[low]):g}"
    return {**texts, BOXES: as_csv(rows)}
