"""Distance to the nearest of a bank of means of training cases, in every layer, on features of length one (Sun 2022).

Sun, Ming, Zhu, Li, "Out-of-distribution detection with deep nearest neighbors", ICML 2022. There the bank is the
training cases. Here it is means of 5 to 9 cases that lie near one another and are of one group, for a bundle must not
hold what is known of a single patient; so the nearest is taken, not the k-th, which was to smooth over single cases.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from vesalius.core.image import Array
from vesalius.infer.novelty.contract import FEWEST, Detector, Seen
from vesalius.infer.novelty.mahalanobis import TINY, scale_of


class Nearest(Detector):
    """Features are centred and divided by their deviation, then brought to length one."""

    def fit(self, seen: Seen) -> Mapping[str, Array]:
        """Return of each layer: the centre and the scale `(D,)`, and the bank `(B, D)`."""
        groups = np.zeros(len(seen), int) if seen.groups is None else seen.groups
        found: dict[str, Array] = {}
        for k, layer in enumerate(seen.layers):
            centre, scale = layer.mean(axis=0), scale_of(layer)
            x = unit((layer - centre) / scale)
            bank = [x[places].mean(axis=0) for places in cells(x, groups)]
            found |= {f"centre-{k}": centre, f"scale-{k}": scale, f"bank-{k}": np.stack(bank)}
        return found

    def scores(self, fitted: Mapping[str, Array], seen: Seen) -> Array:
        """Return the logarithm of the distance to the nearest of the bank, `(n, L)`."""
        columns = []
        for k, layer in enumerate(seen.layers):
            x = unit((layer - fitted[f"centre-{k}"]) / fitted[f"scale-{k}"])
            bank = fitted[f"bank-{k}"]
            squared = (x**2).sum(axis=1)[:, None] + (bank**2).sum(axis=1) - 2 * x @ bank.T
            columns.append(0.5 * np.log(np.maximum(squared.min(axis=1), 0.0) + TINY))
        return np.stack(columns, axis=1)


def unit(x: Array) -> Array:
    """Return rows of length one."""
    found: Array = x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), TINY)
    return found


def cells(x: Array, groups: Array) -> Iterator[Array]:
    """Yield the places of `FEWEST` cases or more that lie near one another and are of one group, until all are given.

    Groups that are smaller than that are taken together, and where these are too few, with the largest group.
    """
    numbers, counts = np.unique(groups, return_counts=True)
    large = [int(n) for n, count in zip(numbers, counts, strict=True) if count >= FEWEST]
    small = np.flatnonzero(~np.isin(groups, large))
    parts = [np.flatnonzero(groups == n) for n in large]
    if len(small) >= FEWEST or not parts:
        parts += [small] if len(small) else []
    elif len(small):
        most = max(range(len(parts)), key=lambda k: len(parts[k]))
        parts[most] = np.concatenate([parts[most], small])
    for part in parts:
        yield from _halves(x, part)


def _halves(x: Array, places: Array) -> Iterator[Array]:
    """Yield halves of halves, cut at the middle of the direction in which the cases differ most."""
    if len(places) < 2 * FEWEST:
        yield places
        return
    own = x[places] - x[places].mean(axis=0)
    along = own @ np.linalg.svd(own, full_matrices=False)[2][0]
    order = places[np.argsort(along, kind="stable")]
    middle = len(order) // 2
    yield from _halves(x, order[:middle])
    yield from _halves(x, order[middle:])


DETECTOR = Nearest()
