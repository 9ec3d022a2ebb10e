"""Figures of episodes: what heads on frozen features answer in them, with intervals over episodes and over patients."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import softmax

from vesalius.core.image import Array
from vesalius.core.interval import Interval
from vesalius.learn.episodes import Episode
from vesalius.learn.heads import Head, Rows

RESAMPLES = 1000
WIDTH = 1.959964  # standard errors on either side, of a normal distribution at 95 %
Fit = Callable[[Rows], Head]


@dataclass(frozen=True, eq=False)
class Asked:
    """What one head answered in one episode: probabilities `(Q, N)` of the query cases."""

    episode: Episode
    p: Array


def answered(episode: Episode, features: Array, fit: Fit) -> Asked:
    """Return what a head that is fitted to the support says of the queries, by features `(N, F)` of all cases."""
    x = features[episode.support].astype(np.float64)
    rows = Rows(
        x, np.eye(len(episode.ways))[episode.learned], np.arange(len(x)), np.ones(len(x)), "exclusive"
    )
    head = fit(rows)
    return Asked(episode, softmax(head(features[episode.query].astype(np.float64)), axis=1))


def accuracy(asked: Asked, weight: Array) -> Array:
    """Return the share of queries whose class is called, for each of several weightings `(R, Q)` of them."""
    right = asked.p.argmax(axis=1) == asked.episode.truth
    return _share(weight @ right.astype(float), weight.sum(axis=1))


def auc(asked: Asked, weight: Array) -> Array:
    """Return the area under the ROC curve for each of several weightings `(R, Q)`: the mean over one class against all.

    NaN where a class has no weight left.
    """
    found = []
    for k in range(1 if len(asked.episode.ways) == 2 else 0, len(asked.episode.ways)):
        has = asked.episode.truth == k
        yes, no = asked.p[has, k], asked.p[~has, k]
        ahead = (yes[:, None] > no[None]) + 0.5 * (yes[:, None] == no[None])
        of, against = weight[:, has], weight[:, ~has]
        found.append(_share(((of @ ahead) * against).sum(axis=1), of.sum(axis=1) * against.sum(axis=1)))
    mean: Array = np.mean(found, axis=0)
    return mean


METRICS: Mapping[str, Callable[[Asked, Array], Array]] = {"accuracy": accuracy, "auc": auc}


def _share(part: Array, whole: Array) -> Array:
    with np.errstate(invalid="ignore", divide="ignore"):
        found: Array = np.where(whole > 0, part / whole, np.nan)
    return found


def per_episode(asked: Sequence[Asked], metric: str) -> Array:
    """Return a metric in each episode `(E,)`."""
    return np.array([METRICS[metric](a, np.ones((1, len(a.p))))[0] for a in asked])


def over_episodes(values: Array) -> Interval:
    """Return the mean over episodes with the interval that the drawing of episodes gives: ± 1.96 standard errors.

    It says how exactly so many episodes measure the mean over all that could be drawn from these cases, and narrows
    with their number; how other patients would do, it does not say.
    """
    n = len(values)
    if n < 2:
        return Interval(float(values.mean()), None, None, n, 0, "one episode only")
    half = WIDTH * float(values.std(ddof=1)) / np.sqrt(n)
    return Interval(float(values.mean()), float(values.mean()) - half, float(values.mean()) + half, n)


def over_patients(
    asked: Sequence[Asked], metric: str, patients: Sequence[str], *, less: Sequence[Asked] = (), seed: int = 0
) -> Interval:
    """Return the mean over episodes with its interval over the patients asked about, each drawn whole with replacement.

    `patients` are those of all cases. `less` are the answers of another head or net to the same episodes: then it is
    the difference. Which cases were the shots stays as it was drawn.
    """
    who = np.array(patients)
    every = np.unique(np.concatenate([who[a.episode.query] for a in asked]))
    rng = np.random.default_rng(seed)
    counts = rng.multinomial(len(every), np.full(len(every), 1 / len(every)), size=RESAMPLES).astype(float)
    counts = np.concatenate([np.ones((1, len(every))), counts])
    total, known = np.zeros(len(counts)), np.zeros(len(counts))
    for k, a in enumerate(asked):
        weight = counts[:, np.searchsorted(every, who[a.episode.query])]
        value = METRICS[metric](a, weight)
        if less:
            value = value - METRICS[metric](less[k], weight)
        total += np.nan_to_num(value)
        known += np.isfinite(value)
    means = _share(total, known)
    low, high = np.nanpercentile(means[1:], [2.5, 97.5])
    return Interval(float(means[0]), float(low), float(high), len(every))
