"""A power law with an irreducible term, L = E + Σ A_k · x_k^(−α_k), and how it is fitted robustly to measured means.

One term is the law of parameters, of data or of compute alone (Kaplan et al. 2020, arXiv 2001.08361); two are the joint
law of parameters and data (Hoffmann et al. 2022, arXiv 2203.15556, approach 3), fitted as there: Huber's loss on the
residuals of the logarithms, from many starts.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import least_squares

from vesalius.scaling.points import Cell, Floats, Table, tabled

ALPHAS = (0.02, 3.0)  # exponents beyond which a law is none that was ever measured
STARTS = (0.1, 0.25, 0.5, 0.9, 1.5)  # exponents to begin from, in each term
SIZES = (-4.0, -2.0, -1.0, -0.4)  # of a term there, as `SMALLEST` has it
SHARES = (0.05, 0.5, 0.8, 0.97)  # of the least mean that may be irreducible, there
TRIED = 4  # of all starts, the nearest of which are improved
HUBER = (
    0.02  # of the logarithm: where a residual begins to count less; 1e-3 in Hoffmann, whose noise is smaller
)
SMALLEST, LARGEST = -9.0, 3.0  # of a term beside the mean value, as logarithms
CEILING = 1.1  # times the least mean: no more than that is irreducible


@dataclass(frozen=True)
class Term:
    """One falling term: `amplitude` · x^(−`exponent`)."""

    amplitude: float
    exponent: float


@dataclass(frozen=True)
class Law:
    """L = `irreducible` + Σ amplitude · x^(−exponent). `residual` is the deviation of the logarithms around it.

    `bounded` says that an irreducible term could be told from none; where it could not, `irreducible` is 0.
    `explained` is the share of the spread of the measured means (of their logarithms) that it accounts for.
    """

    irreducible: float
    terms: tuple[Term, ...]
    residual: float
    explained: float
    bounded: bool

    def __call__(self, *x: float) -> float:
        """Return what the law says at a place."""
        falling = (t.amplitude * v**-t.exponent for t, v in zip(self.terms, x, strict=True))
        return float(self.irreducible + sum(falling))

    def formula(self, names: Sequence[str]) -> str:
        """Return the law as people write it: `0.12 + 3.1 · labels^−0.48`."""
        falling = [
            f"{t.amplitude:.3g} · {n}^−{t.exponent:.2f}" for t, n in zip(self.terms, names, strict=True)
        ]
        return " + ".join(([f"{self.irreducible:.3g}"] if self.irreducible else []) + falling)


@dataclass(frozen=True, eq=False)
class Frame:
    """How parameters are laid out for fitting: `[share of the least mean, (size, log exponent) a term]`.

    The size of a term is the logarithm of what it is at the middle place, beside the mean value, so that no parameter
    of a sound fit is far from 0.
    """

    middle: Floats  # (things,) of the logarithms of the places
    level: float  # the logarithm of the mean value
    least: float  # the least mean, of which a share is irreducible

    def logs(self, theta: Floats, places: Floats) -> Floats:
        """Return the logarithm of the law, `(…, cells)`, for parameters `(…, 1 + 2 · things)`."""
        share, sizes, exponents = theta[..., :1], theta[..., 1::2], np.exp(theta[..., 2::2])
        centred = places - self.middle  # (cells, things)
        falling = np.exp(
            self.level + sizes[..., None, :] - exponents[..., None, :] * centred
        )  # (…, cells, things)
        found: Floats = np.log(np.maximum(share * self.least + falling.sum(-1), 1e-300))
        return found

    def law(self, theta: Floats, *, residual: float, explained: float, bounded: bool) -> Law:
        """Return the law of some parameters, `(1 + 2 · things,)`."""
        exponents = np.exp(theta[2::2])
        amplitudes = np.exp(self.level + theta[1::2] + exponents * self.middle)
        terms = tuple(Term(float(a), float(b)) for a, b in zip(amplitudes, exponents, strict=True))
        return Law(float(theta[0] * self.least) if bounded else 0.0, terms, residual, explained, bounded)


def frame(table: Table) -> Frame:
    """Return how the parameters of these points are laid out."""
    return Frame(table.places.mean(axis=0), float(table.means.mean()), float(np.exp(table.means.min())))


def fitted(cells: Sequence[Cell]) -> tuple[Law, Floats]:
    """Return the law of measured cells, all above 0, and its parameters as `Frame` lays them out.

    The irreducible term is there only where it lowers Akaike's criterion, corrected for few points, of the cells'
    means; without it the parameters' first is 0.
    """
    table = tabled(cells)
    at = frame(table)
    free, without = _best(table, at, irreducible=True), _best(table, at, irreducible=False)
    many, things = len(cells), table.places.shape[1]
    bounded = _criterion(table, at, free, 2 + 2 * things) < _criterion(table, at, without, 1 + 2 * things)
    theta = free if bounded else without
    left = table.means - at.logs(theta, table.places)
    around = float(np.sum((table.means - table.means.mean()) ** 2))
    spare = max(1, many - (1 if bounded else 0) - 2 * things)
    explained = 1 - float(np.sum(left**2)) / around if around > 0 else 0.0
    residual = float(np.sqrt(np.sum(left**2) / spare))
    return at.law(theta, residual=residual, explained=explained, bounded=bounded), theta


def _best(table: Table, at: Frame, *, irreducible: bool) -> Floats:
    """Return the parameters with the least loss, from many starts."""
    things = table.places.shape[1]
    inner = [(SMALLEST, LARGEST), tuple(np.log(ALPHAS))] * things
    low, high = np.array([(0.0, CEILING if irreducible else 1e-9), *inner]).T
    weights = np.sqrt(table.counts / table.counts.mean())

    def residuals(theta: Floats) -> Floats:
        found: Floats = weights * (at.logs(theta, table.places) - table.means)
        return found

    starts = _starts(things, irreducible=irreducible)
    off = np.sum((at.logs(starts, table.places) - table.means) ** 2, axis=1)
    best, cost = low, np.inf
    for start in starts[np.argsort(off, kind="stable")[:TRIED]]:
        found = least_squares(
            residuals,
            np.clip(start, low + 1e-12, high - 1e-12),
            bounds=(low, high),
            loss="huber",
            f_scale=HUBER,
            max_nfev=100,
        )
        if found.cost < cost:
            best, cost = found.x, float(found.cost)
    if not irreducible:
        best = np.concatenate([[0.0], best[1:]])
    return np.asarray(best, dtype=np.float64)


def _starts(things: int, *, irreducible: bool) -> Floats:
    """Return parameters to begin from, `(starts, 1 + 2 · things)`: a grid of shares, sizes and exponents."""
    each = [(size, np.log(exponent)) for size in SIZES for exponent in STARTS]
    shares = SHARES if irreducible else (0.0,)
    return np.array(
        [(share, *sum(terms, ())) for share in shares for terms in itertools.product(each, repeat=things)]
    )


def _criterion(table: Table, at: Frame, theta: Floats, parameters: int) -> float:
    """Return Akaike's criterion of the means, corrected for few points; `parameters` counts the noise among them."""
    left = table.means - at.logs(theta, table.places)
    n, floor = len(left), 1e-12
    spare = n - parameters - 1
    if spare <= 0:
        return float("inf")
    return n * float(np.log(np.mean(left**2) + floor)) + 2 * parameters * (1 + (parameters + 1) / spare)
