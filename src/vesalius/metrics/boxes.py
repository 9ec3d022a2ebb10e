"""Metrics of Boxes: average precision as COCO has it, FROC as LUNA16 has it, what is called, and counts.

Boxes are matched once a case and threshold; a resample only weighs the cases, so that every figure of it is that of a
cohort made of them.
"""

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
from vesalius.metrics._matching import HIT, IOU, NEITHER, Hit, first_hits, greedy, nearness, overlaps
from vesalius.metrics._rows import Rows

__all__ = [
    "IOU", "RATES", "Hit", "again", "alike", "baseline", "counts", "excluded", "found_by", "froc_curve", "joined",
    "kept", "occurrences", "of_cases", "precision_curve", "row", "rows", "summary", "table", "usual",
]  # fmt: skip

ANSWER = "Boxes"
DESCRIPTIONS = {
    "ap": {"text": "average precision, the mean over IoU .5 to .95 in steps of .05 (COCO)", "better": "higher",
           "low": 0.0, "high": 1.0, "unit": ""},
    "ap50": {"text": "average precision where a box must overlap by an IoU of .5 (COCO)", "better": "higher",
             "low": 0.0, "high": 1.0, "unit": ""},
    "ap10": {"text": "average precision where a box must overlap by an IoU of .1", "better": "higher", "low": 0.0,
             "high": 1.0, "unit": ""},
    "froc": {"text": "mean sensitivity at 1/8, 1/4, 1/2, 1, 2, 4 and 8 false boxes an image (LUNA16)",
             "better": "higher", "low": 0.0, "high": 1.0, "unit": ""},
    "sensitivity_at_1_8": {"text": "share of true boxes found at 1/8 false box an image", "better": "higher",
                           "low": 0.0, "high": 1.0, "unit": ""},
    "sensitivity_at_1_4": {"text": "share of true boxes found at 1/4 false box an image", "better": "higher",
                           "low": 0.0, "high": 1.0, "unit": ""},
    "sensitivity_at_1_2": {"text": "share of true boxes found at 1/2 false box an image", "better": "higher",
                           "low": 0.0, "high": 1.0, "unit": ""},
    "sensitivity_at_1": {"text": "share of true boxes found at 1 false box an image", "better": "higher", "low": 0.0,
                         "high": 1.0, "unit": ""},
    "sensitivity_at_2": {"text": "share of true boxes found at 2 false boxes an image", "better": "higher",
                         "low": 0.0, "high": 1.0, "unit": ""},
    "sensitivity_at_4": {"text": "share of true boxes found at 4 false boxes an image", "better": "higher",
                         "low": 0.0, "high": 1.0, "unit": ""},
    "sensitivity_at_8": {"text": "share of true boxes found at 8 false boxes an image", "better": "higher",
                         "low": 0.0, "high": 1.0, "unit": ""},
    "sensitivity": {"text": "share of true boxes that a called box finds", "better": "higher", "low": 0.0,
                    "high": 1.0, "unit": ""},
    "precision": {"text": "share of called boxes that find a true one", "better": "higher", "low": 0.0, "high": 1.0,
                  "unit": ""},
    "f1": {"text": "harmonic mean of sensitivity and precision of called boxes", "better": "higher", "low": 0.0,
           "high": 1.0, "unit": ""},
    "false_per_image": {"text": "called boxes an image that find nothing; of all labels together where no label is "
                                "named", "better": "lower", "low": 0.0, "high": None, "unit": ""},
    "count_mae": {"text": "mean size of the error of the number of called boxes", "better": "lower", "low": 0.0,
                  "high": None, "unit": ""},
    "count_relative": {"text": "mean of |count − truth| / truth, over cases that have any", "better": "lower",
                       "low": 0.0, "high": None, "unit": ""},
    "count_bias": {"text": "mean error of the number of called boxes, count minus truth", "better": "zero",
                   "low": None, "high": None, "unit": ""},
    "count_spearman": {"text": "rank correlation of counts with the true ones", "better": "higher", "low": -1.0,
                       "high": 1.0, "unit": ""},
    "count_inside": {"text": "share of true counts within the promised interval", "better": "higher", "low": 0.0,
                     "high": 1.0, "unit": ""},
    "count_width": {"text": "mean width of the promised intervals of counts", "better": "lower", "low": 0.0,
                    "high": None, "unit": ""},
}  # fmt: skip
RATES = np.array([1 / 8, 1 / 4, 1 / 2, 1, 2, 4, 8])  # false boxes an image, as LUNA16 asks
CANDIDATES, COMPARED = 48, 192  # cases at most that may be the trivial answer, and that it is held against
COCO_MOST = 100  # of the surest boxes of one label and case that count, as COCO has it
_AT = tuple(name for name in DESCRIPTIONS if name.startswith("sensitivity_at_"))
_COUNTED = {"mae": "count_mae", "relative": "count_relative", "bias": "count_bias", "spearman": "count_spearman",
            "inside": "count_inside", "width": "count_width"}  # fmt: skip
_MATCH, _FROC = len(IOU), len(IOU) + 1  # places of flags after those of the IoU thresholds
_CELLS = ("p", "label", "hit", "neither", "called", "size", "size_label", "found")


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
    found, true = _corners(answer.boxes), _corners(truth)
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


def rows(answers: Sequence[Boxes], truths: Sequence[Sequence[Box]], *, hit: Hit | None = None) -> Rows:
    """Return a row a case. `hit` is when a box has found a true one, in FROC curves and of what is called.

    By default that is an overlap by .5 in pictures and by .1 in volumes, where few overlap by half. Raises DataError.
    """
    if len(answers) != len(truths):
        raise DataError("each answer needs one truth", found=f"{len(answers)} answers, {len(truths)} truths")
    made = [row(a, t) for a, t in zip(answers, truths, strict=True)]
    return table(made, [a.case_id for a in answers], hit=hit)


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
    in_mm = bool(made) and all(one["scale"] is not None for one in made)
    cells: dict[str, list[Array]] = {name: [] for name in _CELLS}
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
            "size": _longest(one["true"], one["scale"] if in_mm else None)[kept],
            "size_label": theirs[kept], "found": found[kept],
        }.items():  # fmt: skip
            cells[name].append(value)
    columns = {name: ragged.column(column) for name, column in cells.items()}
    columns |= {"true": true, "crowds": crowds, **_counts(made, labels, true, crowds)}
    info = {
        "labels": tuple(labels), "hit": rule, "units": dict.fromkeys(labels, "1"), "alike": True,
        "most": COCO_MOST if true.max(initial=0) <= COCO_MOST else max((len(p) for p in cells["p"]), default=0),
        "size_unit": "mm" if in_mm else "voxels", "thresholds": _shared(made),
    }  # fmt: skip
    return kept_ready(Rows(tuple(case_ids), columns, info))


def kept(rows: Rows, index: int) -> dict[str, Any]:
    """Return what of one row a scorecard keeps, as JSON takes it; `again` makes rows of it."""
    one: dict[str, Any] = {name: rows[name][index].tolist() for name in _CELLS}
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
        for name in _CELLS
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
    return kept_ready(Rows(tuple(case_ids), columns, rules))


def joined(first: Rows, second: Rows) -> Rows:
    """Return the rows of two tables of the same labels. Raises DataError where their rules of a hit differ."""
    if first.info["hit"] != second.info["hit"]:
        rules = f"{first.info['hit'].words}; {second.info['hit'].words}"
        raise DataError("the two models were matched by different rules", found=rules)
    names = list(dict.fromkeys((*first.columns, *second.columns)))
    lacking = [np.full(len(t), np.nan) for t in (first, second)]
    columns = {
        n: np.concatenate([t.columns.get(n, nan) for t, nan in zip((first, second), lacking, strict=True)])
        for n in names
    }
    info = {**first.info, "most": max(first.info["most"], second.info["most"])}
    return kept_ready(Rows((*first.case_ids, *second.case_ids), columns, info))


def summary(rows: Rows, index: Array) -> dict[str, float]:
    """Return every figure of each label, `ap50/NAME`, and its mean over the labels that truly are there, `ap50`.

    A label without a true box in these cases has no average precision and no sensitivity, and is left out of means.
    False boxes an image are those of all labels together. NaN where a figure is not defined.
    """
    held = rows.prepared or _prepared(rows)
    weight = np.bincount(index, minlength=len(rows))
    true = weight @ rows["true"]
    labels = rows.info["labels"]
    seen = np.zeros(len(held["case"]) + 1, dtype=np.int64)
    np.cumsum(weight[held["case"]], out=seen[1:])
    ap = ragged.precisions(held, weight, seen, true).mean(axis=1).reshape(len(IOU), len(labels))
    found = _sensed(ragged.sensitivities(held, weight, true, RATES))
    each: dict[str, Array] = {"ap": ap[1:].mean(axis=0), "ap50": ap[1], "ap10": ap[0], **found}
    each |= _called(weight @ held["right"], weight @ held["wrong"], true, max(len(index), 1))
    figures: dict[str, float] = {}
    for name, values in each.items():
        there = values[(true > 0) & np.isfinite(values)]
        figures[name] = float(there.mean()) if len(there) else float("nan")
        figures |= {f"{name}/{label}": float(v) for label, v in zip(labels, values, strict=True)}
    figures["false_per_image"] = float(each["false_per_image"].sum())
    return figures | {
        full.replace(name, _COUNTED[name], 1): value
        for full, value in numbers.summary(rows, index).items()
        if (name := full.partition("/")[0]) in _COUNTED
    }


def counts(rows: Rows) -> dict[str, int]:
    """Return of how many cases each figure speaks, where not of all: sensitivities of those with a true box."""
    found: dict[str, int] = {}
    there = rows["true"] > 0
    for name in (*_AT, "froc", "sensitivity"):
        found[name] = int(there.any(axis=1).sum())
        found |= {f"{name}/{x}": int(there[:, k].sum()) for k, x in enumerate(rows.info["labels"])}
    return found | {
        full.replace(name, _COUNTED[name], 1): n
        for full, n in numbers.counts(rows).items()
        if (name := full.partition("/")[0]) in _COUNTED
    }


def excluded(rows: Rows) -> dict[str, int]:
    """Return the cases whose true count of a label is not known, for a crowd is there, and labels that no case has."""
    found: dict[str, int] = {}
    for k, label in enumerate(rows.info["labels"]):
        crowded = int((rows["crowds"][:, k] > 0).sum())
        found |= {f"crowd/{label}": crowded} if crowded else {}
        found |= {f"absent/{label}": len(rows)} if not rows["true"][:, k].any() else {}
    return found


def occurrences(rows: Rows) -> dict[str, tuple[int, int, int]]:
    """For each label: cases with a true box, cases with a called one, and all cases."""
    found = {}
    for k, label in enumerate(rows.info["labels"]):
        said = sum(bool((c & (x == k)).any()) for c, x in zip(rows["called"], rows["label"], strict=True))
        found[label] = (int((rows["true"][:, k] > 0).sum()), said, len(rows))
    return found


def baseline(truths: Sequence[Sequence[Box]]) -> tuple[tuple[Box, ...], Array]:
    """Return the trivial answer: the true boxes of the case that is most like the others, and a probability each.

    The boxes of all cases are in one frame, such as fractions of their image. Most like the others is the one whose
    boxes overlap theirs most; of many cases some stand for all. The probability of a box is the share of the other
    cases with a box of its label that overlaps it by half.
    """
    known = [[b for b in truth if not b.crowd] for truth in truths]
    tried, held = (known[:: max(1, len(known) // n)] for n in (CANDIDATES, COMPARED))
    best = max(tried, key=lambda one: sum(_alike(one, x) for x in held), default=[])
    others = [x for x in held if x is not best]
    share = [
        np.mean([alike([b], x).max(initial=0.0) >= 0.5 for x in others]) if others else 1.0 for b in best
    ]
    return tuple(best), np.array(share, dtype=np.float64)


def _alike(one: Sequence[Box], other: Sequence[Box]) -> float:
    """Return how alike the boxes of two cases are: the mean over all boxes of the best overlap with the other's."""
    if not one or not other:
        return float(not one and not other)
    near = alike(one, other)
    return float(np.concatenate([near.max(axis=0), near.max(axis=1)]).mean())


def alike(one: Sequence[Box], other: Sequence[Box]) -> Array:
    """Return the intersection over union of each two boxes, `(N, M)`, 0 where their labels differ."""
    alike = np.array([[a.label == b.label for b in other] for a in one], dtype=bool).reshape(
        len(one), len(other)
    )
    return np.asarray(overlaps(_corners(one), _corners(other), np.zeros(len(other), dtype=bool)) * alike)


def precision_curve(rows: Rows, at: float) -> dict[str, Array]:
    """Return by label the precision at COCO's 101 recalls, of one of the thresholds `IOU`; labels that are there."""
    held, weight = rows.prepared or _prepared(rows), np.ones(len(rows), dtype=np.int64)
    true = weight @ rows["true"]
    seen = np.arange(len(held["case"]) + 1)
    made = ragged.precisions(held, weight, seen, true).reshape(len(IOU), len(true), -1)
    curves = made[int(np.argmin(np.abs(IOU - at)))]
    return {x: curves[k] for k, x in enumerate(rows.info["labels"]) if true[k]}


def froc_curve(rows: Rows, index: Array, rates: Array) -> Array:
    """Return the sensitivity at each rate of false boxes an image, `(K, R)`, on a resample; NaN of absent labels."""
    held, weight = rows.prepared or _prepared(rows), np.bincount(index, minlength=len(rows))
    return ragged.sensitivities(held, weight, weight @ rows["true"], rates)


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


def of_cases(rows: Rows) -> tuple[Array, Array, Array]:
    """Return a case's called boxes that found something, those that found nothing, and its true boxes, `(N, K)`."""
    held = rows.prepared or _prepared(rows)
    return held["right"], held["wrong"], rows["true"]


def kept_ready(rows: Rows) -> Rows:
    """Return rows with all that a resample needs, worked out once."""
    return Rows(rows.case_ids, rows.columns, rows.info, _prepared(rows))


def _prepared(rows: Rows) -> dict[str, Array]:
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
    ends = flags(np.array([_FROC]))[:, 0]
    for name, what in (("hit", HIT), ("false", 0)):
        where = np.flatnonzero(ends == what)
        held[f"{name}_case"] = held["case"][where]
        held[f"end_{name}"] = np.searchsorted(where, held["end"], side="right")
        held[f"{name}_start"] = np.searchsorted(where, held["start"][:-1])
    right, wrong = (np.zeros((len(rows), many), dtype=np.int64) for _ in range(2))
    for k, (label, hit, neither, called) in enumerate(
        zip(labels, rows["hit"], rows["neither"], rows["called"], strict=True)
    ):
        good = called & ((hit >> _MATCH) & 1 == 1)
        np.add.at(right[k], label[good], 1)
        np.add.at(wrong[k], label[called & ~good & ((neither >> _MATCH) & 1 == 0)], 1)
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
        ends[mine, _MATCH], ends[mine, _FROC] = end[:, 0], first_hits(near, crowd, least)
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


def _called(right: Array, wrong: Array, true: Array, images: int) -> dict[str, Array]:
    """Return the figures of what is called, `(K,)` each."""
    nan = np.full(len(true), np.nan)
    both = right + wrong
    found = {
        "sensitivity": np.divide(right, true, out=nan.copy(), where=true > 0),
        "precision": np.divide(right, both, out=nan.copy(), where=both > 0),
        "f1": np.divide(2 * right, both + true, out=nan.copy(), where=both + true > 0),
        "false_per_image": wrong / images,
    }
    return found


def _sensed(found: Array) -> dict[str, Array]:
    """Return sensitivities `(K, R)` under their names, and their mean."""
    return {"froc": found.mean(axis=1), **{name: found[:, k] for k, name in enumerate(_AT)}}


def _longest(boxes: Array, scale: Array | None) -> Array:
    """Return the longest side of each box `(N, 2, 3)`, in voxels, or in what `scale` `(3,)` says a voxel measures."""
    sides = boxes[:, 1] - boxes[:, 0]
    return np.asarray((sides if scale is None else sides * scale).max(axis=1, initial=0.0))


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


def _corners(boxes: Sequence[Box]) -> Array:
    """Return corners `(N, 2, 3)`."""
    return np.array([(b.low, b.high) for b in boxes], dtype=np.float64).reshape(-1, 2, 3)


def _flat(made: Sequence[Mapping[str, Any]]) -> bool:
    """Return whether all true boxes lie within one plane, as those of pictures do."""
    depths = [one["true"][:, :, 0] for one in made if len(one["true"])]
    depths = depths or [one["boxes"][:, :, 0] for one in made if len(one["boxes"])]
    return all((d[:, 0] >= 0).all() and (d[:, 1] <= 1).all() for d in depths)
