"""From raw answers to curves: cumulative hazards of each arm and cause, bands, risks and ranks.

`raw` is `(M, A, 1 + E + W)` of M members: see `_survivor.py`. A calibration holds under `events`, by an event's name,
`scale` and `shift` of its log hazard and the `risks` of training cases that no member had seen.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from vesalius.core.answers.curve import Curve
from vesalius.core.bundle import State
from vesalius.core.case import Event
from vesalius.core.image import Array
from vesalius.survival.observed import Observed
from vesalius.tasks._awaited import EVENTS, Awaited, arms_of, awaited, baseline, events_of, observed_of
from vesalius.tasks._rescaling import rescaled

SHARE = 0.95  # of a band
WIDE = 1.959964  # standard errors on either side of it
BETWEEN = 4  # points of a curve in each interval of discrete times
MOST = 50.0  # of a cumulative hazard: survival is nought beyond it
QUANTILES = 101  # of the risks of training cases
FEWEST = 10  # events, of fewer no hazard is scaled
APART = "apart"  # in a calibration: how many standard deviations of members a standard error is
WORTH = 2.0  # by how much the log likelihood must rise for two numbers more (Akaike 1974)


@dataclass(frozen=True, eq=False)
class Said:
    """What raw answers say of one event: log hazards `(M, A)` and logits `(M, A, W)`."""

    about: Awaited
    place: int
    risk: Array
    logits: Array


def widths(state: State) -> list[int]:
    """Return how many logits each event has."""
    kind = state.values["model"]
    found = []
    for place, about in enumerate(awaited(state)):
        many = len(about.each)
        intervals = len(state.arrays[f"ends-{place}"])
        found.append(many if kind == "cox" else many * intervals + (kind == "deephit"))
    return found


def parted(raw: Any, state: State) -> list[Said]:
    """Return what raw answers `(M, A, 1 + E + W)` say of each event."""
    said = np.asarray(raw, np.float64)
    each = awaited(state)
    logits = np.split(said[..., 1 + len(each) :], np.cumsum(widths(state))[:-1], axis=-1)
    return [
        Said(about, k, said[..., 1 + k], own) for k, (about, own) in enumerate(zip(each, logits, strict=True))
    ]


def given_arm(raw: Any) -> int | None:
    """Return the place of the arm that a case was given; None where nobody says."""
    given = np.asarray(raw)[..., 0].mean(axis=0)
    return int(given.argmax()) if given.max() > 0.5 else None


def curve(raw: Any, state: State, calibration: Mapping[str, Any]) -> Curve:
    """Return the curve of the first event, with those of further events as its parts."""
    arms, given = arms_of(state), given_arm(raw)
    return _together([_curve(one, state, calibration, arms=arms, given=given) for one in parted(raw, state)])


def _together(curves: Sequence[Curve]) -> Curve:
    """Return the curve of the first event with those of further ones as its parts, by name."""
    first, *others = curves
    return replace(first, parts={str(one.event): one for one in others}) if others else first


def _curve(
    said: Said, state: State, calibration: Mapping[str, Any], *, arms: Sequence[str], given: int | None
) -> Curve:
    """Return the curve of one event."""
    about, known = said.about, calibration.get(EVENTS, {}).get(said.about.name, {})
    days, each = hazards(said, state)  # (M, A, C, T)
    mean = Said(about, said.place, said.risk.mean(0, keepdims=True), said.logits.mean(0, keepdims=True))
    hazard = hazards(mean, state)[1][0]  # (A, C, T)
    centre = float(known.get("centre", state.values["centre"][said.place]))
    scale, shift = float(known.get("scale", 1.0)), float(known.get("shift", 0.0))
    relative = mean.risk[0] - centre  # (A,)
    hazard = hazard * np.exp(shift + (scale - 1) * relative)[:, None, None]
    low, high = _band(hazard.sum(axis=1), each.sum(axis=2), state, said.place, apart(calibration))
    survival, incidence = _shared(hazard)
    place = given or 0
    risks = np.asarray(known.get("risks") or state.arrays.get(f"risks-{said.place}", []), np.float64)
    return Curve(
        times_days=days,
        survival=dict(zip(arms, survival, strict=True)),
        low=None if low is None else dict(zip(arms, low, strict=True)),
        high=None if high is None else dict(zip(arms, high, strict=True)),
        share=None if low is None else SHARE,
        incidence={a: dict(zip(about.causes, f, strict=True)) for a, f in zip(arms, incidence, strict=True)}
        if about.causes
        else None,
        risk=scale * float(relative[place]),
        rank=_rank(float(mean.risk[0, place]), risks),
        given=arms[given] if given is not None and len(arms) > 1 else None,
        event=about.name,
    )


def _rank(risk: float, risks: Array) -> float | None:
    """Return the share of training cases whose risk is lower, from quantiles of theirs; None without any."""
    if not len(risks):
        return None
    if np.ptp(risks) == 0:
        return 0.5
    return float(np.interp(risk, risks, np.linspace(0, 1, len(risks))))


def hazards(said: Said, state: State) -> tuple[Array, Array]:
    """Return days `(T,)` and each cause's cumulative hazard `(M, A, C, T)`."""
    kind, place, causes = state.values["model"], said.place, len(said.about.each)
    if kind == "cox":
        days, baseline = state.arrays[f"days-{place}"], state.arrays[f"hazard-{place}"]
        found = baseline * np.exp(np.clip(said.logits, -MOST, MOST))[..., None]
        return np.asarray(days, np.float64), np.minimum(found, MOST)
    ends = np.asarray(state.arrays[f"ends-{place}"], np.float64)
    if kind == "hazard":
        logits = said.logits.reshape(*said.logits.shape[:-1], len(ends), causes)
        logs = _log_softmax(np.concatenate([np.zeros_like(logits[..., :1]), logits], axis=-1))
        total, shares = -logs[..., 0], np.exp(logs[..., 1:])
    else:
        mass = np.exp(_log_softmax(said.logits))
        each = mass[..., :-1].reshape(*mass.shape[:-1], len(ends), causes)
        left = np.cumsum(mass[..., ::-1], axis=-1)[..., ::-1]  # of this and all later ones
        still = np.maximum(left[..., ::causes], 1e-12)  # before each interval, and after all
        total, shares = np.log(still[..., :-1] / still[..., 1:]), each
    shares = shares / np.maximum(shares.sum(axis=-1, keepdims=True), 1e-300)
    hazard = np.cumsum(np.moveaxis(total[..., None] * shares, -1, -2), axis=-1)  # (M, A, C, K)
    return _between(ends, np.minimum(hazard, MOST))


def _log_softmax(x: Array) -> Array:
    top = x - x.max(axis=-1, keepdims=True)
    return np.asarray(top - np.log(np.exp(top).sum(axis=-1, keepdims=True)))


def _between(ends: Array, hazard: Array) -> tuple[Array, Array]:
    """Return cumulative hazards `(…, K)` at points between their days, too: in an interval a hazard is the same."""
    edges = np.concatenate([[0.0], ends])
    before = np.concatenate([np.zeros_like(hazard[..., :1]), hazard], axis=-1)
    share = np.arange(1, BETWEEN + 1) / BETWEEN
    days = (edges[:-1, None] + np.diff(edges)[:, None] * share).ravel()
    found = before[..., :-1, None] + np.diff(before, axis=-1)[..., None] * share
    return days, found.reshape(*hazard.shape[:-1], -1)


def _shared(hazard: Array) -> tuple[Array, Array]:
    """Return survival `(A, T)` and each cause's cumulative incidence `(A, C, T)`, which add up to one."""
    total = hazard.sum(axis=1)
    survival = np.exp(-total)
    steps = np.diff(total, axis=-1, prepend=0.0)
    before = np.concatenate([np.ones_like(survival[..., :1]), survival[..., :-1]], axis=-1)
    own = np.diff(hazard, axis=-1, prepend=0.0)
    share = np.divide(own, steps[:, None], out=np.zeros_like(own), where=steps[:, None] > 0)
    return survival, np.cumsum(share * (before - survival)[:, None], axis=-1)


def apart(calibration: Mapping[str, Any]) -> float:
    """Return how many standard deviations of members a standard error is: 1 where nobody says."""
    return float(calibration.get(APART, 1.0))


def jackknife(folds: int) -> float:
    """Return the standard error of what is learned, in standard deviations of members that each lack one of K folds.

    It is (K − 1) / √K, the jackknife of groups (Efron and Tibshirani 1993, section 11.5): members share most of their
    cases, and so lie nearer to one another than models of other patients would. 1 where there are no folds.
    """
    return (folds - 1) / float(np.sqrt(folds)) if folds > 2 else 1.0


def _band(
    total: Array, each: Array, state: State, place: int, wider: float
) -> tuple[Array | None, Array | None]:
    """Return the band of curves `(A, T)` from the spread of members' `(M, A, T)` and the baseline's error.

    `wider` is how many standard deviations of members a standard error is.
    """
    kind = state.values["model"]
    error = np.asarray(state.arrays[f"error-{place}"]) if kind == "cox" else np.zeros(total.shape[-1])
    if len(each) > 1:
        spread = wider * np.log(np.maximum(each, 1e-12)).std(axis=0, ddof=1)
    elif kind == "cox":
        spread = np.zeros_like(total)
    else:
        return None, None
    wide = WIDE * np.sqrt(spread**2 + error**2)
    return np.exp(-total * np.exp(wide)), np.exp(-total * np.exp(-wide))


def at_own_days(said: Said, state: State, observed: Observed, arm: int) -> Array:
    """Return the cumulative hazard of one case from its entry to its end, under an arm."""
    days, each = hazards(said, state)
    total = np.concatenate([[0.0], each.mean(axis=0)[arm].sum(axis=0)])
    edges = np.searchsorted(days, [observed.entry_days[0], observed.time_days[0]], side="right")
    return np.asarray(total[edges[1]] - total[edges[0]])


def calibrated(raws: Sequence[Array], truths: Sequence[Any], state: State, *, folds: int) -> dict[str, Any]:
    """Return the calibration of each event, from raw answers of models that never saw the cases.

    Those of several members about a case are taken as their mean. A truth is an Event, or several by name. `folds` is
    how many folds of the cases there are, of which each member lacks one.
    """
    found = {}
    for place, about in enumerate(awaited(state)):
        each = [one.get(about.name) if isinstance(one, Mapping) else one for one in truths]
        held = [
            (np.asarray(raw, np.float64).mean(axis=0, keepdims=True), event)
            for raw, event in zip(raws, each, strict=True)
            if isinstance(event, Event)
        ]
        if len(held) > 1:
            found[about.name] = _calibrated(held, state, place)
    return {EVENTS: found, APART: jackknife(folds)} if found else {}


def _calibrated(held: Sequence[tuple[Array, Event]], state: State, place: int) -> dict[str, Any]:
    """Return mean and quantiles of the risks of one event, and scale and shift of log hazards where they help."""
    arms = [given_arm(raw) or 0 for raw, _ in held]
    said = [parted(raw, state)[place] for raw, _ in held]
    risks = np.array([one.risk[0, arm] for one, arm in zip(said, arms, strict=True)])
    found: dict[str, Any] = {"centre": float(risks.mean()), "risks": _quantiles(risks)}
    seen = events_of([event for _, event in held], said[0].about)
    if seen.happened.sum() < FEWEST:
        return found
    hazard = np.array(
        [
            at_own_days(one, state, seen.where(np.array([k])), arm)
            for k, (one, arm) in enumerate(zip(said, arms, strict=True))
        ]
    )
    scale, shift, gain = rescaled(risks - risks.mean(), hazard, seen.happened)
    return found | ({"scale": scale, "shift": shift, "gain": gain} if gain > WORTH else {})


def _quantiles(risks: Array) -> list[float]:
    return [float(q) for q in np.quantile(risks, np.linspace(0, 1, QUANTILES))]


def remembered(raws: Array, rows: Sequence[Array | None], state: State) -> State:
    """Return the state with baselines, mean and quantiles of risks, from raw answers `(N, A, …)` about training cases.

    `rows` `(E, 3)` are what is known of each case's events. Log hazards are those under the arm that a case had.
    """
    values, arrays = dict(state.values), dict(state.arrays)
    arms = raws[..., 0].argmax(axis=1) if raws.shape[1] > 1 else np.zeros(len(raws), np.int64)
    own = raws[np.arange(len(raws)), arms]
    of_arm = raws[..., 0].max(axis=1) > 0.5 if raws.shape[1] > 1 else np.ones(len(raws), bool)
    centres = []
    for one in parted(own[:, None], state):
        there = np.array([r is not None and bool(np.isfinite(r[one.place]).all()) for r in rows]) & of_arm
        risk, logits = one.risk[there, 0], np.clip(one.logits[there, 0], -MOST, MOST)
        centres.append(float(risk.mean()) if len(risk) else 0.0)
        if not len(risk):
            continue
        arrays[f"risks-{one.place}"] = np.array(_quantiles(risk))
        seen = observed_of(
            np.stack([r[one.place] for r, so in zip(rows, there, strict=True) if so and r is not None]),
            one.about,
        )
        if values["model"] == "cox":
            arrays |= baseline(one.place, logits, seen)
    values["centre"] = centres
    return State(values, arrays)


def trivial(state: State) -> Curve | None:
    """Return the curve that looks at nothing, under each arm alike, with those of further events as its parts."""
    found = []
    for place, about in enumerate(awaited(state)):
        days = state.arrays[f"known-days-{place}"]
        survival, *incidences = state.arrays[f"known-{place}"]
        arms = arms_of(state)
        found.append(
            Curve(
                times_days=days,
                survival=dict.fromkeys(arms, survival),
                incidence={arm: dict(zip(about.causes, incidences, strict=True)) for arm in arms}
                if about.causes
                else None,
                risk=0.0,
                rank=0.5,
                event=about.name,
            )
        )
    return _together(found)
