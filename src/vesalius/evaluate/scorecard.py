"""From rows of a metric file to a Scorecard: figures, intervals, the baseline beside them, and curves to draw."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from vesalius import metrics
from vesalius.core.errors import DataError
from vesalius.core.image import Array
from vesalius.core.scorecard import Banner, Scorecard
from vesalius.evaluate import banners
from vesalius.metrics import Rows
from vesalius.metrics import scores as of_scores

POINTS = 200


def scorecard(
    rows: Rows,
    answer: str,
    *,
    split: str,
    data_hash: str,
    patients: Sequence[str | None] | None = None,
    bundle: str = "",
    target: str | None = None,
    baseline: Rows | None = None,
    baseline_is: str = "",
    resamples: int = 1000,
    seed: int = 0,
    told: Sequence[Banner] = (),
) -> Scorecard:
    """Score `rows`, as the metric file of that kind of answer (`"Scores"`, `"Mask"`, …) made them.

    `patients` names each row's patient; where any is None, each case counts as a patient and the card says so.
    `baseline` are the trivial answer's rows to the same cases, in the same order. `told` are banners of the model,
    which come before those of the cases. Raises DataError.
    """
    module = metrics.for_answer(answer)
    known = patients is not None and all(p is not None for p in patients)
    who = [str(p) for p in patients] if known and patients is not None else list(rows.case_ids)
    if not known:
        who = [f"{i}" for i in range(len(rows))]
    if baseline is not None and baseline.case_ids != rows.case_ids:
        raise DataError("the baseline must answer the same cases in the same order")
    if (
        baseline is not None and "positive" in rows.info
    ):  # a trivial answer knows no positive class of its own
        baseline = replace(baseline, info={**baseline.info, "positive": rows.info["positive"]})

    def judged(table: Rows) -> dict[str, metrics.Interval]:
        return metrics.bootstrap(
            table, module.summary, patients=who, counts=module.counts(table), n=resamples, seed=seed
        )

    info = rows.info
    return Scorecard(
        answer=answer,
        split=split,
        n_patients=len(set(who)),
        n_cases=len(rows),
        patients_known=known,
        data_hash=data_hash,
        bundle=bundle,
        metrics=judged(rows),
        baseline=judged(baseline) if baseline is not None else {},
        baseline_is=baseline_is,
        target=target,
        labels=tuple(info.get("labels", ())),
        unit=info.get("unit"),
        positive=info.get("positive"),
        thresholds=dict(info.get("thresholds", {})),
        tolerance_mm=info.get("tolerance_mm"),
        tolerance_px=info.get("tolerance_px"),
        resamples=resamples,
        seed=seed,
        excluded=module.excluded(rows),
        curves=_curves(rows) if answer == "Scores" else {},
        cases=tuple(_case(rows, i, answer) for i in range(len(rows))),
        banners=(
            *told,
            *banners.of_rows(rows, answer, split=split, patients=len(set(who)), known=known),
        ),
    )


def _curves(rows: Rows) -> dict[str, Any]:
    """ROC, precision-recall and calibration by label, and the confusion matrix where labels exclude another."""
    p, y, labels, positive = rows["p"], rows["y"], rows.info["labels"], rows.info["positive"]
    many = rows.info["kind"] == "multilabel"
    found: dict[str, Any] = {"roc": {}, "precision_recall": {}, "calibration": {}}
    for k, label in enumerate(labels):
        if not many and len(labels) == 2 and label != positive:
            continue
        known = y[:, k] >= 0 if many else np.ones(len(y), dtype=bool)
        truth, chance = (y[known, k] == 1 if many else y == k), p[known, k]
        if truth.any() and not truth.all():
            false, hit, _ = of_scores.roc(truth, chance)
            recall, precision, _ = of_scores.precision_recall(truth, chance)
            found["roc"][label] = {"x": _thin(false), "y": _thin(hit)}
            found["precision_recall"][label] = {
                "x": _thin(recall),
                "y": _thin(precision),
                "share": float(truth.mean()),
            }
        sure, share, n = of_scores.calibration_curve(truth, chance, bins=10)
        found["calibration"][label] = {"x": _listed(sure), "y": _listed(share), "n": n.tolist()}
    if not many:
        found["confusion"] = of_scores.confusion(y, rows["decided"], len(labels)).tolist()
    return found


def _thin(values: Array) -> list[float]:
    """At most POINTS of them, ends included."""
    if len(values) > POINTS:
        values = values[np.linspace(0, len(values) - 1, POINTS).round().astype(int)]
    return _listed(values)


def _listed(values: Array) -> list[float]:
    return [round(float(v), 5) for v in values]


def _case(rows: Rows, i: int, answer: str) -> dict[str, Any]:
    one: dict[str, Any] = {"case": rows.case_ids[i]}
    if answer == "Scores":
        labels, y, called = rows.info["labels"], rows["y"][i], rows["decided"][i]
        if rows.info["kind"] == "multilabel":
            one["truth"] = [name for name, bit in zip(labels, y, strict=True) if bit == 1]
            one["called"] = [name for name, bit in zip(labels, called, strict=True) if bit == 1]
        else:
            one["truth"], one["called"] = labels[y], labels[called]
        one["p"] = {name: float(v) for name, v in zip(labels, rows["p"][i], strict=True)}
        return one
    return one | {name: float(column[i]) for name, column in rows.columns.items() if column.ndim == 1}
