"""Metrics of Mask: Dice, Jaccard, HD95, surface Dice and volume error, a label at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np

from vesalius.core import grids
from vesalius.core.answers.mask import Mask
from vesalius.core.case import IGNORED
from vesalius.core.errors import DataError, GeometryError
from vesalius.core.image import Array, Image
from vesalius.metrics._priors import baseline, prior
from vesalius.metrics._rows import Rows
from vesalius.metrics._surfaces import boxes, cut, distances

__all__ = [
    "baseline",
    "counts",
    "excluded",
    "joined",
    "occurrences",
    "prior",
    "row",
    "rows",
    "summary",
    "table",
]

ANSWER = "Mask"
DESCRIPTIONS = {
    "dice": {"text": "overlap: 2 |A∩B| / (|A|+|B|)", "better": "higher", "low": 0.0, "high": 1.0, "unit": ""},
    "jaccard": {"text": "overlap: |A∩B| / |A∪B|", "better": "higher", "low": 0.0, "high": 1.0, "unit": ""},
    "hd95_mm": {"text": "95th percentile of the distance between surfaces", "better": "lower", "low": 0.0,
                "high": None, "unit": "mm"},
    "hd95_px": {"text": "95th percentile of the distance between surfaces", "better": "lower", "low": 0.0,
                "high": None, "unit": "px"},
    "surface_dice_mm": {"text": "share of both surfaces within the tolerance (mm) of the other",
                        "better": "higher", "low": 0.0, "high": 1.0, "unit": ""},
    "surface_dice_px": {"text": "share of both surfaces within the tolerance (pixels) of the other",
                        "better": "higher", "low": 0.0, "high": 1.0, "unit": ""},
    "volume_error_ml": {"text": "absolute difference in volume", "better": "lower", "low": 0.0, "high": None,
                        "unit": "ml"},
    "area_error_mm2": {"text": "absolute difference in area", "better": "lower", "low": 0.0, "high": None,
                       "unit": "mm²"},
    "volume_error_px": {"text": "absolute difference in voxels", "better": "lower", "low": 0.0, "high": None,
                        "unit": "px"},
    "volume_error": {"text": "absolute difference in volume over the true one", "better": "lower", "low": 0.0,
                     "high": None, "unit": ""},
}  # fmt: skip
_COUNTED = ("both_empty", "hd95_missing")
_KEPT = tuple(
    f"{side}_{unit}" for side in ("answer", "truth") for unit in ("ml", "mm2", "px")
)  # sizes, no metrics


def row(
    answer: Mask,
    truth: Image,
    *,
    region: Image | None = None,
    tolerance_mm: float = 1.0,
    tolerance_px: float = 1.0,
) -> dict[str, float]:
    """Return one case: `metric/label` → value, NaN where a metric does not exist.

    `truth` is `(1, Z, Y, X)` with the answer's label values, or `(K, Z, Y, X)` of bits in the labels' order;
    `region` `(1, Z, Y, X)` is non-zero where anything counts, and what is IGNORED in the truth counts
    in nothing. The geometry is the truth's, else the answer's;
    without spacing, distances and volumes are in pixels, under other names.

    A surface is the label's voxels with a face neighbour outside it (or outside the region), weighing one each,
    where Nikolov et al. 2018 (DeepMind's surface-distance) weigh each by its area. HD95 is the larger of the two
    directions' 95th percentiles, as there. Both masks empty: every metric is NaN and `both_empty/label` is 1.
    One empty: Dice, Jaccard and surface Dice are 0, HD95 is NaN and `hd95_missing/label` is 1.
    `answer_ml/label` and `truth_ml/label` (or mm2, px) are the sizes themselves.

    Raises GeometryError where the grids differ.
    """
    for other, what in ((truth, "truth"), (region, "region")):
        if other is not None and other.shape != answer.image.shape:
            raise GeometryError(
                f"{what} and answer must lie on one grid", found=grids.difference(other, answer.image)
            )
    spacing = truth.spacing_mm or answer.image.spacing_mm
    inside = None if region is None else region.array[0] != 0
    if truth.array.dtype.kind == "i" and truth.array.shape[0] == 1 and truth.array.min() == IGNORED:
        known = truth.array[0] != IGNORED
        inside = known if inside is None else inside & known
    found: dict[str, float] = {}
    arrays, labels = (answer.image.array, truth.array), answer.labels
    if answer.overlapping and len(labels) == 1:  # a single plane of bits would pass for label values
        arrays = ((arrays[0] != 0).view(np.uint8), (arrays[1] != 0).view(np.uint8))
        labels = (replace(labels[0], value=1),)
    ours, theirs = boxes(arrays[0], labels), boxes(arrays[1], labels)
    for k, label in enumerate(labels):
        a, b = (cut(array, k, label.value, (ours[k], theirs[k]), inside) for array in arrays)
        one = _one(a, b, answer.image.is_2d, spacing, tolerance_mm if spacing else tolerance_px)
        found |= {f"{name}/{label.name}": value for name, value in one.items()}
    return found


def rows(
    answers: Sequence[Mask],
    truths: Sequence[Image],
    *,
    regions: Sequence[Image | None] | None = None,
    tolerance_mm: float = 1.0,
    tolerance_px: float = 1.0,
) -> Rows:
    """Return all cases at once, where they fit in memory; otherwise call `row` a case at a time, and then `table`."""
    if len(answers) != len(truths):
        raise DataError("each answer needs one truth", found=f"{len(answers)} answers, {len(truths)} truths")
    made = [
        row(a, t, region=r, tolerance_mm=tolerance_mm, tolerance_px=tolerance_px)
        for a, t, r in zip(answers, truths, regions or [None] * len(answers), strict=True)
    ]
    return table(made, [a.case_id for a in answers], tolerance_mm=tolerance_mm, tolerance_px=tolerance_px)


def table(
    made: Sequence[Mapping[str, float]],
    case_ids: Sequence[str],
    *,
    tolerance_mm: float = 1.0,
    tolerance_px: float = 1.0,
) -> Rows:
    """Return the rows from what `row` gave for each case; a metric that a case lacks is NaN there."""
    names = list(dict.fromkeys(name for one in made for name in one))
    columns = {n: np.array([one.get(n, np.nan) for one in made], dtype=np.float64) for n in names}
    labels = tuple(dict.fromkeys(n.partition("/")[2] for n in names))
    info: dict[str, Any] = {"labels": labels, "tolerance_mm": tolerance_mm, "tolerance_px": tolerance_px}
    shown = [n for n in names if n.partition("/")[0] not in (*_COUNTED, *_KEPT)]
    grid = np.stack([columns[n] for n in shown], axis=1) if shown else np.zeros((len(made), 0))
    return Rows(
        tuple(case_ids),
        columns,
        info,
        {
            "values": np.nan_to_num(grid),
            "known": np.isfinite(grid).astype(np.float64),
            "names": np.array(shown),
        },
    )


def joined(first: Rows, second: Rows) -> Rows:
    """Return the rows of two tables of the same labels and tolerances; what one lacks is NaN in its rows."""
    made = [
        {name: float(c[k]) for name, c in rows.columns.items()}
        for rows in (first, second)
        for k in range(len(rows))
    ]
    ids = (*first.case_ids, *second.case_ids)
    info = first.info
    return table(made, ids, tolerance_mm=info["tolerance_mm"], tolerance_px=info["tolerance_px"])


def summary(rows: Rows, index: Array) -> dict[str, float]:
    """Return the mean over cases for each label (`dice/liver`), then the mean over labels (`dice`)."""
    weight = np.bincount(index, minlength=len(rows)).astype(np.float64)
    n = weight @ rows.prepared["known"]
    total = weight @ rows.prepared["values"]
    means = np.divide(total, n, out=np.full_like(total, np.nan), where=n > 0)
    names = tuple(rows.prepared["names"].tolist())
    found: dict[str, float] = {}
    for metric, columns in _by_metric(names):
        values = means[columns]
        known = values[np.isfinite(values)]
        found[metric] = float(np.mean(known)) if len(known) else float("nan")
    return found | dict(zip(names, means.tolist(), strict=True))


@lru_cache(maxsize=16)
def _by_metric(names: tuple[str, ...]) -> tuple[tuple[str, list[int]], ...]:
    """Return each metric of names such as `dice/liver`, with the places of its labels."""
    found: dict[str, list[int]] = {}
    for k, name in enumerate(names):
        found.setdefault(name.partition("/")[0], []).append(k)
    return tuple(found.items())


def counts(rows: Rows) -> dict[str, int]:
    """Return the cases with a value, for each `metric/label`; for a metric alone, cases with a value for any label."""
    known = rows.prepared["known"] > 0
    names = [str(n) for n in rows.prepared["names"]]
    found = {name: int(known[:, j].sum()) for j, name in enumerate(names)}
    for metric in dict.fromkeys(n.partition("/")[0] for n in names):
        columns = [j for j, n in enumerate(names) if n.partition("/")[0] == metric]
        found[metric] = int(known[:, columns].any(axis=1).sum())
    return found


def excluded(rows: Rows) -> dict[str, int]:
    """Return the cases left out, by reason and label: `both_empty/liver`, `hd95_missing/liver`; only what occurs."""
    return {
        name: int(column.sum())
        for name, column in rows.columns.items()
        if name.partition("/")[0] in _COUNTED and column.sum() > 0
    }


def occurrences(rows: Rows) -> dict[str, tuple[int, int, int]]:
    """For each label: cases whose truth holds it, cases whose answer holds it, and cases that were measured."""
    found: dict[str, tuple[int, int, int]] = {}
    for name in rows.info["labels"]:
        real = np.isfinite(rows[f"volume_error/{name}"])  # only where the truth holds some of it
        measured = np.isfinite(rows[f"both_empty/{name}"])
        empty = rows[f"both_empty/{name}"] == 1
        missed = real & (rows[f"hd95_missing/{name}"] == 1)
        found[name] = (int(real.sum()), int((measured & ~empty & ~missed).sum()), int(measured.sum()))
    return found


def _one(
    a: Array, b: Array, flat: bool, spacing: tuple[float, float, float] | None, tolerance: float
) -> dict[str, float]:
    mm = spacing is not None
    step = spacing or (1.0, 1.0, 1.0)
    size_a, size_b, both = int(a.sum()), int(b.sum()), int((a & b).sum())
    hd95, surface = ("hd95_mm", "surface_dice_mm") if mm else ("hd95_px", "surface_dice_px")
    size, unit = "volume_error_px", 1.0
    if mm:
        size = "area_error_mm2" if flat else "volume_error_ml"
        unit = step[0] * step[1] * (1.0 if flat else step[2] / 1000)
    names = ("dice", "jaccard", hd95, surface, size, "volume_error")
    sizes = (f"answer_{size.rpartition('_')[2]}", f"truth_{size.rpartition('_')[2]}")
    nan = float("nan")
    if not size_a and not size_b:
        return dict.fromkeys((*names, *sizes), nan) | {"both_empty": 1.0, "hd95_missing": 0.0}
    values = [2 * both / (size_a + size_b), both / (size_a + size_b - both), nan, 0.0]
    if size_a and size_b:
        there, back = distances(a, b, spacing_mm=step, flat=flat)
        values[2] = max(float(np.percentile(there, 95)), float(np.percentile(back, 95)))
        near = (there <= tolerance).sum() + (back <= tolerance).sum()
        values[3] = float(near / (len(there) + len(back)))
    error = abs(size_a - size_b)
    values += [error * unit, error / size_b if size_b else nan, size_a * unit, size_b * unit]
    missing = float(not (size_a and size_b))
    return dict(zip((*names, *sizes), values, strict=True)) | {"both_empty": 0.0, "hd95_missing": missing}
