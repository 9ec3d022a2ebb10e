"""Metrics of Scores: accuracy and its kin, AUC, average precision, Brier, log loss, calibration; kappa of grades."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from vesalius.core import grades
from vesalius.core.answers.scores import Scores
from vesalius.core.errors import DataError, UnknownName
from vesalius.core.image import Array
from vesalius.metrics import _grades as graded
from vesalius.metrics._curves import calibration_curve, confusion, precision_recall, roc
from vesalius.metrics._ranks import auc, average_precision, descending
from vesalius.metrics._rows import Rows

__all__ = [
    "baseline", "calibration_curve", "confusion", "counts", "decide", "excluded", "from_arrays", "joined",
    "occurrences", "precision_recall", "roc", "rows", "standing", "summary",
]  # fmt: skip

ANSWER = "Scores"
DESCRIPTIONS = {
    "accuracy": {"text": "share of right calls", "better": "higher", "low": 0.0, "high": 1.0, "unit": ""},
    "exact_match": {"text": "share of cases with every label right", "better": "higher", "low": 0.0, "high": 1.0,
                    "unit": ""},
    "balanced_accuracy": {"text": "mean recall over classes", "better": "higher", "low": 0.0, "high": 1.0,
                          "unit": ""},
    "precision": {"text": "share of the called that are so", "better": "higher", "low": 0.0, "high": 1.0,
                  "unit": ""},
    "recall": {"text": "sensitivity: share of those that are so which are called", "better": "higher",
               "low": 0.0, "high": 1.0, "unit": ""},
    "specificity": {"text": "share of those that are not so which are not called", "better": "higher",
                    "low": 0.0, "high": 1.0, "unit": ""},
    "f1": {"text": "harmonic mean of precision and recall", "better": "higher", "low": 0.0, "high": 1.0,
           "unit": ""},
    "auc": {"text": "area under the ROC curve", "better": "higher", "low": 0.0, "high": 1.0, "unit": ""},
    "average_precision": {"text": "area under the precision-recall curve, as steps", "better": "higher",
                          "low": 0.0, "high": 1.0, "unit": ""},
    "brier": {"text": "squared error of the probabilities: 0 to 1 of a single one, 0 to 2 summed over classes",
              "better": "lower", "low": 0.0, "high": 2.0, "unit": ""},
    "ece": {"text": "expected calibration error, 15 bins of equal width", "better": "lower", "low": 0.0,
            "high": 1.0, "unit": ""},
    "log_loss": {"text": "mean negative log probability of the truth", "better": "lower", "low": 0.0,
                 "high": None, "unit": "nat"},
    "kappa": {"text": "agreement beyond chance, quadratic weights: a call two grades off counts four times one off",
              "better": "higher", "low": -1.0, "high": 1.0, "unit": ""},
    "linear_kappa": {"text": "agreement beyond chance, linear weights: a call two grades off counts twice one off",
                     "better": "higher", "low": -1.0, "high": 1.0, "unit": ""},
    "mae": {"text": "mean absolute error in grades", "better": "lower", "low": 0.0, "high": None, "unit": ""},
    "within_one": {"text": "share of calls that are right or one grade off", "better": "higher", "low": 0.0,
                   "high": 1.0, "unit": ""},
    "cut_auc": {"text": "area under the ROC curve of a grade or a higher one against all lower ones",
                "better": "higher", "low": 0.0, "high": 1.0, "unit": ""},
    "rps": {"text": "ranked probability score: squared error of the chances to lie above each grade, their mean",
            "better": "lower", "low": 0.0, "high": 1.0, "unit": ""},
    "cut_ece": {"text": "calibration error of the chances of a grade or a higher one, 15 bins of equal width",
                "better": "lower", "low": 0.0, "high": 1.0, "unit": ""},
}  # fmt: skip


def rows(answers: Sequence[Scores], truths: Sequence[Any]) -> Rows:
    """Return a row a case from answers and truths: class names, indexes, or (multilabel) collections of names.

    Labels, kind and positive class are those of the first answer; all must share the labels. Each answer is called by
    its own thresholds and decision; where the former differ, as by groups of patients, the rows have none. Raises
    DataError where answers differ, UnknownName for a truth that is no label.
    """
    if not answers or len(answers) != len(truths):
        raise DataError("each answer needs one truth", found=f"{len(answers)} answers, {len(truths)} truths")
    first = answers[0]
    names = [label.name for label in first.labels]
    for answer in answers:
        if [label.name for label in answer.labels] != names or answer.kind != first.kind:
            raise DataError("answers of other labels than the first", found=answer.case_id or None)
    if first.kind == "multilabel":
        y = np.zeros((len(truths), len(names)), dtype=np.int64)
        for i, truth in enumerate(truths):
            for name in truth:
                y[i, _place(names, name)] = 1
    else:
        y = np.array([_place(names, t) for t in truths], dtype=np.int64)
    alike = all(a.thresholds == first.thresholds for a in answers)
    decided = all(a.decision == first.decision for a in answers)
    made = from_arrays(
        np.stack([a.p for a in answers]),
        y,
        labels=names,
        kind=first.kind,
        positive=first.positive,
        thresholds=first.thresholds if alike else None,
        decision=first.decision,
        case_ids=[a.case_id for a in answers],
    )
    return made if alike and decided else _called_by_own(made, answers, alike=alike)


def from_arrays(
    p: Array,
    y: Array,
    *,
    labels: Sequence[str],
    kind: str = "exclusive",
    positive: str | None = None,
    thresholds: Mapping[str, float] | None = None,
    decision: str | None = None,
    case_ids: Sequence[str] | None = None,
) -> Rows:
    """Return a row a case from probabilities `(N, K)` and truths: indexes `(N,)`, or bits `(N, K)` when multilabel.

    With two exclusive labels and no `positive`, the second is positive. A multilabel bit of -1 is unknown. `decision`
    says which grade is called, as `Scores` has it.
    Raises DataError for shapes or values that cannot be.
    """
    p, y = np.asarray(p, dtype=np.float64), np.asarray(y, dtype=np.int64)
    many = kind == "multilabel"
    if p.ndim != 2 or p.shape[1] != len(labels) or y.shape != (p.shape if many else p.shape[:1]):
        raise DataError(
            "probabilities must be (cases, labels), with one truth each", found=f"{p.shape}, {y.shape}"
        )
    if not np.isfinite(p).all() or p.min(initial=0) < 0 or p.max(initial=0) > 1 + 1e-6:
        raise DataError(
            "probabilities must lie in [0, 1]", found=f"{p.min(initial=0):.3g} … {p.max(initial=0):.3g}"
        )
    if not many and len(y) and (y.min() < 0 or y.max() >= len(labels)):
        raise DataError(
            "truths must be the indexes of labels", found=f"{y.min()} … {y.max()} of {len(labels)}"
        )
    if positive is not None and positive not in labels:
        raise UnknownName("label", positive, labels)
    if positive is None and len(labels) == 2 and not many:
        positive = labels[1]
    ids = tuple(case_ids) if case_ids is not None else tuple(str(i) for i in range(len(p)))
    info = {
        "labels": tuple(labels),
        "kind": kind,
        "positive": positive,
        "thresholds": dict(thresholds or {}),
        **({"decision": decision} if decision else {}),
    }
    bare = Rows(ids, {"p": p, "y": y}, info)
    made = {"p": p, "y": y, "decided": decide(bare)}
    return Rows(ids, made, info, _ranks(p, kind))


def _ranks(p: Array, kind: str) -> dict[str, Array]:
    """Return the order of each label's probabilities, and of each cut's where labels are grades."""
    order, ends = descending(p)
    cuts = dict(zip(("cut_order", "cut_ends"), descending(grades.above(p)), strict=True))
    return {"order": order, "ends": ends, **(cuts if kind == "ordinal" else {})}


def _called_by_own(rows: Rows, answers: Sequence[Scores], *, alike: bool) -> Rows:
    """Return the rows with each answer called by its own thresholds and decision; `alike` where the former agree."""
    called = rows["decided"].copy()
    for k, answer in enumerate(answers):
        own = {"thresholds": dict(answer.thresholds), "decision": answer.decision}
        called[k] = decide(Rows((answer.case_id,), {"p": rows["p"][k : k + 1]}, {**rows.info, **own}))[0]
    info = rows.info if alike else {**rows.info, "own_thresholds": True}
    return Rows(rows.case_ids, {**rows.columns, "decided": called}, info, rows.prepared)


def joined(first: Rows, second: Rows) -> Rows:
    """Return the rows of two tables of the same labels; each keeps what was called by its own thresholds."""
    columns = {name: np.concatenate([first[name], second[name]]) for name in first.columns}
    ids = (*first.case_ids, *second.case_ids)
    return Rows(ids, columns, first.info, _ranks(columns["p"], first.info["kind"]))


def decide(rows: Rows) -> Array:
    """Return what is called: indexes `(N,)` or bits `(N, K)`.

    By the thresholds fixed before, 0.5 or the largest p; the median grade where that is the decision.
    """
    p, labels, thresholds = rows["p"], rows.info["labels"], rows.info["thresholds"]
    if rows.info["kind"] == "multilabel":
        return np.asarray(p >= np.array([thresholds.get(name, 0.5) for name in labels])).astype(np.int64)
    positive = rows.info["positive"]
    if len(labels) == 2 and positive in thresholds:
        k = labels.index(positive)
        return np.asarray(np.where(p[:, k] >= thresholds[positive], k, 1 - k))
    return grades.median(p) if rows.info.get("decision") else np.asarray(p.argmax(axis=1))


def summary(rows: Rows, index: Array) -> dict[str, float]:
    """Return every metric on the rows of `index` (repeats count again); NaN where one is not defined.

    Precision without any call is 0 where there was something to call. Macro figures are means over the labels
    for which a figure is defined. Brier: Σ over classes, 0 to 2 (Brier 1950); with two classes, and a label at
    a time for multilabel, that of the one probability, 0 to 1. ECE: top label, |accuracy - confidence| over 15
    bins of equal width (Guo et al. 2017). Of grades come figures that know their order (see `_grades.py`).
    """
    weight = np.bincount(index, minlength=len(rows)).astype(np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        if rows.info["kind"] == "multilabel":
            return _multilabel(rows, weight)
        beside = graded.figures(rows, weight) if rows.info["kind"] == "ordinal" else {}
        return {**beside, **_exclusive(rows, weight)}


def counts(rows: Rows) -> dict[str, int]:
    """Cases a metric speaks of, where that is not all: a label's known bits, any of them, or for a match all."""
    if rows.info["kind"] != "multilabel":
        return {}
    known = rows["y"] >= 0
    found = dict.fromkeys(DESCRIPTIONS, int(known.any(axis=1).sum()))
    found["exact_match"] = int(known.all(axis=1).sum())
    return found | {
        f"{metric}/{name}": int(n)
        for metric in DESCRIPTIONS
        for name, n in zip(rows.info["labels"], known.sum(axis=0), strict=True)
    }


def excluded(rows: Rows) -> dict[str, int]:
    """Return the unknown bits of multilabel truths, by label; nothing else is left out."""
    if rows.info["kind"] != "multilabel":
        return {}
    unknown = (rows["y"] < 0).sum(axis=0)
    return {f"unknown/{k}": int(n) for k, n in zip(rows.info["labels"], unknown, strict=True) if n}


def occurrences(rows: Rows) -> dict[str, tuple[int, int, int]]:
    """For each label: cases whose truth has it, cases that are called so, and cases whose truth is known."""
    y, called, labels = rows["y"], rows["decided"], rows.info["labels"]
    if rows.info["kind"] == "multilabel":
        return {
            name: (int((y[:, k] == 1).sum()), int((called[:, k] == 1).sum()), int((y[:, k] >= 0).sum()))
            for k, name in enumerate(labels)
        }
    return {name: (int((y == k).sum()), int((called == k).sum()), len(rows)) for k, name in enumerate(labels)}


def standing(rows: Rows) -> dict[str, tuple[Array, ...]]:
    """Return which cases each figure stands on: those that have a label, that have it not, and that are called so.

    Macro figures stand on the label with the fewest; a mean recall needs cases of each class that occurs.
    """
    y, called, labels = rows["y"], rows["decided"], rows.info["labels"]
    many = rows.info["kind"] == "multilabel"
    found: dict[str, tuple[Array, ...]] = {}
    for k, name in enumerate(labels):
        has: Array = np.equal(y[:, k], 1) if many else np.equal(y, k)
        said: Array = np.equal(called[:, k], 1) if many else np.equal(called, k)
        known: Array = np.greater_equal(y[:, k], 0) if many else np.ones(len(y), bool)
        lacks, said = known & ~has, known & said
        some: Array = np.logical_or(has, said)
        each: dict[str, tuple[Array, ...]] = {
            "precision": (said,),
            "recall": (has,),
            "specificity": (lacks,),
            "f1": (some,),
            "auc": (has, lacks),
            "average_precision": (has, lacks),
        }
        each |= {"accuracy": (known,), "balanced_accuracy": (has, lacks)} if many else {}
        alone = len(labels) == 2 and not many
        if alone and name == rows.info["positive"]:
            found |= each
        elif not alone:
            found |= {f"{metric}/{name}": groups for metric, groups in each.items()}
    if not many:
        found["balanced_accuracy"] = tuple(np.asarray(np.equal(y, k)) for k in np.unique(y))
        for cut, at in enumerate(labels[1:], 1) if rows.info["kind"] == "ordinal" else ():
            found[f"cut_auc/{at}"] = (np.asarray(y >= cut), np.asarray(y < cut))
    else:
        found["exact_match"] = (np.asarray((y >= 0).all(axis=1)),)
    return found


def baseline(truths: Array, labels: int, *, kind: str = "exclusive") -> Array:
    """Return the answer `(K,)` that heeds no image: how often each label occurs in the training truths."""
    truths = np.asarray(truths, dtype=np.int64)
    if kind == "multilabel":
        known = np.maximum((truths >= 0).sum(axis=0), 1)
        return np.asarray((truths == 1).sum(axis=0) / known)
    seen = np.bincount(truths, minlength=labels).astype(np.float64)
    return np.asarray(seen / max(seen.sum(), 1.0))


def _exclusive(rows: Rows, weight: Array) -> dict[str, float]:
    p, y, called, labels = rows["p"], rows["y"], rows["decided"], rows.info["labels"]
    k = len(labels)
    table = np.bincount(y * k + called, weights=weight, minlength=k * k).reshape(k, k)  # truth × called
    total = table.sum()
    hit, real, said = np.diag(table), table.sum(1), table.sum(0)
    each = _rates(hit, real, said, total)
    truth: Array = np.equal(y[:, None], np.arange(k)[None])
    each["auc"], each["average_precision"] = _ranked(rows, truth, weight)
    found = {"accuracy": float(hit.sum() / total), "balanced_accuracy": _mean(each["recall"])}
    if (real > 0).sum() < 2:
        found["balanced_accuracy"] = float("nan")
    sure, right = p.max(axis=1), p.argmax(axis=1) == y
    found["ece"] = graded.ece(sure, right, weight)
    chosen = np.clip(p[np.arange(len(p)), y], 1e-15, 1.0)
    found["log_loss"] = float((weight * -np.log(chosen)).sum() / total) + 0.0
    if k == 2:
        place = labels.index(rows.info["positive"])
        found["brier"] = float((weight * (p[:, place] - truth[:, place]) ** 2).sum() / total)
        found |= {metric: float(values[place]) for metric, values in each.items()}
    else:
        found["brier"] = float((weight * ((p - truth) ** 2).sum(axis=1)).sum() / total)
        found |= _by_label(each, labels)
    return found


def _multilabel(rows: Rows, weight: Array) -> dict[str, float]:
    p, y, called, labels = rows["p"], rows["y"], rows["decided"], rows.info["labels"]
    known = y >= 0
    w = weight[:, None] * known  # (N, K)
    truth: Array = np.equal(y, 1)
    total = w.sum(0)
    hit = (w * (truth & (called == 1))).sum(0)
    real, said = (w * truth).sum(0), (w * (called == 1)).sum(0)
    each = _rates(hit, real, said, total)
    each["accuracy"] = (w * (truth == (called == 1))).sum(0) / total
    each["balanced_accuracy"] = (each["recall"] + each["specificity"]) / 2
    each["auc"], each["average_precision"] = _ranked(rows, truth, w)
    each["brier"] = (w * (p - truth) ** 2).sum(0) / total
    chosen = np.clip(np.where(truth, p, 1 - p), 1e-15, 1.0)
    each["log_loss"] = (w * -np.log(chosen)).sum(0) / total + 0.0
    each["ece"] = np.array([graded.ece(p[:, j], truth[:, j], w[:, j]) for j in range(len(labels))])
    complete = known.all(axis=1)
    right = np.equal(truth, called == 1).all(axis=1) & complete
    whole = (weight * complete).sum()
    return {"exact_match": float((weight * right).sum() / whole), **_by_label(each, labels)}


def _rates(hit: Array, real: Array, said: Array, total: Any) -> dict[str, Array]:
    """Precision, recall, specificity and F1 a label, `(K,)` each."""
    absent = (real + said) == 0
    return {
        "precision": np.where(said > 0, hit / said, np.where(absent, np.nan, 0.0)),
        "recall": hit / real,
        "specificity": (total - real - said + hit) / (total - real),
        "f1": 2 * hit / (real + said),
    }


def _ranked(rows: Rows, truth: Array, weight: Array) -> tuple[Array, Array]:
    areas, averages = [], []
    for j in range(truth.shape[1]):
        order, ends = rows.prepared["order"][:, j], rows.prepared["ends"][:, j]
        w = (weight if weight.ndim == 1 else weight[:, j])[order]
        y = truth[order, j]
        areas.append(auc(y, w, ends))
        averages.append(average_precision(y, w, ends))
    return np.array(areas), np.array(averages)


def _by_label(each: Mapping[str, Array], labels: Sequence[str]) -> dict[str, float]:
    found = {metric: _mean(values) for metric, values in each.items()}
    for metric, values in each.items():
        found |= {f"{metric}/{name}": float(v) for name, v in zip(labels, values, strict=True)}
    return found


def _mean(values: Array) -> float:
    defined = values[np.isfinite(values)]
    return float(defined.mean()) if len(defined) else float("nan")


def _place(names: Sequence[str], truth: Any) -> int:
    if isinstance(truth, (int, np.integer)) and not isinstance(truth, bool):
        if not 0 <= truth < len(names):
            raise UnknownName("label", str(truth), [str(i) for i in range(len(names))])
        return int(truth)
    if str(truth) not in names:
        raise UnknownName("label", str(truth), names)
    return names.index(str(truth))
