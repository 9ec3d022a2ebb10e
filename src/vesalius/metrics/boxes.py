"""Metrics of Boxes: average precision as COCO has it, FROC as LUNA16 has it, what is called, and counts.

Boxes are matched once a case and threshold; a resample only weighs the cases, so that every figure of it is that of a
cohort made of them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vesalius.core.answers.boxes import Boxes
from vesalius.core.case import Box
from vesalius.core.errors import DataError
from vesalius.core.image import Array
from vesalius.metrics import _ragged as ragged
from vesalius.metrics import numbers
from vesalius.metrics._box_priors import alike, baseline
from vesalius.metrics._box_rows import again, found_by, kept, prepared, ready, row, table, usual
from vesalius.metrics._counted import excluded, renamed
from vesalius.metrics._matching import IOU, Hit
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
_AT = tuple(name for name in DESCRIPTIONS if name.startswith("sensitivity_at_"))
_COUNTED = {"mae": "count_mae", "relative": "count_relative", "bias": "count_bias", "spearman": "count_spearman",
            "inside": "count_inside", "width": "count_width"}  # fmt: skip


def rows(answers: Sequence[Boxes], truths: Sequence[Sequence[Box]], *, hit: Hit | None = None) -> Rows:
    """Return a row a case. `hit` is when a box has found a true one, in FROC curves and of what is called.

    By default that is an overlap by .5 in pictures and by .1 in volumes, where few overlap by half. Raises DataError.
    """
    if len(answers) != len(truths):
        raise DataError("each answer needs one truth", found=f"{len(answers)} answers, {len(truths)} truths")
    made = [row(a, t) for a, t in zip(answers, truths, strict=True)]
    return table(made, [a.case_id for a in answers], hit=hit)


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
    return ready(Rows((*first.case_ids, *second.case_ids), columns, info))


def summary(rows: Rows, index: Array) -> dict[str, float]:
    """Return every figure of each label, `ap50/NAME`, and its mean over the labels that truly are there, `ap50`.

    A label without a true box in these cases has no average precision and no sensitivity, and is left out of means.
    False boxes an image are those of all labels together. NaN where a figure is not defined.
    """
    held = rows.prepared or prepared(rows)
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
    return figures | renamed(numbers.summary(rows, index), _COUNTED)


def counts(rows: Rows) -> dict[str, int]:
    """Return of how many cases each figure speaks, where not of all: sensitivities of those with a true box."""
    found: dict[str, int] = {}
    there = rows["true"] > 0
    for name in (*_AT, "froc", "sensitivity"):
        found[name] = int(there.any(axis=1).sum())
        found |= {f"{name}/{x}": int(there[:, k].sum()) for k, x in enumerate(rows.info["labels"])}
    return found | renamed(numbers.counts(rows), _COUNTED)


def occurrences(rows: Rows) -> dict[str, tuple[int, int, int]]:
    """For each label: cases with a true box, cases with a called one, and all cases."""
    found = {}
    for k, label in enumerate(rows.info["labels"]):
        said = sum(bool((c & (x == k)).any()) for c, x in zip(rows["called"], rows["label"], strict=True))
        found[label] = (int((rows["true"][:, k] > 0).sum()), said, len(rows))
    return found


def precision_curve(rows: Rows, at: float) -> dict[str, Array]:
    """Return by label the precision at COCO's 101 recalls, of one of the thresholds `IOU`; labels that are there."""
    held, weight = rows.prepared or prepared(rows), np.ones(len(rows), dtype=np.int64)
    true = weight @ rows["true"]
    seen = np.arange(len(held["case"]) + 1)
    made = ragged.precisions(held, weight, seen, true).reshape(len(IOU), len(true), -1)
    curves = made[int(np.argmin(np.abs(IOU - at)))]
    return {x: curves[k] for k, x in enumerate(rows.info["labels"]) if true[k]}


def froc_curve(rows: Rows, index: Array, rates: Array) -> Array:
    """Return the sensitivity at each rate of false boxes an image, `(K, R)`, on a resample; NaN of absent labels."""
    held, weight = rows.prepared or prepared(rows), np.bincount(index, minlength=len(rows))
    return ragged.sensitivities(held, weight, weight @ rows["true"], rates)


def of_cases(rows: Rows) -> tuple[Array, Array, Array]:
    """Return a case's called boxes that found something, those that found nothing, and its true boxes, `(N, K)`."""
    held = rows.prepared or prepared(rows)
    return held["right"], held["wrong"], rows["true"]


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
