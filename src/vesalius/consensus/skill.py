"""The skill of each expert against the truth behind what all said, with intervals over patients."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from vesalius.consensus.dependence import Dependence
from vesalius.consensus.latent import fit
from vesalius.consensus.patterns import Patterns
from vesalius.consensus.resampling import RESAMPLES, with_intervals
from vesalius.core.image import Array
from vesalius.core.interval import Interval

WARM = 40  # rounds of EM from the whole data's truth to that of a resample
Key = tuple[int, int, str]  # expert, label, figure


@dataclass(frozen=True, eq=False)
class Skill:
    """One expert: how many `cases` were seen, the figures of all labels and of each, and the confusions `(K, K)`.

    A row of `confusion` is a truth, a column a call; a truth that never occurs has NaN.
    """

    expert: str
    cases: int
    accuracy: Interval
    labels: Mapping[str, Mapping[str, Interval]]
    confusion: Array


def skills(
    patterns: Patterns,
    found: Dependence,
    *,
    resamples: int = RESAMPLES,
    smoothing: float = 1.0,
    seed: int = 0,
) -> tuple[Skill, ...]:
    """Return the skill of each expert: accuracy, and of each label sensitivity, specificity, precision and Dice.

    The truth is that of `found`, fitted to the same patterns; in each resample of patients it is fitted anew, so that
    intervals hold what is not known of it. Where label 0 is the background it has no figures of its own.
    """
    counts = patterns.totals()
    labels = range(1 if patterns.background else 0, len(patterns.labels))

    def figures(weights: Array) -> dict[Key, float]:
        own = patterns.totals(weights)
        post = found.fitted.posterior
        if not np.array_equal(own, counts):
            post = fit(
                patterns.calls,
                own,
                labels=len(patterns.labels),
                blocks=found.fitted.blocks,
                smoothing=smoothing,
                start=post,
                rounds=WARM,
            ).posterior
        return {
            (e, k, name): value
            for e in range(len(patterns.experts))
            for k, name, value in _figures(confusions(patterns, own, post, e), labels)
        }

    saw = [
        int((patterns.by_case(patterns.seen[:, e].astype(float)) > 0).sum())
        for e in range(len(patterns.experts))
    ]
    n = {(e, k, name): saw[e] for e, k, name in figures(np.ones(patterns.cases))}
    every = with_intervals(figures, patterns.patients, counts=n, resamples=resamples, seed=seed)
    made = []
    for e, expert in enumerate(patterns.experts):
        each = {
            patterns.labels[k]: {name: v for (x, y, name), v in every.items() if (x, y) == (e, k)}
            for k in labels
        }
        table = confusions(patterns, counts, found.fitted.posterior, e)
        with np.errstate(invalid="ignore", divide="ignore"):
            shown = table / table.sum(1, keepdims=True)
        made.append(Skill(expert, saw[e], every[(e, -1, "accuracy")], each, shown))
    return tuple(made)


def confusions(patterns: Patterns, counts: Array, posterior: Array, expert: int) -> Array:
    """Return how often each truth (row) met each call (column) of an expert, `(K, K)`."""
    many = len(patterns.labels)
    calls = patterns.calls[:, expert]
    mass = counts[:, None] * posterior
    return np.stack([mass[calls == k].sum(0) for k in range(many)], axis=1)


def _figures(table: Array, labels: range) -> list[tuple[int, str, float]]:
    total = table.sum()
    found = [(-1, "accuracy", _ratio(np.trace(table), total))]
    for k in labels:
        hit, true, called = table[k, k], table[k].sum(), table[:, k].sum()
        found += [
            (k, "sensitivity", _ratio(hit, true)),
            (k, "specificity", _ratio(total - true - called + hit, total - true)),
            (k, "precision", _ratio(hit, called)),
            (k, "dice", _ratio(2 * hit, true + called)),
        ]
    return found


def _ratio(a: float, b: float) -> float:
    return float(a / b) if b > 1e-12 else float("nan")
