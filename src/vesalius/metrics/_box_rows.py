"""Rows of boxes: each case's boxes matched with its true ones once, and all that a resample needs of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from vesalius.core.answers.boxes import COUNTS, Boxes, counts_of
from vesalius.core.answers.numbers import Numbers
from vesalius.core.case import Box
from vesalius.core.errors import DataError
from vesalius.core.image import Array
from vesalius.metrics import _ragged as ragged
from vesalius.metrics import numbers
from vesalius.metrics._matching import (
    HIT,
    IOU,
    NEITHER,
    Hit,
    corners,
    first_hits,
    greedy,
    nearness,
    overlaps,
)
from vesalius.metrics._rows import Rows

COCO_MOST = 100  # of the surest boxes of one label and case that count, as COCO has it
MATCH, FROC = len(IOU), len(IOU) + 1  # places of flags after those of the IoU thresholds
CELLS = ("p", "label", "hit", "neither", "called", "size", "size_label", "found")


def row(
    answer: Boxes, truth: Sequence[Box], *, spacing_mm: tuple[float, float, float] | None = None
) -> dict[str, Any]:
    """Return what is kept of one case until all are there: corners, probabilities, what is called, and the true boxes.

    `spacing_mm` is the image's, `(x, y, z)`, by which sizes of true boxes are in millimetres; else they are in voxels.
    Raises DataError where a corner or a probability is not a finite number, or where there is not one a box.
    """
    p = np.asarray(answer.p, dtype=np.float64)
    if p.shape != (len(answer.boxes),):
        raise DataError(
            f"case {answer.case_id}: need one probability a box",
            found=f"{len(answer.boxes)} boxes and shape {p.shape}",
        )
    found, true = corners(answer.boxes), corners(truth)
    for what, values in (("the answer", found), ("the probabilities", p), ("the truth", true)):
        if not np.isfinite(values).all():
            raise DataError(f"case {answer.case_id}: {what} holds what is not a finite number")
    called = np.zeros(len(p), dtype=bool)
    called[list(answer.called)] = True
    counted = answer.parts.get(COUNTS)
    return {
        "boxes": found, "p": p, "called": called, "names": [b.label for b in answer.boxes],
        "labels": [x.name for x in answer.labels],
        "true": true, "crowd": np.array([b.crowd for b in truth], dtype=bool),
        "true_names": [b.label for b in truth],
        "counts": counted if isinstance(counted, Numbers) else counts_of(answer),
        "scale": None if spacing_mm is None else np.array(spacing_mm[::-1], dtype=np.float64),
        "thresholds": dict(answer.thresholds or {}),
    }  # fmt: skip


def table(made: Sequence[Mapping[str, Any]], case_ids: Sequence[str], *, hit: Hit | None = None) -> Rows:
    """Return the rows from what `row` gave for each case, boxes matched with true ones; see `rows`.

    Of one label and case the 100 surest boxes count, as in COCO; as many as there are where any case truly has more
    than 100 of one label.
    """
    labels = list(
        dict.fromkeys(n for one in made for n in (*one["labels"], *one["true_names"], *one["names"]))
    )
    place = {name: k for k, name in enumerate(labels)}
    rule = hit or usual(made)
    flat = _flat(made)
    in_mm = bool(made) and all(one["scale"] is not None for one in made)
    cells: dict[str, list[Array]] = {name: [] for name in CELLS}
    true, crowds = (np.zeros((len(made), len(labels)), dtype=np.int64) for _ in range(2))
    for k, one in enumerate(made):
        ours = np.array([place[n] for n in one["names"]], dtype=np.int16)
        theirs = np.array([place[n] for n in one["true_names"]], dtype=np.int16)
        np.add.at(true[k], theirs[~one["crowd"]], 1)
        np.add.at(crowds[k], theirs[one["crowd"]], 1)
        flags, by = _matched(one, ours, theirs, rule)
        bits = 1 << np.arange(flags.shape[1], dtype=np.int32)
        found = np.zeros(len(theirs), dtype=bool)
        found[by[(by >= 0) & one["called"]]] = True
        kept = ~one["crowd"]
        for name, value in {
            "p": one["p"], "label": ours, "called": one["called"],
            "hit": ((flags == HIT) * bits).sum(axis=1).astype(np.int32),
            "neither": ((flags == NEITHER) * bits).sum(axis=1).astype(np.int32),
            "size": _longest(one["true"], one["scale"] if in_mm else None, flat=flat)[kept],
            "size_label": theirs[kept], "found": found[kept],
        }.items():  # fmt: skip
            cells[name].append(value)
    columns = {name: ragged.column(column) for name, column in cells.items()}
    columns |= {"true": true, "crowds": crowds, **_counts(made, labels, true, crowds)}
    info = {
        "labels": tuple(labels), "hit": rule, "units": dict.fromkeys(labels, "1"), "alike": True,
        "most": COCO_MOST if true.max(initial=0) <= COCO_MOST else max((len(p) for p in cells["p"]), default=0),
        "size_unit": "mm" if in_mm else "pixels" if flat else "voxels", "thresholds": _shared(made),
    }  # fmt: skip
    return ready(Rows(tuple(case_ids), columns, info))


def kept(rows: Rows, index: int) -> dict[str, Any]:
    """Return what of one row a scorecard keeps, as JSON takes it; `again` makes rows of it."""
    one: dict[str, Any] = {name: rows[name][index].tolist() for name in CELLS}
    one |= {name: rows[name][index].tolist() for name in ("true", "crowds")}
    labels = rows.info["labels"]
    bounds = {
        n: (rows[f"low/{n}"][index], rows[f"high/{n}"][index]) for n in labels if f"low/{n}" in rows.columns
    }
    return one | {
        "counts": [float(rows[f"x/{n}"][index]) for n in labels],
        "intervals": {
            n: [None if np.isinf(v) else float(v) for v in both]
            for n, both in bounds.items()
            if not np.isnan(both).any()
        },
    }


def again(
    held: Sequence[Mapping[str, Any]],
    case_ids: Sequence[str],
    *,
    labels: Sequence[str],
    info: Mapping[str, Any],
) -> Rows:
    """Return the rows of which `kept` was said, with the rules in `info`: `hit`, `most`, `size_unit`, `thresholds`."""
    types = {"p": np.float64, "size": np.float64, "called": bool, "found": bool}
    columns = {
        name: ragged.column([np.array(one[name], dtype=types.get(name, np.int32)) for one in held])
        for name in CELLS
    }
    true, crowds = (
        np.array([one[name] for one in held], dtype=np.int64).reshape(len(held), len(labels))
        for name in ("true", "crowds")
    )
    x = {n: np.array([one["counts"][k] for one in held], dtype=np.float64) for k, n in enumerate(labels)}
    y = {n: np.where(crowds[:, k] > 0, np.nan, true[:, k]) for k, n in enumerate(labels)}
    bounds = {
        n: np.array([_bounds(one["intervals"].get(n)) for one in held], dtype=np.float64) for n in labels
    }
    kept_bounds = {n: b for n, b in bounds.items() if not np.isnan(b).all()}
    columns |= {"true": true, "crowds": crowds, **numbers.from_arrays(x, y, intervals=kept_bounds).columns}
    rules = {**info, "labels": tuple(labels), "units": dict.fromkeys(labels, "1"), "alike": True}
    return ready(Rows(tuple(case_ids), columns, rules))


def found_by(answer: Boxes, truth: Sequence[Box], *, hit: Hit | None = None) -> tuple[Array, Array]:
    """Return of each true box that is no crowd the place of the box that finds it, -1 of none, and its label, `(M,)`.

    All candidates are held against the truth, the surest first, whether they are called or not.
    """
    one = row(answer, truth)
    names = {n: k for k, n in enumerate(dict.fromkeys([*one["names"], *one["true_names"]]))}
    ours, theirs = (np.array([names[n] for n in one[k]], dtype=np.int64) for k in ("names", "true_names"))
    _, by = _matched(one, ours, theirs, hit or usual([one]))
    found = np.full(len(theirs), -1, dtype=np.int64)
    found[by[by >= 0]] = np.flatnonzero(by >= 0)
    real = ~one["crowd"]
    return found[real], np.array(one["true_names"], dtype=object)[real]


def usual(made: Sequence[Mapping[str, Any]]) -> Hit:
    """Return when a box has found a true one by default: by half in pictures, by a tenth in volumes."""
    return Hit(at=0.5 if _flat(made) else 0.1)


def ready(rows: Rows) -> Rows:
    """Return rows with all that a resample needs, worked out once."""
    return Rows(rows.case_ids, rows.columns, rows.info, prepared(rows))


def prepared(rows: Rows) -> dict[str, Array]:
    """Return all that a resample needs of the rows: the order of boxes, hits and false ones, and calls a case."""
    labels, many = rows["label"], len(rows.info["labels"])
    held = ragged.ordered(rows["p"], labels, many=many, most=rows.info["most"])
    starts = np.concatenate([[0], np.cumsum([len(x) for x in labels])]).astype(np.int64)
    at = starts[held["case"]] + held["cell"]

    def flags(bit: Array) -> Array:
        hit, neither = (
            np.concatenate([*rows[n], np.zeros(0, np.int32)]).astype(np.int64)[at] for n in ("hit", "neither")
        )
        return np.where((hit[:, None] >> bit) & 1, HIT, np.where((neither[:, None] >> bit) & 1, NEITHER, 0))

    held |= ragged.grouped(flags(np.arange(len(IOU))), held)
    ends = flags(np.array([FROC]))[:, 0]
    for name, what in (("hit", HIT), ("false", 0)):
        where = np.flatnonzero(ends == what)
        held[f"{name}_case"] = held["case"][where]
        held[f"end_{name}"] = np.searchsorted(where, held["end"], side="right")
        held[f"{name}_start"] = np.searchsorted(where, held["start"][:-1])
    right, wrong = (np.zeros((len(rows), many), dtype=np.int64) for _ in range(2))
    for k, (label, hit, neither, called) in enumerate(
        zip(labels, rows["hit"], rows["neither"], rows["called"], strict=True)
    ):
        good = called & ((hit >> MATCH) & 1 == 1)
        np.add.at(right[k], label[good], 1)
        np.add.at(wrong[k], label[called & ~good & ((neither >> MATCH) & 1 == 0)], 1)
    return held | {"right": right, "wrong": wrong}


def _matched(one: Mapping[str, Any], ours: Array, theirs: Array, hit: Hit) -> tuple[Array, Array]:
    """Return how each box of a case ended, `(N, T + 2)`, and which true one it found by the rule of a hit, or -1."""
    ends = np.zeros((len(ours), len(IOU) + 2), dtype=np.int8)
    by = np.full(len(ours), -1, dtype=np.int64)
    for label in np.unique(ours):
        mine, real = np.flatnonzero(ours == label), np.flatnonzero(theirs == label)
        mine = mine[np.argsort(-one["p"][mine], kind="stable")]
        crowd = one["crowd"][real]
        if not len(real):
            continue
        near = overlaps(one["boxes"][mine], one["true"][real], crowd)
        ends[mine, : len(IOU)] = greedy(near, crowd, IOU.tolist())[0]
        near, least = nearness(one["boxes"][mine], one["true"][real], crowd, hit)
        end, found = greedy(near, crowd, [least])
        ends[mine, MATCH], ends[mine, FROC] = end[:, 0], first_hits(near, crowd, least)
        by[mine] = np.where(end[:, 0] == HIT, real[found[:, 0]], -1)
    return ends, by


def _counts(
    made: Sequence[Mapping[str, Any]], labels: Sequence[str], true: Array, crowds: Array
) -> dict[str, Array]:
    """Return counts, true counts and promised intervals by label, as metrics of numbers take them."""
    if not made:
        return {}
    x = {n: np.array([_count(one, n) for one in made], dtype=np.float64) for n in labels}
    y = {n: np.where(crowds[:, k] > 0, np.nan, true[:, k]) for k, n in enumerate(labels)}
    bounds = {n: np.array([numbers.interval(one["counts"].values.get(n)) for one in made]) for n in labels}
    held = {n: b for n, b in bounds.items() if not np.isnan(b).all()}
    return dict(numbers.from_arrays(x, y, intervals=held).columns)


def _count(one: Mapping[str, Any], label: str) -> float:
    said = one["counts"].values.get(label)
    return 0.0 if said is None else float(said.x)


def _longest(boxes: Array, scale: Array | None, *, flat: bool) -> Array:
    """Return the longest side of each box `(N, 2, 3)`, in voxels, or in what `scale` `(3,)` says a voxel measures.

    A `flat` one has no side along z.
    """
    sides = boxes[:, 1] - boxes[:, 0]
    sides = sides if scale is None else sides * scale
    return np.asarray(sides[:, 1 if flat else 0 :].max(axis=1, initial=0.0))


def _shared(made: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Return the thresholds by label, where all cases have the same ones."""
    first = dict(made[0]["thresholds"]) if made else {}
    return first if all(one["thresholds"] == first for one in made) else {}


def _bounds(held: Sequence[float | None] | None) -> tuple[float, float]:
    """Return a kept interval, infinite on a side without a bound; NaN where nothing was promised."""
    if held is None:
        return float("nan"), float("nan")
    low, high = held
    return -np.inf if low is None else low, np.inf if high is None else high


def _flat(made: Sequence[Mapping[str, Any]]) -> bool:
    """Return whether all true boxes lie within one plane, as those of pictures do."""
    depths = [one["true"][:, :, 0] for one in made if len(one["true"])]
    depths = depths or [one["boxes"][:, :, 0] for one in made if len(one["boxes"])]
    return all((d[:, 0] >= 0).all() and (d[:, 1] <= 1).all() for d in depths)
