"""What a bundle's state holds of treatments: how arms came about, and which were given to patients like a case.

A state holds under `treatment` what `core.treatment.Treatment` is made of, and beside it, under `supported`, the
propensity, the groups and the ranges of `Support`, or under `unsupported` in words why nothing is said of a benefit. It
holds counts, bounds and chances, and no patient:

    {"about": {"age": {"mean": 61.2, "missing": False}}, "trim": .05, "centre": [61.2], "scale": [9.8],
     "coefficients": [[0, .1], [0, .3]], "low": [[31], [36]], "high": [[88], [88]],
     "groups": [{"conditions": [[0, True, 56.2]], "arms": [{"n": 40, "events": 12, "survival": .7}, …]}]}
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from vesalius.benefit import tabulate
from vesalius.benefit.propensity import Propensity
from vesalius.benefit.support import Group, Support
from vesalius.core.bundle import State
from vesalius.core.case import Case
from vesalius.core.image import Array
from vesalius.core.treatment import Treatment, treatment_of

TREATMENT, SUPPORTED, UNSUPPORTED, ASSIGNMENT = "treatment", "supported", "unsupported", "assignment"
FURTHER = "further treatments"  # of a state: by event, at which time a benefit is told, or why it is not
BIT = 0.5  # between 0 and 1, the values of a column of bits


@dataclass(frozen=True)
class Armed:
    """Training cases of a group that had one arm: how many, how many of them had the event, and survival then.

    `survival` is Kaplan-Meier's at the horizon, None where too few were followed so far.
    """

    n: int
    events: int
    survival: float | None


def treatment(state: State) -> Treatment | None:
    """Return how arms came about; None where there is one arm, or nothing was remembered."""
    return treatment_of(state.values[TREATMENT]) if TREATMENT in state.values else None


def treatment_for(event: str, state: State) -> Treatment | None:
    """Return how arms came about and when a further event is compared; None where nothing is told of its benefit."""
    told = state.values.get(FURTHER, {}).get(event, {})
    if TREATMENT not in state.values or "horizon_days" not in told:
        return None
    return treatment_of({**state.values[TREATMENT], "horizon_days": told["horizon_days"]})


def support(state: State) -> Support | None:
    """Return which arms were given to whom; None where nothing is known of it."""
    found = state.values.get(SUPPORTED)
    if not isinstance(found, Mapping):
        return None
    arms = tuple(str(a) for a in state.values["arms"])
    wide = len(found["centre"])

    def table(name: str, rows: int, columns: int) -> Array:
        return np.array(found[name], np.float64).reshape(rows, columns)

    propensity = Propensity(
        np.array(found["centre"], np.float64),
        np.array(found["scale"], np.float64),
        table("coefficients", wide + 1, len(arms)),
    )
    return Support(
        tabulate.columns(found["about"]),
        arms,
        propensity,
        tuple(_group(g) for g in found["groups"]),
        table("low", len(arms), wide),
        table("high", len(arms), wide),
        float(found["trim"]),
    )


def known(case: Case, state: State) -> Array:
    """Return what is known of a case as the columns of its support, `(F,)`. Raises DataError."""
    return tabulate.encode(case.covariates, state.values[SUPPORTED]["about"])


def usual(state: State) -> dict[str, float | str]:
    """Return what the average training case had: the mean of each number, and the most frequent word."""
    about: Mapping[str, Mapping[str, Any]] = state.values.get(SUPPORTED, {}).get("about", {})
    return {name: one["usual"] if "usual" in one else one["mean"] for name, one in about.items()}


def outside(case: Case, state: State) -> tuple[str, ...]:
    """Return which arms were not given to patients like a case, a sentence each, or why nobody can say."""
    if TREATMENT not in state.values:
        return ()
    if UNSUPPORTED in state.values:
        return (f"nothing is said of what a treatment changes: {state.values[UNSUPPORTED]}",)
    made = support(state)
    if made is None:
        return ()
    why = made.reasons(known(case, state))
    return tuple(f"patients like this one did not have '{arm}': {text}" for arm, text in why.items())


def like(case: Case, state: State) -> tuple[str, dict[str, Armed]]:
    """Return the group of training cases to which a case belongs, in words, and what became of them by arm."""
    made = support(state)
    row = known(case, state)[None]
    for told in state.values[SUPPORTED]["groups"] if made else ():
        if _group(told).holds(row)[0]:
            return words(_group(told), state), _armed(told, state)
    return "", {}


def totals(state: State) -> dict[str, tuple[int, int]]:
    """Return of each arm how many training cases had it, and how many of these the event."""
    found: dict[str, tuple[int, int]] = {}
    for told in state.values.get(SUPPORTED, {}).get("groups", ()):
        for arm, one in _armed(told, state).items():
            n, events = found.get(arm, (0, 0))
            found[arm] = (n + one.n, events + one.events)
    return found


def words(group: Group, state: State) -> str:
    """Return a group's conditions in words: `age from 52.4 to 56.2, sex M`; `all` of one without any."""
    names = tabulate.columns(state.values[SUPPORTED]["about"])
    ends: dict[int, list[float | None]] = {}
    for column, below, bound in group.conditions:
        low, high = ends.get(column, [None, None])
        ends[column] = [low, bound] if below else [bound, high]
    return ", ".join(_range(names[c], *pair) for c, pair in ends.items()) or "all"


def _range(name: str, low: float | None, high: float | None) -> str:
    if BIT in (low, high):
        return name if low is not None else f"not {name}"
    if low is None:
        return f"{name} up to {high:.4g}"
    return f"{name} above {low:.4g}" if high is None else f"{name} from {low:.4g} to {high:.4g}"


def _armed(told: Mapping[str, Any], state: State) -> dict[str, Armed]:
    return {str(arm): Armed(**one) for arm, one in zip(state.values["arms"], told["arms"], strict=True)}


def _group(told: Mapping[str, Any]) -> Group:
    conditions = tuple((int(c), bool(below), float(bound)) for c, below, bound in told["conditions"])
    return Group(conditions, tuple(int(a["n"]) for a in told["arms"]))
