"""What is learned of treatments: which arms were given to whom among training cases, and what is compared when."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from vesalius.benefit import tabulate
from vesalius.benefit.given import ASSIGNMENT, FURTHER, SUPPORTED, TREATMENT, UNSUPPORTED
from vesalius.benefit.measure import AT_RISK
from vesalius.benefit.support import Group, fit_support
from vesalius.benefit.trial import Trial, trial
from vesalius.core.bundle import State
from vesalius.core.case import Case
from vesalius.core.errors import DataError
from vesalius.core.horizons import years_until
from vesalius.core.known import word
from vesalius.core.treatment import ASSIGNMENTS, treatment_of
from vesalius.survival.curves import kaplan_meier
from vesalius.survival.observed import from_events
from vesalius.tasks._awaited import Awaited, arms_of, awaited, held

COVARIATES = "covariates"  # in a state
FOLLOWED, SHARE = 10, 0.2  # patients of each arm who are still followed at the horizon


def remembered(cases: Sequence[Case], state: State) -> State:
    """Return the state with what training cases tell of who was given what; as it is where there is one arm."""
    arms = arms_of(state)
    if len(arms) < 2:
        return state
    beside = state.values[COVARIATES]
    column = list(beside)[-1]
    names = tuple(n for n in beside if n != column)
    treatment = {
        "column": column,
        "known": list(names),
        "categories": [n for n in names if "values" in beside[n]],
        ASSIGNMENT: str(state.values.get(ASSIGNMENT) or ASSIGNMENTS[-1]),
    }
    try:
        found = _learned(cases, state, treatment, arms)
    except DataError as error:
        horizon = float(state.values.get("horizon") or 0.0)
        found = {TREATMENT: {**treatment, "horizon_days": horizon}, UNSUPPORTED: str(error)}
    return State({**state.values, **found}, state.arrays)


def _learned(
    cases: Sequence[Case], state: State, treatment: Mapping[str, Any], arms: Sequence[str]
) -> dict[str, Any]:
    """Return what a state holds of treatments. Raises DataError where too few tell of the first event."""
    first, *others = awaited(state)
    about = tabulate.learn(
        [c.covariates for c in _told(cases, state, treatment, first)],
        treatment["known"],
        treatment["categories"],
    )
    made = _trial(cases, state, treatment, arms, first, about)
    horizon = float(state.values.get("horizon") or 0.0) or _horizon(made)
    support = fit_support(made)
    groups = [_counted(g, made, horizon) for g in support.groups]
    further = {one.name: _further(cases, state, treatment, arms, one, about) for one in others}
    return {
        TREATMENT: {**treatment, "horizon_days": horizon},
        **({FURTHER: further} if further else {}),
        SUPPORTED: {
            "about": about,
            "trim": support.trim,
            "centre": support.propensity.centre.tolist(),
            "scale": support.propensity.scale.tolist(),
            "coefficients": support.propensity.coefficients.tolist(),
            "low": support.low.tolist(),
            "high": support.high.tolist(),
            "groups": groups,
        },
    }


def _told(cases: Sequence[Case], state: State, treatment: Mapping[str, Any], event: Awaited) -> list[Case]:
    """Return the cases of which an event and the arm are known."""
    target = str(state.values["target"])
    return [
        c
        for c in cases
        if held(c, target).get(event.name) is not None and _word(c, treatment["column"]) is not None
    ]


def _trial(
    cases: Sequence[Case],
    state: State,
    treatment: Mapping[str, Any],
    arms: Sequence[str],
    event: Awaited,
    about: tabulate.About,
) -> Trial:
    """Return the trial of one event. Raises DataError where too few tell of it."""
    known, target = _told(cases, state, treatment, event), str(state.values["target"])
    names = tabulate.columns(about)
    return trial(
        np.array([tabulate.encode(c.covariates, about) for c in known]).reshape(len(known), len(names)),
        [str(_word(c, treatment["column"])) for c in known],
        from_events([held(c, target)[event.name] for c in known], event.each),
        names=names,
        arms=arms,
        randomised=treatment_of({**treatment, "horizon_days": 0.0}).randomised,
    )


def _further(
    cases: Sequence[Case],
    state: State,
    treatment: Mapping[str, Any],
    arms: Sequence[str],
    event: Awaited,
    about: tabulate.About,
) -> dict[str, Any]:
    """Return at which time a benefit of a further event is told, or why it is not."""
    try:
        made = _trial(cases, state, treatment, arms, event, about)
    except DataError as error:
        return {UNSUPPORTED: str(error)}
    return {"horizon_days": float(state.values.get("horizon") or 0.0) or _horizon(made)}


def _horizon(made: Trial) -> float:
    """Return the last of 1, 2, 3, 5 and 10 years up to which a fifth of each arm was followed, 10 patients or more.

    Where that is not a year, it is the last day up to which so many were.
    """
    ends = []
    for k in range(len(made.arms)):
        time = np.sort(made.observed.time_days[made.arm == k])
        ends.append(float(time[-max(FOLLOWED, math.ceil(len(time) * SHARE))]))
    return (years_until(min(ends)) or (min(ends),))[-1]


def _counted(group: Group, made: Trial, horizon: float) -> dict[str, Any]:
    """Return a group's conditions, and how many of each arm it holds, how many had the event, and survival then."""
    inside = group.holds(made.x)
    arms = []
    for k in range(len(made.arms)):
        own = made.observed.where(inside & (made.arm == k))
        followed = int((own.time_days >= horizon).sum())
        survival = float(kaplan_meier(own).at(np.array([horizon]))[0]) if followed >= AT_RISK else None
        arms.append({"n": len(own), "events": int(own.happened.sum()), "survival": survival})
    return {"conditions": [[c, below, bound] for c, below, bound in group.conditions], "arms": arms}


def _word(case: Case, column: str) -> str | None:
    value = case.covariates.get(column)
    return None if value is None else word(value)
