"""What another arm would change for one case: survival at the horizon and the time without the event until then.

A curve of several arms has a part `benefit` of numbers, of each further arm against the first. Its bounds say how far
the bundle's members lie apart and how uncertain the shared baseline is; of one member nothing says how uncertain the
effect of an arm is, and so there are none.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from vesalius.benefit import given
from vesalius.benefit.measure import Kind, Measure
from vesalius.core.answers import Answer
from vesalius.core.answers.curve import Curve
from vesalius.core.answers.numbers import Numbers
from vesalius.core.answers.value import Value
from vesalius.core.bounds import Bounds
from vesalius.core.bundle import State
from vesalius.core.image import Array
from vesalius.core.treatment import BENEFIT, Treatment, gain_name
from vesalius.tasks import _prognosis

KINDS: tuple[Kind, ...] = ("survival", "restricted_mean")


def gained(curve: Curve, raw: Any, state: State, calibration: Mapping[str, Any]) -> Curve:
    """Return a curve with what arms change as its part, from raw answers of M members; as it is of one arm.

    Curves of further events, which are its parts, have such a part of their own. As it is, too, where nothing is said
    of a benefit, or a curve ends before its horizon.
    """
    treatment = given.treatment(state)
    if treatment is None:
        return curve
    if given.UNSUPPORTED in state.values:
        return replace(curve, treatment=treatment)
    said = np.asarray(raw, np.float64)
    members = [_prognosis.curve(said[m : m + 1], state, calibration) for m in range(len(said))]
    parts, wider = dict(curve.parts), _prognosis.apart(calibration)
    for name, part in curve.parts.items():
        own = given.treatment_for(name, state)
        if own is not None and isinstance(part, Curve):
            parts[name] = _with_gain(part, own, [m.parts[name] for m in members], wider)
    return _with_gain(replace(curve, parts=parts), treatment, members, wider)


def _with_gain(curve: Curve, treatment: Treatment, members: Sequence[Answer], wider: float) -> Curve:
    """Return the curve of one event with its treatment, and with what arms change where it reaches the horizon."""
    made = replace(curve, treatment=treatment)
    end = float(curve.times_days[-1]) if len(curve.times_days) else 0.0
    if not 0 < treatment.horizon_days <= end:
        return made
    each = [m for m in members if isinstance(m, Curve)]
    return replace(made, parts={**made.parts, BENEFIT: numbers(made, each, wider)})


def numbers(curve: Curve, members: Sequence[Curve], wider: float = 1.0) -> Numbers:
    """Return what each further arm changes beside the first, of a curve that says how arms came about.

    `wider` is how many standard deviations of members a standard error is.
    """
    horizon = 0.0 if curve.treatment is None else curve.treatment.horizon_days
    control, *others = curve.survival
    parts: dict[str, Answer] = {}
    for arm in others:
        for kind in KINDS:
            name = gain_name(kind, horizon, control, arm)
            parts[name] = _value(Measure(horizon, kind), curve, members, control, arm, wider)
    return Numbers(parts=parts)


def _value(
    measure: Measure, curve: Curve, members: Sequence[Curve], control: str, arm: str, wider: float
) -> Value:
    gain = difference(measure, curve, control, arm)
    unit = "days" if measure.kind == "restricted_mean" else "share"
    if len(members) < 2:
        return Value(x=gain, unit=unit)
    spread = wider * float(np.std([difference(measure, m, control, arm) for m in members], ddof=1))
    wide = _prognosis.WIDE * math.hypot(spread, _of_baseline(measure, curve, members, control, arm))
    most = 1.0 if measure.kind == "survival" else measure.horizon_days
    return Value(
        x=gain,
        unit=unit,
        bounds=Bounds(max(gain - wide, -most), min(gain + wide, most), _prognosis.SHARE),
    )


def difference(measure: Measure, curve: Curve, control: str, arm: str) -> float:
    """Return what a measure is under an arm less what it is under the control."""
    times = np.asarray(curve.times_days, np.float64)
    both = [float(measure.of_curve(times, np.asarray(curve.survival[a], np.float64))) for a in (arm, control)]
    return both[0] - both[1]


def _of_baseline(measure: Measure, curve: Curve, members: Sequence[Curve], control: str, arm: str) -> float:
    """Return the standard error of a benefit that comes of the baseline, which both arms share.

    A member's own band is that of the baseline alone, of the logarithm of a cumulative hazard H: with all of H too high
    by one standard error a curve S is S ^ exp(error).
    """
    found = []
    for one in members:
        if one.low is None or one.high is None:
            return 0.0
        ends = [
            float(measure.of_curve(one.times_days, _at_error(one, arm, up)))
            - float(measure.of_curve(one.times_days, _at_error(one, control, up)))
            for up in (1.0, -1.0)
        ]
        found.append(abs(ends[0] - ends[1]) / 2)
    return float(np.mean(found))


def _at_error(one: Curve, arm: str, up: float) -> Array:
    """Return a curve whose baseline is higher or lower by one standard error, from its band of so many of them."""
    low = np.asarray((one.low or {})[arm], np.float64)
    survival = np.asarray(one.survival[arm], np.float64)
    hazard, upper = -np.log(np.maximum(survival, 1e-300)), -np.log(np.maximum(low, 1e-300))
    error = np.where(hazard > 0, np.log(np.maximum(upper, 1e-300) / np.maximum(hazard, 1e-300)), 0.0)
    return np.asarray(np.exp(-hazard * np.exp(up * error / _prognosis.WIDE)))
