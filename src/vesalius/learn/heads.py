"""Last layers that are found without a gradient step: prototypes, and regularised linear layers on frozen features.

Features stay as the net gives them; what is found is the weight and the bias of one linear layer, so that a model with
it is like any other. Computed in double precision on the CPU, from few rows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from scipy.optimize import minimize, minimize_scalar
from scipy.special import expit, log_expit, log_softmax, softmax

from vesalius.core.errors import DataError, PlanError
from vesalius.core.image import Array

Kind = Literal["exclusive", "several", "numbers"]
Distance = Literal["cosine", "euclidean"]
STRENGTHS = tuple(10.0**k for k in (1, 0, -1, -2, -3, -4, -5))  # the strongest first, which wins a tie
SURE = (1e-4, 1e4)  # between which the sharpness of prototypes is looked for, around their own scale
MOST_LEFT_OUT = 60  # cases that are left out one by one; of more, FOLDS parts
FOLDS = 10
PRIOR_CASES = 5  # how many cases the usual variance counts for beside those that there are
NEVER = -1e4  # the output of a label that no row has
TINY = 1e-12


@dataclass(frozen=True, eq=False)
class Rows:
    """What a last layer is fitted to: features `(N, F)` and what they should give, `wanted` `(N, K)`.

    `kind` says what that is: one of `K` labels that exclude each other, `several` that may hold at once (0 or 1 each),
    or numbers. `case` `(N,)` tells of which case each row is: rows of one case are left out together. `weight` `(N,)`
    is how much each row counts.
    """

    features: Array
    wanted: Array
    case: Array
    weight: Array
    kind: Kind

    @property
    def labels(self) -> int:
        """How many outputs there are."""
        return int(self.wanted.shape[1])

    @property
    def cases(self) -> Array:
        """The cases, each once."""
        return np.unique(self.case)

    def without(self, cases: Sequence[int] | Array) -> tuple[Rows, Rows]:
        """Return the rows of all other cases, and those of these."""
        out = np.isin(self.case, cases)
        return self._part(~out), self._part(out)

    def _part(self, chosen: Array) -> Rows:
        return Rows(
            self.features[chosen], self.wanted[chosen], self.case[chosen], self.weight[chosen], self.kind
        )


@dataclass(frozen=True, eq=False)
class Head:
    """A linear layer, `weight` `(K, F)` and `bias` `(K,)`, the loss on cases left out (NaN where none could be), and
    what is worth saying of it."""

    weight: Array
    bias: Array
    loss: float
    said: str = ""

    def __call__(self, features: Array) -> Array:
        """Return the raw outputs `(N, K)`."""
        found: Array = features @ self.weight.T + self.bias
        return found

    def fitted(self, rows: Rows) -> float:
        """Return the mean loss on rows, such as those that it was found from."""
        return _mean_loss(self(rows.features), rows)


def prototypes(rows: Rows, distance: Distance = "cosine") -> Head:
    """Return the linear layer that answers as the nearest prototype does: the mean features of each label.

    Every case counts alike, however many rows it has. With `euclidean` distances the outputs are -t·|x - c|² but for
    what is the same for all labels (Snell, Swersky, Zemel 2017, arXiv 1703.05175, section 2.4), so that probabilities,
    too, are those of the distances. With `cosine` the mean of the labels' means is taken off first and features have
    length 1 when they are averaged (Wang et al. 2019, arXiv 1911.04623): the same label is nearest as by cosine, and
    how sure the answer is grows with the length of x, which a linear layer cannot divide by. How sharp it is, t, is
    fitted to cases left out one by one, none of which is taken for certain (see `_doubted`).

    Of labels that may hold at once each has two prototypes, with it and without it.

    Raises PlanError for numbers, which have no prototypes.
    """
    if rows.kind == "numbers":
        raise PlanError(
            "numbers have no prototypes", found="recipe 'prototypes'", hint="--set train.recipe=linear"
        )
    unit, parts = _nearest(rows, distance), [rows.without(out) for out in _parts(rows)]
    if not all(_complete(learned) for learned, _ in parts):
        return replace(
            unit, said="how sure it is was not fitted: a label has one case, so none can be left out"
        )
    every = np.concatenate([_nearest(learned, distance)(held.features) for learned, held in parts])
    held_out = _doubted(_joined([held for _, held in parts]))
    found = minimize_scalar(
        lambda log_t: _mean_loss(every * np.exp(log_t), held_out),
        bounds=tuple(np.log(SURE)),
        method="bounded",
    )
    sharp = float(np.exp(found.x))
    return Head(unit.weight * sharp, unit.bias * sharp, float(found.fun))


def _nearest(rows: Rows, distance: Distance) -> Head:
    """Return the linear layer of the prototypes at the scale of the prototypes themselves."""
    if rows.kind == "several":
        return _yes_or_no(rows, distance)
    means = [_mean(rows, rows.wanted[:, k] > 0.5) for k in range(rows.labels)]
    there = [k for k, mean in enumerate(means) if mean is not None]
    centres = np.stack([m for m in means if m is not None])
    middle = centres.mean(axis=0)
    weight, bias = np.zeros((rows.labels, len(middle))), np.full(rows.labels, NEVER)
    if distance == "euclidean":
        scale = max(float(((centres - middle) ** 2).sum(axis=1).mean()), TINY)
        weight[there] = 2 * (centres - middle) / scale
        bias[there] = ((middle**2).sum() - (centres**2).sum(axis=1)) / scale
        return Head(weight, bias, float("nan"))
    length = np.linalg.norm(rows.features - middle, axis=1)
    at_one = replace(rows, features=(rows.features - middle) / np.maximum(length, TINY)[:, None])
    means = [_mean(at_one, rows.wanted[:, k] > 0.5) for k in there]
    directed = np.stack([m / max(float(np.linalg.norm(m)), TINY) for m in means if m is not None])
    weight[there] = directed / max(float(length.mean()), TINY)
    bias[there] = -weight[there] @ middle
    return Head(weight, bias, float("nan"))


def _yes_or_no(rows: Rows, distance: Distance) -> Head:
    """Return for each of several labels how much nearer the prototype of the cases with it is than that without it."""
    weight, bias = np.zeros((rows.labels, rows.features.shape[1])), np.zeros(rows.labels)
    for k in range(rows.labels):
        has = rows.wanted[:, k] > 0.5
        if has.any() and not has.all():
            pair = _nearest(
                replace(rows, wanted=np.stack([~has, has], axis=1).astype(float), kind="exclusive"), distance
            )
            weight[k], bias[k] = pair.weight[1] - pair.weight[0], pair.bias[1] - pair.bias[0]
    return Head(weight, bias, float("nan"))


def _mean(rows: Rows, chosen: Array) -> Array | None:
    """Return the mean over cases of the weighted mean of their chosen rows; None where there is none."""
    found = []
    for case in np.unique(rows.case[chosen]):
        own = chosen & (rows.case == case)
        found.append(np.average(rows.features[own], axis=0, weights=rows.weight[own]))
    return np.mean(found, axis=0) if found else None


def linear(rows: Rows, strengths: Sequence[float] = STRENGTHS) -> Head:
    """Return the regularised linear layer on standardised features: logistic for labels, ridge for numbers.

    It minimises the mean loss + s/2·|w|² over features that are standardised and divided by the root of how many
    there are (see `standards`), so that a strength s means the same for every net; the bias is free. The strength is
    that of `strengths` (the strongest first) with the least loss on cases left out one by one, or of more than
    MOST_LEFT_OUT on FOLDS parts. Features are reduced to the span of the rows, which changes nothing of the outcome.
    """
    middle, scale = standards(rows)
    standard = (rows.features - middle) / scale
    _, sizes, axes = np.linalg.svd(standard, full_matrices=False)
    axes = axes[sizes > 1e-9 * max(float(sizes.max(initial=0.0)), TINY)]
    inside = replace(rows, features=standard @ axes.T)
    losses = _left_out_losses(inside, strengths)
    known = [loss for loss in losses if np.isfinite(loss)]
    place = int(np.nanargmin(losses)) if known else len(strengths) // 2
    theta, bias = _solved(inside, strengths[place])
    weight = (theta @ axes) / scale
    left_out = "cases left out" if known else "nothing: no case can be left out"
    said = f"strength {strengths[place]:g}, chosen by {left_out}"
    return Head(weight, bias - weight @ middle, float(losses[place]), said)


def standards(rows: Rows) -> tuple[Array, Array]:
    """Return what is taken off features and what they are divided by, `(F,)` each: mean and spread, and the root of F.

    A feature that happens to vary little over a few cases may vary much over others, and would then outweigh all: each
    variance counts as if PRIOR_CASES more cases had the usual one, the median over all features that vary (a shrinkage
    of variances as in Opgen-Rhein and Strimmer 2007). Raises DataError where none varies.
    """
    middle = np.average(rows.features, axis=0, weights=rows.weight)
    variance = np.average((rows.features - middle) ** 2, axis=0, weights=rows.weight)
    alive = variance > TINY * max(float(variance.max(initial=0.0)), TINY)
    if not alive.any():
        raise DataError(
            "the net gives the same features for every case, so nothing can be told from them",
            hint="--init with weights that were learned",
        )
    n = len(rows.cases)
    shrunk = (n * variance + PRIOR_CASES * float(np.median(variance[alive]))) / (n + PRIOR_CASES)
    return middle, np.sqrt(shrunk * len(variance))


def _left_out_losses(rows: Rows, strengths: Sequence[float]) -> Array:
    """Return for each strength the mean loss on cases left out; NaN where none can be."""
    total, n = np.zeros(len(strengths)), 0.0
    for left_out in _parts(rows):
        learned, held = rows.without(left_out)
        if not _complete(learned) or not len(held.case):
            continue
        theta, bias = None, None
        for k, strength in enumerate(strengths):
            theta, bias = _solved(learned, strength, theta, bias)
            total[k] += _mean_loss(held.features @ theta.T + bias, held) * held.weight.sum()
        n += held.weight.sum()
    return total / n if n else np.full(len(strengths), np.nan)


def _parts(rows: Rows) -> list[Array]:
    """Return which cases are left out together: one by one, or in FOLDS parts, each with about a part of each label."""
    cases = rows.cases
    if len(cases) <= MOST_LEFT_OUT:
        return [np.array([c]) for c in cases]
    first = {c: int(rows.wanted[rows.case == c][0].argmax()) for c in cases}
    ordered = sorted(cases, key=lambda c: (first[c], c))
    return [np.array(ordered[k::FOLDS]) for k in range(FOLDS)]


def _complete(rows: Rows) -> bool:
    """Return whether every label is among the rows, and of labels that may hold at once a row without it, too."""
    if rows.kind == "numbers":
        return len(rows.cases) > 1
    if not len(rows.case):
        return False
    there = (rows.wanted > 0.5).any(axis=0)
    lacking = (rows.wanted <= 0.5).any(axis=0)
    return bool(there.all() and (rows.kind == "exclusive" or lacking.all()))


def _doubted(rows: Rows) -> Rows:
    """Return the rows with uncertain targets, after Platt (1999): of n cases of a label, one in n + 2 is another.

    Few cases that are told apart without an error would otherwise make every answer certain.
    """
    many = np.array([len(np.unique(rows.case[rows.wanted[:, k] > 0.5])) for k in range(rows.labels)])
    if rows.kind == "several":
        without = len(rows.cases) - many
        return replace(rows, wanted=np.where(rows.wanted > 0.5, (many + 1) / (many + 2), 1 / (without + 2)))
    doubt = 1 / (many[rows.wanted.argmax(axis=1)] + 2)
    share = 1 / max(1, rows.labels - 1)
    return replace(rows, wanted=np.where(rows.wanted > 0.5, 1 - doubt[:, None], doubt[:, None] * share))


def _joined(parts: Sequence[Rows]) -> Rows:
    return Rows(
        np.concatenate([p.features for p in parts]),
        np.concatenate([p.wanted for p in parts]),
        np.concatenate([p.case for p in parts]),
        np.concatenate([p.weight for p in parts]),
        parts[0].kind,
    )


def _mean_loss(outputs: Array, rows: Rows) -> float:
    """Return the weighted mean loss of raw outputs `(N, K)`."""
    return float(np.average(_losses(outputs, rows), weights=rows.weight))


def _losses(outputs: Array, rows: Rows) -> Array:
    """Return the loss of each row: the negative log likelihood, or half of the squared error, summed over outputs."""
    each: Array
    if rows.kind == "numbers":
        each = 0.5 * ((outputs - rows.wanted) ** 2).sum(axis=1)
    elif rows.kind == "several":
        each = -(rows.wanted * log_expit(outputs) + (1 - rows.wanted) * log_expit(-outputs)).sum(axis=1)
    else:
        each = -(rows.wanted * log_softmax(outputs, axis=1)).sum(axis=1)
    return each


def _solved(
    rows: Rows, strength: float, theta: Array | None = None, bias: Array | None = None
) -> tuple[Array, Array]:
    """Return weight `(K, F)` and bias `(K,)` of the least mean loss + strength/2·|w|²; begins from what is given."""
    if rows.kind == "numbers":
        return _ridge(rows, strength)
    share, many, width = rows.weight / rows.weight.sum(), rows.labels, rows.features.shape[1]
    link: Callable[[Array], Array] = expit if rows.kind == "several" else lambda z: softmax(z, axis=1)

    def loss(flat: Array) -> tuple[float, Array]:
        table = flat.reshape(many, width + 1)
        outputs = rows.features @ table[:, :-1].T + table[:, -1]
        off = (link(outputs) - rows.wanted) * share[:, None]
        slope = np.concatenate(
            [off.T @ rows.features + strength * table[:, :-1], off.sum(axis=0)[:, None]], axis=1
        )
        value = float(share @ _losses(outputs, rows)) + strength / 2 * float((table[:, :-1] ** 2).sum())
        return value, slope.ravel()

    begin = np.zeros((many, width + 1))
    if theta is not None and bias is not None:
        begin[:, :-1], begin[:, -1] = theta, bias
    found = minimize(
        loss,
        begin.ravel(),
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": 2000, "gtol": 1e-7, "ftol": 1e-12},
    )
    table = found.x.reshape(many, width + 1)
    return table[:, :-1], table[:, -1]


def _ridge(rows: Rows, strength: float) -> tuple[Array, Array]:
    """Return the ridge solution, the bias free."""
    share = rows.weight / rows.weight.sum()
    middle, level = share @ rows.features, share @ rows.wanted
    x, y = rows.features - middle, rows.wanted - level
    root = np.sqrt(share)[:, None]
    gram = (x * root).T @ (x * root) + strength * np.eye(x.shape[1])
    theta = np.linalg.solve(gram, (x * share[:, None]).T @ y).T
    return theta, level - theta @ middle
