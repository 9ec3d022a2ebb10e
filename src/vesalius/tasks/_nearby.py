"""What the nearest of known cases say of another one: which they are, and a label by them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from vesalius.core import calibration as calibrations
from vesalius.core import platt
from vesalius.core.answers.ranking import Kin, Ranking
from vesalius.core.answers.scores import Scores
from vesalius.core.bundle import State
from vesalius.core.image import Array
from vesalius.metrics import ranking
from vesalius.prepare.batch import Example
from vesalius.tasks._labels import labels_of, names_in, names_of

VECTORS, LABELS = "vectors", "labels"  # in the arrays of a state
LABEL = ranking.LABEL  # the part of an answer that says a label
LEAST = 1e-6  # of a probability, whose logarithm is taken
EQUAL = 1e-6  # a cosine distance below which two images are the same to the model
SAME = (
    "same"  # in a calibration: the line from the cosine of two cases to the log-odds that they share a label
)
PAIRS = 200_000  # at most, that it is fitted on
COMPARED = 1000  # validation cases, at most, that are held against one another


def name_of(place: int) -> str:
    """Return what a known case is called, of which a bundle says no more than that it has it."""
    return f"training case {place + 1}"


def vector_of(raw: Any, dims: int) -> Array:
    """Return the unit vector `(D,)` float64 that raw outputs `(M, N + D)` or `(N + D,)` end in, of their mean."""
    found: Array = np.atleast_2d(np.asarray(raw, np.float64))[:, -dims:].mean(axis=0)
    length = float(np.linalg.norm(found))
    return found / length if length > 0 else found


def near(state: State, vector: Array) -> Array:
    """Return the cosine of each known case with a vector, `(N,)` float64; empty before there are any."""
    held = state.arrays.get(VECTORS)
    return np.zeros(0) if held is None else np.asarray(held, np.float64) @ vector


def voted(state: State, likeness: Array) -> Array:
    """Return what the nearest known cases say of the labels as logits `(K,)`: logarithms, or log-odds of several.

    Of the nearest `neighbours` cases each counts exp(s / t) by its cosine s. How often a label occurs in training is
    one more, as near as the nearest, so that no probability is 0 or 1. Wu et al. 2018, arXiv:1805.01978, section 3.4.
    """
    values = state.values
    share = np.asarray(values["share"], np.float64)
    order = np.argsort(-likeness, kind="stable")[: int(values["neighbours"])]
    if len(order):
        counts = np.exp((likeness[order] - likeness[order[0]]) / float(values["temperature"]))
        share = (counts @ np.asarray(state.arrays[LABELS], np.float64)[order] + share) / (counts.sum() + 1)
    p = np.clip(share, LEAST, 1 - LEAST)
    return np.asarray(np.log(p) - np.log1p(-p) if values["several"] else np.log(p))


def answer(state: State, calibration: Mapping[str, Any], vector: Array) -> Ranking:
    """Return the nearest known cases, the nearest first and of equals the earlier, and a label by them."""
    likeness = near(state, vector)
    order = np.argsort(-likeness, kind="stable")
    shown = order[: int(state.values["nearest"]) or None]
    far = np.clip(1 - likeness[shown], 0.0, 2.0)
    line = calibration.get(SAME)
    label = scores(state, calibration, voted(state, likeness)[None])
    return Ranking(
        case_ids=tuple(name_of(int(k)) for k in shown),
        distances=far,
        among=len(likeness),
        places=tuple(int(k) for k in shown),
        same=None if line is None else np.array([platt.apply(line, s) for s in likeness[shown]]),
        parts={LABEL: label},
        outside=_known(shown, far),
    )


def _known(shown: Array, far: Array) -> tuple[str, ...] | None:
    """Return in words that a case is one of the known ones, as nearness then says nothing; None where it is not."""
    if not len(far) or far[0] >= EQUAL:
        return None
    return (f"{name_of(int(shown[0]))} looks the same: that it is near says nothing",)


def scores(state: State, calibration: Mapping[str, Any], logits: Array) -> Scores:
    """Return the calibrated probability of each label of logits `(M, K)`."""
    p = calibrations.answered(
        calibration, logits, labels=names_of(state), multilabel=bool(state.values["several"])
    )
    return Scores(
        labels=labels_of(state),
        p=p,
        kind=state.values["kind"],
        positive=calibration.get("positive"),
        thresholds=calibration.get("thresholds", {}),
    )


def fitted(
    state: State,
    raw: Sequence[Array],
    truths: Sequence[Any],
    *,
    positive: str | None,
    patients: Sequence[str] | None,
) -> dict[str, Any]:
    """Return what is fitted on cases that are no known ones: the temperature of the label's probabilities, thresholds.

    And, of pairs of such a case with a known one, how likely they share a label at a cosine (`same`).
    """
    names, several = names_of(state), bool(state.values["several"])
    known = [k for k, truth in enumerate(truths) if isinstance(truth, Kin)]
    if not known:
        return {}
    dims = int(state.values["dims"])
    likeness = [near(state, vector_of(raw[k], dims)) for k in known]
    logits = np.stack([voted(state, each) for each in likeness])
    held = np.stack([hot(truths[k].labels, names) for k in known])
    positive = positive if positive in names else None
    found = calibrations.fit(
        logits,
        held.astype(np.int64) if several else held.argmax(axis=1),
        labels=names,
        multilabel=several,
        positive=positive,
        rule=None,
        patients=None if patients is None else [patients[k] for k in known],
    )
    if several:
        found["thresholds"] = dict.fromkeys(names, 0.5)
    elif positive is not None and len(names) == 2:
        found["thresholds"] = {positive: 0.5}
    shared = worth(held, np.asarray(state.arrays[LABELS])) > 0
    pairs, same = (np.concatenate(list(x))[:: -(-shared.size // PAIRS)] for x in (likeness, shared))
    line = {SAME: platt.fit(pairs, same)} if 0 < same.sum() < len(same) else {}
    return {**found, "positive": positive, **line}


def kin(state: State, target: Any) -> Kin | None:
    """Return which known cases should be near a case of that target: those that share a label, by how much they share.

    None of a case without a target, and before there are known cases.
    """
    held = state.arrays.get(LABELS)
    if target is None or held is None:
        return None
    own = tuple(str(name) for name in names_in(target))
    shared = worth(hot(own, names_of(state))[None], np.asarray(held))[0]
    return Kin({name_of(int(k)): float(shared[k]) for k in np.flatnonzero(shared)}, own)


def worth(queries: Array, labels: Array) -> Array:
    """Return how much each case `(N, K)` is worth to each query `(Q, K)`, `(Q, N)`: the share of labels in common.

    Of one label a case it is 1 or 0. Two cases without any label have all in common.
    """
    q, n = np.asarray(queries, np.float64), np.asarray(labels, np.float64)
    both = q @ n.T
    either = q.sum(axis=1)[:, None] + n.sum(axis=1)[None] - both
    return np.where(either > 0, both / np.maximum(either, 1e-9), 1.0)


def hot(own: Sequence[str], names: Sequence[str]) -> Array:
    """Return which labels are there, `(K,)` of 0 and 1."""
    return np.array([name in own for name in names], np.float64)


def together(raws: Sequence[Any], examples: Sequence[Example], dims: int) -> list[dict[str, float]]:
    """Return of each case how far in front those of its labels stand among all others, of other patients: `map`.

    A case without a label, or without another of its labels, has no figure.
    """
    at = [k for k, e in enumerate(examples) if "label" in e.targets][:COMPARED]
    found: list[dict[str, float]] = [{} for _ in examples]
    if len(at) < 2:
        return found
    vectors = np.stack([vector_of(raws[k], dims) for k in at])
    labels = np.stack([examples[k].targets["label"] for k in at])
    whose = [examples[k].patient for k in at]
    shared, likeness = worth(labels, labels), vectors @ vectors.T
    for row, k in enumerate(at):
        others = [j for j in range(len(at)) if j != row and (whose[j] is None or whose[j] != whose[row])]
        order = sorted(others, key=lambda j, row=row: -likeness[row, j])  # type: ignore[misc]
        wanted = {str(j): float(shared[row, j]) for j in others if shared[row, j] > 0}
        if wanted:
            told = Ranking(case_ids=tuple(map(str, order)), distances=1 - likeness[row, order])
            found[k] = {"map": float(ranking.rows([told], [wanted])["map"][0])}
    return found
