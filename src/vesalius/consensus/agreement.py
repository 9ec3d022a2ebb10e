"""How far experts agree, whatever is true: shares, Cohen's and Fleiss' kappa of classes, Dice of masks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from vesalius.consensus.patterns import Patterns
from vesalius.consensus.resampling import RESAMPLES, with_intervals
from vesalius.core.image import Array
from vesalius.core.interval import Interval


@dataclass(frozen=True)
class Agreement:
    """Figures of all experts, and of every two by their places: `{"kappa": …}`, of masks Dice by label."""

    all: Mapping[str, Interval]
    pairs: Mapping[tuple[int, int], Mapping[str, Interval]]


def of_classes(patterns: Patterns, *, resamples: int = RESAMPLES, seed: int = 0) -> Agreement:
    """Return the share of equal calls and kappa of every two experts, and Fleiss' kappa of all.

    Kappa is not defined where both always make the same one call. Only cases that both saw count, of Fleiss' those that
    two or more saw.
    """
    seen, labels = patterns.seen, len(patterns.labels)
    pairs = list(combinations(range(len(patterns.experts)), 2))
    both = {p: seen[:, p[0]] & seen[:, p[1]] for p in pairs}

    def figures(weights: Array) -> dict[tuple[int, int, str], float]:
        counts, found = patterns.totals(weights), {}
        for i, j in pairs:
            rows = both[(i, j)]
            table = np.zeros((labels, labels))
            np.add.at(table, (patterns.calls[rows, i], patterns.calls[rows, j]), counts[rows])
            found[(i, j, "agreement")] = float(np.trace(table) / table.sum()) if table.sum() else np.nan
            found[(i, j, "kappa")] = cohen(table)
        found[(-1, -1, "fleiss_kappa")] = fleiss(patterns.calls, counts, labels=labels)
        return found

    n = {(i, j, name): int(patterns.by_case(both[(i, j)].astype(float)).sum()) for i, j in pairs
         for name in ("agreement", "kappa")}  # fmt: skip
    n[(-1, -1, "fleiss_kappa")] = int(patterns.by_case((seen.sum(1) > 1).astype(float)).sum())
    every = with_intervals(figures, patterns.patients, counts=n, resamples=resamples, seed=seed)
    return Agreement(
        {"fleiss_kappa": every[(-1, -1, "fleiss_kappa")]},
        {(i, j): {name: every[(i, j, name)] for name in ("agreement", "kappa")} for i, j in pairs},
    )


def of_masks(patterns: Patterns, *, resamples: int = RESAMPLES, seed: int = 0) -> Agreement:
    """Return the Dice of every two experts for each label, the mean over the cases that both saw and either marked.

    Of all experts it is the mean over every two.
    """
    pairs = list(combinations(range(len(patterns.experts)), 2))
    each: dict[tuple[int, int, str], Array] = {}
    for i, j in pairs:
        both = patterns.seen[:, i] & patterns.seen[:, j]
        for k, label in enumerate(patterns.labels[1:], start=1):
            a, b = (patterns.calls[:, i] == k) & both, (patterns.calls[:, j] == k) & both
            size = patterns.by_case(a.astype(float)) + patterns.by_case(b.astype(float))
            hit = patterns.by_case((a & b).astype(float))
            each[(i, j, label)] = np.divide(
                2 * hit, size, out=np.full(patterns.cases, np.nan), where=size > 0
            )

    def figures(weights: Array) -> dict[tuple[int, int, str], float]:
        found = {key: _mean(values, weights) for key, values in each.items()}
        for label in patterns.labels[1:]:
            held = [v for (_, _, name), v in found.items() if name == label and np.isfinite(v)]
            found[(-1, -1, label)] = float(np.mean(held)) if held else np.nan
        return found

    n = {key: int(np.isfinite(values).sum()) for key, values in each.items()}
    every = with_intervals(figures, patterns.patients, counts=n, resamples=resamples, seed=seed)
    return Agreement(
        {label: every[(-1, -1, label)] for label in patterns.labels[1:]},
        {(i, j): {label: every[(i, j, label)] for label in patterns.labels[1:]} for i, j in pairs},
    )


def cohen(table: Array) -> float:
    """Return Cohen's kappa of a table `(K, K)` of two experts' calls (Cohen 1960); NaN where chance explains all."""
    total = table.sum()
    if not total:
        return float("nan")
    chance = float(table.sum(0) @ table.sum(1) / total**2)
    return float((np.trace(table) / total - chance) / (1 - chance)) if chance < 1 - 1e-12 else float("nan")


def fleiss(calls: Array, counts: Array, *, labels: int) -> float:
    """Return Fleiss' kappa (Fleiss 1971), of cases with different numbers of calls as Gwet 2014, 2.4 has it.

    `calls` `(P, E)` are patterns of which each occurs `counts` `(P,)` times. Cases of fewer than two calls
    do not count.
    """
    votes = np.stack([(calls == k).sum(1) for k in range(labels)], axis=1).astype(float)
    many = votes.sum(1)
    kept = (many > 1) & (counts > 0)
    if not kept.any():
        return float("nan")
    votes, many, counts = votes[kept], many[kept], counts[kept]
    same = (votes * (votes - 1)).sum(1) / (many * (many - 1))
    share = counts @ (votes / many[:, None]) / counts.sum()
    agreed, chance = float(counts @ same / counts.sum()), float((share**2).sum())
    return (agreed - chance) / (1 - chance) if chance < 1 - 1e-12 else float("nan")


def _mean(values: Array, weights: Array) -> float:
    known = np.isfinite(values) & (weights > 0)
    return float(np.average(values[known], weights=weights[known])) if known.any() else float("nan")
