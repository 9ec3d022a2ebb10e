"""A Cox model of the covariates alone, with a ridge: what is reached without looking at anything else.

A state holds its `weights` by event under `clinic`, a number an encoded covariate, and the array `clinic-0` `(T,)`, the
cumulative baseline hazard of the first event on `days-0`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vesalius.core.answers.curve import Curve
from vesalius.core.bundle import State
from vesalius.core.errors import DataError
from vesalius.core.image import Array
from vesalius.prepare.batch import Example
from vesalius.survival.baseline import breslow
from vesalius.survival.cox import fit_cox
from vesalius.tasks._awaited import arms_of, awaited, observed_of

CLINIC, EVENT = "clinic", "event"  # in a state, and among the targets of an example
FEWEST = 10  # events, of fewer nothing is fitted
RIDGE = 1.0  # half of it times the squared standardised weights is taken off the log likelihood
ALONE = 1e-6  # of a column's own spread that others do not tell


def remembered(examples: Sequence[Example], state: State) -> State:
    """Return the state with such a model of the first event; as it is where too few cases tell."""
    held = [e for e in examples if e.covariates is not None and EVENT in e.targets]
    held = [e for e in held if np.isfinite(e.targets[EVENT][0]).all()]
    if not held:
        return state
    x = np.stack([np.nan_to_num(np.asarray(e.covariates, np.float64)) for e in held])
    about = awaited(state)[0]
    seen = observed_of(np.stack([e.targets[EVENT][0] for e in held]), about)
    columns = independent(x)
    if seen.happened.sum() < FEWEST or not columns:
        return state
    names = [str(k) for k in columns]
    try:
        fitted = fit_cox(x[:, columns], seen, names=names, penalty=RIDGE / len(held))
    except DataError:
        return state  # a plain model that cannot be had is none; the figures say so by lacking it
    weights = np.zeros(x.shape[1])
    weights[columns] = fitted.coefficients
    centre = float(x.mean(axis=0) @ weights)
    hazard = breslow(x @ weights - centre, seen).at(state.arrays["days-0"])
    values = {**state.values, CLINIC: {"weights": weights.tolist(), "centre": centre}}
    return State(values, {**state.arrays, "clinic-0": hazard})


def independent(x: Array) -> list[int]:
    """Return the columns of a table `(N, F)` that vary and are not told by those before them."""
    centred = x - x.mean(axis=0)
    kept: list[int] = []
    base = np.zeros((len(x), 0))
    for k in range(x.shape[1]):
        own = centred[:, k]
        norm = float(np.linalg.norm(own))
        rest = own - base @ (base.T @ own)
        rest = rest - base @ (base.T @ rest)
        if norm > 0 and float(np.linalg.norm(rest)) > ALONE * norm:
            kept.append(k)
            base = np.concatenate([base, (rest / np.linalg.norm(rest))[:, None]], axis=1)
    return kept


def said(example: Example, state: State) -> Curve | None:
    """Return the curve of such a model under each arm; None where a state has none."""
    about = state.values.get(CLINIC)
    if about is None:
        return None
    weights, arms = np.asarray(about["weights"]), arms_of(state)
    x = (
        np.zeros(len(weights))
        if example.covariates is None
        else np.nan_to_num(np.asarray(example.covariates, np.float64))
    )
    given: str | None = None
    rows = np.repeat(x[None], len(arms), axis=0)
    if len(arms) > 1:
        bits = len(arms) + 1  # and whether the arm is known
        known = x[-bits:-1]
        given = arms[int(known.argmax())] if known.max() > 0.5 else None
        rows[:, -bits:-1], rows[:, -1] = np.eye(len(arms)), 1.0
    risk = rows @ weights - float(about["centre"])
    hazard = state.arrays["clinic-0"]
    curves = np.exp(-hazard * np.exp(np.clip(risk, -50, 50))[:, None])
    place = arms.index(given) if given is not None else 0
    return Curve(
        times_days=state.arrays["days-0"],
        survival=dict(zip(arms, curves, strict=True)),
        risk=float(risk[place]),
        given=given,
        event=awaited(state)[0].name,
    )
