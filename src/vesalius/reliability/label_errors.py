"""Label errors: cases whose given class contradicts what models say that never saw them, by confident learning.

Northcutt, Jiang and Chuang, "Confident Learning: Estimating Uncertainty in Dataset Labels", JAIR 70, 2021. Nothing is
trained here: the probabilities are an argument, and each must come from a model that did not learn from its case.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from vesalius.core.errors import DataError, UnknownName
from vesalius.core.image import Array
from vesalius.core.words import counted

WAYS = ("noise_rate", "class", "both", "confident")
FLOOR = 1e-6  # a threshold is no lower, and a probability reaches it within as much
SMALLEST = 5  # cases of a class below which its threshold rests on too little


@dataclass(frozen=True, slots=True)
class LabelError:
    """A case whose given label contradicts its probabilities, and by how much.

    `label` is the one of several labels that is asked about, empty where labels exclude one another; `given` and
    `likely` are then `yes` and `no`. `margin` is `p_likely - p_given`, from -1 to 1. `confident` says that the likely
    label reaches its own threshold, so that it may stand for the given one; without it nobody knows which label is
    right.
    """

    case: str
    given: str
    likely: str
    p_given: float
    p_likely: float
    confident: bool
    label: str = ""

    @property
    def margin(self) -> float:
        """Return by how much the likely label is more probable than the given one."""
        return self.p_likely - self.p_given


@dataclass(frozen=True, eq=False)
class Noise:
    """How many labels are estimated to be wrong: `joint[i, j]` cases are given label `i` and are truly `j`.

    `small` are labels of so few cases that nothing can be said of them.
    """

    labels: tuple[str, ...]
    joint: Array  # (K, K) int64
    small: tuple[str, ...]

    @property
    def share(self) -> float:
        """Return the estimated share of wrong labels."""
        return 1 - float(np.trace(self.joint)) / max(1.0, float(self.joint.sum()))


@dataclass(frozen=True, eq=False)
class Found:
    """The label errors of a cohort, the surest first, and the noise that was estimated (by label, or of all)."""

    errors: tuple[LabelError, ...]
    noise: Mapping[str, Noise]


def thresholds(given: Array, p: Array) -> Array:
    """Return the mean probability of each label among the cases that are given it, `(K,)`; 2 where none is.

    `given` is `(N,)` of label indices, `p` is `(N, K)`.
    """
    counts = np.bincount(given, minlength=p.shape[1])
    own = np.bincount(given, weights=p[np.arange(len(given)), given], minlength=p.shape[1])
    means = np.where(counts > 0, own / np.maximum(counts, 1), 2.0)
    return np.asarray(np.maximum(means, FLOOR))


def confident_labels(given: Array, p: Array) -> Array:
    """Return the likeliest label that reaches its threshold for each case, `(N,)`; -1 where none does."""
    reached = p >= thresholds(given, p) - FLOOR
    best = np.where(reached.sum(axis=1) > 1, p.argmax(axis=1), reached.argmax(axis=1))
    return np.where(reached.any(axis=1), best, -1)


def confident_joint(given: Array, p: Array) -> Array:
    """Return how many cases are given label `i` and are truly `j`, `(K, K)` of int64.

    Confident cases are counted, and the counts calibrated so that each row sums to the cases that are given its label.
    """
    k = p.shape[1]
    best = confident_labels(given, p)
    sure = best >= 0
    joint = np.zeros((k, k))
    np.add.at(joint, (given[sure], best[sure]), 1)
    joint[np.diag_indices(k)] = np.maximum(joint.diagonal(), 1)
    rows = joint / joint.sum(axis=1, keepdims=True) * np.bincount(given, minlength=k)[:, None]
    return _rounded(rows / rows.sum() * len(given))


def suspects(given: Array, p: Array, *, by: str = "noise_rate") -> Array:
    """Return which labels are likely to be wrong, `(N,)` of bool.

    `noise_rate` takes of each pair of labels as many cases as the joint counts, those of the largest margin; `class`
    of each label as many as the joint counts, those least sure of it; `both` what both take; `confident` the cases
    that are counted off the joint's diagonal. A case whose given label is also its likeliest is never taken.

    Raises UnknownName for another way.
    """
    if by not in WAYS:
        raise UnknownName("way of finding label errors", by, WAYS)
    if by == "confident":
        best = confident_labels(given, p)
        found = (best >= 0) & (best != given)
    else:
        counts = _kept_one(confident_joint(given, p))
        found = np.ones(len(given), dtype=np.bool_)
        if by in ("noise_rate", "both"):
            found &= _by_noise_rate(given, p, counts)
        if by in ("class", "both"):
            found &= _by_class(given, p, counts)
    return np.asarray(found & (p.argmax(axis=1) != given))


def find(
    cases: Sequence[str], given: Sequence[str], p: Array, labels: Sequence[str], *, by: str = "noise_rate"
) -> Found:
    """Return the label errors among classes that exclude one another, those of the largest margin first.

    `p` is `(N, K)`, a row a case in the order of `cases` and a column a label in the order of `labels`. Raises
    DataError for probabilities that are none, or do not fit.
    """
    p = _checked(cases, p, labels, sums=True)
    y = _places(given, labels)
    flagged = suspects(y, p, by=by)
    best = confident_labels(y, p)
    likely = np.where((best >= 0) & (best != y), best, p.argmax(axis=1))
    errors = [
        LabelError(
            case=cases[n],
            given=labels[y[n]],
            likely=labels[likely[n]],
            p_given=float(p[n, y[n]]),
            p_likely=float(p[n, likely[n]]),
            confident=bool(best[n] == likely[n]),
        )
        for n in map(int, np.flatnonzero(flagged))
    ]
    return Found(_ranked(errors), {"": _noise(y, p, labels)})


def find_several(
    cases: Sequence[str],
    given: Sequence[Sequence[str]],
    p: Array,
    labels: Sequence[str],
    *,
    by: str = "noise_rate",
) -> Found:
    """Return the label errors among labels that may hold together, each label asked about by itself.

    `p` is `(N, K)`, each of it a probability of its own. Raises DataError for probabilities that are none, or do not
    fit.
    """
    p = _checked(cases, p, labels, sums=False)
    errors: list[LabelError] = []
    noise: dict[str, Noise] = {}
    for k, label in enumerate(labels):
        words = ["yes" if label in held else "no" for held in given]
        if len(set(words)) < 2:
            continue  # nothing to tell apart
        own = find(cases, words, np.stack([1 - p[:, k], p[:, k]], axis=1), ("no", "yes"), by=by)
        errors += [
            LabelError(e.case, e.given, e.likely, e.p_given, e.p_likely, e.confident, label)
            for e in own.errors
        ]
        noise[label] = own.noise[""]
    return Found(_ranked(errors), noise)


def _ranked(errors: Sequence[LabelError]) -> tuple[LabelError, ...]:
    return tuple(sorted(errors, key=lambda e: (-e.margin, e.case, e.label)))


def _noise(y: Array, p: Array, labels: Sequence[str]) -> Noise:
    counts = np.bincount(y, minlength=len(labels))
    small = tuple(name for name, n in zip(labels, counts, strict=True) if n < SMALLEST)
    return Noise(tuple(labels), confident_joint(y, p), small)


def _checked(cases: Sequence[str], p: Array, labels: Sequence[str], *, sums: bool) -> Array:
    p = np.asarray(p, dtype=np.float64)
    if p.shape != (len(cases), len(labels)):
        raise DataError(
            "probabilities do not fit their cases and labels",
            found=f"{p.shape}",
            hint=f"{counted(len(cases), 'row')} of {counted(len(labels), 'label')}",
        )
    if not np.isfinite(p).all() or p.size == 0 or p.min() < -FLOOR or p.max() > 1 + FLOOR:
        raise DataError("probabilities must lie between 0 and 1", found="others, or none")
    if sums and np.abs(p.sum(axis=1) - 1).max() > 1e-3:
        worst = int(np.abs(p.sum(axis=1) - 1).argmax())
        raise DataError(
            "the probabilities of a case must sum to 1",
            found=f"{p[worst].sum():.4f} for case {cases[worst]}",
        )
    return p


def _places(given: Sequence[str], labels: Sequence[str]) -> Array:
    place = {name: k for k, name in enumerate(labels)}
    unknown = next((name for name in given if name not in place), None)
    if unknown is not None:
        raise UnknownName("label", unknown, labels)
    return np.array([place[name] for name in given], dtype=np.int64)


def _kept_one(joint: Array) -> Array:
    """Return the counts by true label and given one, `(K, K)`, with a case of each label that is right, at least."""
    counts = joint.T.astype(np.float64)
    short = np.maximum(1 - counts.diagonal(), 0)
    others = np.maximum(np.count_nonzero(counts, axis=0) - 1.0, 1.0)
    less = np.maximum(counts - short / others, 0)
    less[np.diag_indices(len(less))] = np.maximum(counts.diagonal(), 1)
    return _rounded(np.floor(less))


def _by_noise_rate(given: Array, p: Array, counts: Array) -> Array:
    found = np.zeros(len(given), dtype=bool)
    for k in range(p.shape[1]):
        held = np.flatnonzero(given == k)
        if len(held) < 2:
            continue  # a label's only case is kept
        for j in range(p.shape[1]):
            if j != k and counts[j, k] > 0:
                margin = p[held, j] - p[held, k]
                found[held[np.argsort(-margin, kind="stable")[: counts[j, k]]]] = True
    return found


def _by_class(given: Array, p: Array, counts: Array) -> Array:
    found = np.zeros(len(given), dtype=bool)
    for k in range(p.shape[1]):
        held = np.flatnonzero(given == k)
        wrong = len(held) - counts[k, k]
        if len(held) > 1 and wrong > 0:
            found[held[np.argsort(p[held, k], kind="stable")[:wrong]]] = True
    return found


def _rounded(rows: Array) -> Array:
    """Return rows rounded to whole numbers whose sum is the row's, rounded: those furthest from theirs give way."""
    whole = np.round(rows)
    for row, ints in zip(rows, whole, strict=True):
        short = int(round(float(row.sum())) - ints.sum())
        if short:
            step = 1 if short > 0 else -1
            order = np.argsort(row - ints, kind="stable")[::-step]
            for n in range(abs(short)):
                ints[order[n % len(row)]] += step
    return whole.astype(np.int64)
