"""Masks in which one region is wrong: a label is gone there, is another one, or stands where nothing is."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import ndimage

from vesalius.core.image import Array
from vesalius.phantom.faults._pixels import read
from vesalius.phantom.faults.contract import Planted, Site

ORDER = 1
NEEDS = ("masks",)
LEAST = 12  # pixels of a region that counts as one
WAYS = ("removed", "swapped", "added")


def plant(site: Site, share: float, random: np.random.Generator) -> list[Planted]:
    """Make one region of a mask wrong in a share of the cases, in the first mask of each.

    `how` is one of WAYS: a connected region of a label is emptied; takes another label that the cohort has; or a ball
    of a label, as large as such a region, stands where no label is. `low` and `high` `(z, y, x)` enclose the voxels
    that are wrong, the end excluded; `voxels` is how many, `label` what the mask says there and `true` what holds.
    A case without a region of LEAST voxels can only get one that is added.
    """
    name = site.masks[0]
    rows = [k for k, row in enumerate(site.rows) if row.get(name)]
    values = _values(site, rows, name)
    planted = []
    for i in site.chosen(rows, share, random) if values else []:
        held = read(site.root / site.rows[i][name])
        wrong, known = _wrong(held.array[..., 0], values, random)
        if wrong is not None:
            held.put(np.repeat(wrong[..., None], held.array.shape[-1], axis=-1))
            planted.append(Planted("wrong_regions", site.rows[i]["case"], {"target": name, **known}))
    return planted


def _values(site: Site, rows: list[int], name: str) -> list[int]:
    """Return the labels that any mask of the cohort has."""
    found: set[int] = set()
    for i in rows:
        found |= {int(v) for v in np.unique(read(site.root / site.rows[i][name]).array)}
    return sorted(found - {0})


def _wrong(
    labels: Array, values: list[int], random: np.random.Generator
) -> tuple[Array | None, dict[str, Any]]:
    """Return labels `(Z, Y, X)` with one wrong region, and what is known of it; None where there is no room."""
    regions = _regions(labels)
    ways = [w for w in WAYS if regions or w == "added"]
    ways = [w for w in ways if w != "swapped" or len(values) > 1]
    how = ways[int(random.integers(len(ways)))]
    new = labels.copy()
    if how == "added":
        size = int(np.mean([r.sum() for _, r in regions])) if regions else max(LEAST, labels.size // 200)
        where, true, label = _ball(labels, size, random), 0, values[int(random.integers(len(values)))]
    else:
        true, where = regions[int(random.integers(len(regions)))]
        others = [v for v in values if v != true]
        label = others[int(random.integers(len(others)))] if how == "swapped" else 0
    if int(where.sum()) < LEAST:
        return None, {}
    new[where] = label
    hits = np.argwhere(where)
    low, high = hits.min(axis=0), hits.max(axis=0) + 1
    return new, {
        "how": how, "label": int(label), "true": int(true), "voxels": int(where.sum()),
        "low": [int(v) for v in low], "high": [int(v) for v in high],
    }  # fmt: skip


def _regions(labels: Array) -> list[tuple[int, Array]]:
    """Return each connected region of LEAST voxels of each label, as `(label, where)`."""
    found = []
    for value in (int(v) for v in np.unique(labels) if v):
        parts, _ = ndimage.label(labels == value)
        sizes = np.bincount(parts.ravel())
        found += [(value, parts == k) for k in range(1, len(sizes)) if sizes[k] >= LEAST]
    return found


def _ball(labels: Array, size: int, random: np.random.Generator) -> Array:
    """Return a ball, or in a plane a disc, of about `size` voxels where no label is; the roomiest of 50 places."""
    flat = labels.shape[0] == 1
    radius = (size / np.pi) ** 0.5 if flat else (size * 3 / (4 * np.pi)) ** (1 / 3)
    free = labels == 0
    places = np.argwhere(free)
    best = np.zeros(labels.shape, bool)
    for _ in range(50):
        centre = places[int(random.integers(len(places)))] if len(places) else np.zeros(3)
        grid = np.ogrid[tuple(slice(0, n) for n in labels.shape)]
        ball = sum((g - c) ** 2 for g, c in zip(grid, centre, strict=True)) <= radius**2
        inside = np.asarray(ball & free)
        best = inside if inside.sum() > best.sum() else best
        if best.sum() >= 0.9 * size:
            break
    return best
