"""What is planned and checked before times to events are learned from: arms, covariates, batches, leaks."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from vesalius.benefit import trial as trials
from vesalius.cohorts.targets import contract as kinds
from vesalius.core import registry
from vesalius.core.bundle import State
from vesalius.core.case import Case, Event
from vesalius.core.cohort import Cohort, TargetInfo
from vesalius.core.errors import DataError, PlanError
from vesalius.core.known import word
from vesalius.core.plan import Plan
from vesalius.core.tally import Tally
from vesalius.core.words import counted, listed
from vesalius.plan import tables
from vesalius.plan.draft import Draft
from vesalius.plan.fingerprint import Fingerprint
from vesalius.tasks._awaited import held, infos
from vesalius.tasks._beside import nothing_to_see, plan_covariates, planned
from vesalius.tasks._sources import COVARIATES

ARM = "arm"  # the option that names the column of treatments
TABLE_BATCH, VOLUME_BATCH, LARGE_BATCH = 128, 16, 8
LARGE = 80**3  # voxels of a case, of which fewer are learned from at once
MOST_EVENTS = 0.75  # of events: after them few are still at risk, and tell little of the others
FEWEST = 10  # cases of a kind, of fewer nothing is called a copy of the target
SAME = 0.995  # share of pairs of cases that a column orders as the target does


def plan(draft: Draft, prints: Fingerprint, target: TargetInfo | None, *, name: str) -> None:
    """Plan arms, covariates and batches, over the choices that all tasks of whole images have."""
    if target is not None:
        draft.set("task.name", name, f"'{target.name}' holds times to an event; another task: --task NAME")
    draft.set(
        "task.options.model", "cox", "the partial likelihood needs no grid of times; hazard, deephit: --set"
    )
    arm = (target.arm if target else None) or ""
    why = (
        "the column of treatments, as told"
        if arm
        else "no column of treatments was named (--column arm=NAME)"
    )
    draft.set(f"task.options.{ARM}", arm, why)
    if arm:
        why = "nobody said how arms were assigned; randomised, observed: --set task.options.assignment="
        draft.set("task.options.assignment", "unknown", why)
    draft.set("task.options.horizon", 0.0, "the risk is that of the time in which three of four events fall")
    plan_covariates(draft, prints, apart=(arm,) if arm else ())
    _without_outcomes(draft, prints, arm)
    _batches(draft, prints)
    if not prints.imageless:
        for path, what in (("zoom", "size"), ("brightness", "density"), ("contrast", "density")):
            draft.set(f"augment.{path}", 0.05, f"little, for the {what} of what is seen may tell the time")


def _without_outcomes(draft: Draft, prints: Fingerprint, arm: str) -> None:
    """Take what is called as times and events are, and the arm, out of the covariates that nobody named."""
    named = [name for name, about in prints.covariates.items() if about.named]
    text = str(draft.values.get("task.options.covariates") or "")
    chosen = [name for name in text.split(",") if name]
    kept = [n for n in chosen if n != arm and (n in named or not is_outcome(n))]
    if kept != chosen:
        gone = listed([n for n in chosen if n not in kept], 6)
        why = f"{draft.reasons.get('task.options.covariates', '')}; not {gone}: an outcome, or the treatment"
        draft.set("task.options.covariates", ",".join(kept), why)
        sorts = str(draft.values.get("task.options.categories") or "").split(",")
        why = draft.reasons.get("task.options.categories", "")
        draft.set("task.options.categories", ",".join(n for n in sorts if n in kept), why)


def is_outcome(column: str) -> bool:
    """Return whether a column is called as those are that say what happened afterwards."""
    return any(
        re.fullmatch(pattern, column.strip().casefold())
        for stem in registry.stems(kinds.ROOM)
        if kinds.of(stem).ahead
        for pattern in dict(registry.literals(kinds.ROOM, stem).get("CALLED") or {}).values()
    )


def _batches(draft: Draft, prints: Fingerprint) -> None:
    """Plan batches that are large enough for risk sets: who is compared is who is in a batch."""
    if prints.imageless:
        many = TABLE_BATCH if not prints.courses else 32
    elif prints.flat:
        return
    else:
        size = draft.values.get("data.size") or [1, 1, 1]
        many = VOLUME_BATCH if int(np.prod(size)) <= LARGE else LARGE_BATCH
    draft.set("train.batch", many, "a case is compared with those at risk in its batch: the more, the better")


def arm_of(plan: Plan) -> str:
    """Return the planned column of treatments; nothing where there is none."""
    return str(plan.task.options.get(ARM) or "").strip()


def columns(plan: Plan) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the planned covariates with the arm as the last, and those that are categories."""
    names, sorts = planned(plan)
    arm = arm_of(plan)
    names = tuple(n for n in names if n != arm)
    sorts = tuple(n for n in sorts if n in names)
    return ((*names, arm), (*sorts, arm)) if arm else (names, sorts)


def arms(about: Mapping[str, Any], arm: str, given: Tally) -> tuple[list[str], dict[str, Any]]:
    """Return the arms, and what is learned of their column, which a new case may lack.

    `given` says how many training cases had each. Raises DataError for one arm, or one that hardly anybody had.
    """
    names = [str(value) for value in about["values"]]
    if len(names) < 2:
        raise DataError(
            f"all training cases had the same treatment in '{arm}'",
            found=listed(names),
            hint="--set task.options.arm= without it",
        )
    few = [f"'{name}' to {given[name]}" for name in names if given[name] < trials.FEWEST]
    if few:
        raise DataError(
            f"too few training cases of an arm in '{arm}' to tell of it",
            found=f"given {listed(few)}",
            hint=f"{trials.FEWEST} or more of each, the others alone, or --set task.options.arm= without arms",
        )
    return names, {**about, "missing": max(1, about["missing"])}


def unarmed(state: State) -> State:
    """Return a state whose covariates are those that a model sees: without the arm."""
    if not state.values.get("arms"):
        return state
    names = list(state.values[COVARIATES])[:-1]
    return State({**state.values, COVARIATES: {n: state.values[COVARIATES][n] for n in names}}, state.arrays)


def upto(state: State, place: int) -> int:
    """Return the interval by whose end an event's risk is taken: that of the horizon, or the end of most events."""
    ends, horizon = state.arrays[f"ends-{place}"], state.values["horizon"]
    if not horizon:
        return round(MOST_EVENTS * (len(ends) - 1))
    return int(min(np.searchsorted(ends, horizon), len(ends) - 1))


def check(plan: Plan) -> None:
    """Raise PlanError for a net of a table where there are images, or of images where there are none."""
    if plan.task.options.get("model") == "linear" and not tables.is_table(plan.net.name):
        raise PlanError(
            "a linear model sees a table's columns alone",
            found=f"net.name={plan.net.name}",
            hint="--set task.options.model=cox",
        )
    if plan.sources.courses:
        return
    tabular, bare = tables.is_table(plan.net.name), bool(plan.fingerprint.get(tables.IMAGELESS))
    if tabular != bare:
        raise PlanError(
            f"net '{plan.net.name}' reads " + ("a table's columns alone" if tabular else "images"),
            found="cases " + ("without images" if bare else "with images"),
            hint=f"--set net.name={'mlp' if bare else 'resnet-18'}",
        )
    seen = [*(n for n in planned(plan)[0] if n != arm_of(plan)), *plan.sources.texts]
    if bare and not seen:
        raise PlanError(
            "without images there must be covariates to learn from",
            found="none planned",
            hint="--column covariate=NAME, or --set task.options.covariates=A,B",
        )


def missing(cohort: Cohort, target: TargetInfo | None) -> tuple[str, ...]:
    """Return what is missing before times to events can be learned from."""
    if target is None:
        return ("a time to an event for each case (--column time=NAME --column event=NAME)",)
    cases = [c for c in cohort.cases if held(c, target.name)]
    for info in infos(target):
        events = [e for c in cases if (e := held(c, target.name).get(info.name)) is not None]
        if len(events) < 2:
            return (f"times of '{info.name}' for at least two cases",)
        happened = sum(e.happened for e in events)
        if happened < 2:
            return (f"'{info.name}' in at least two cases (it happened in {happened} of {len(events)})",)
    return nothing_to_see(cases) or _hardly_given(cases, target.arm) or _foretold(cohort, cases, target)


def _hardly_given(cases: Sequence[Case], arm: str | None) -> tuple[str, ...]:
    """Return which arm was given to too few cases to tell of it."""
    if not arm:
        return ()
    given = Counter(word(v) for c in cases if (v := c.covariates.get(arm)) is not None)
    few = [f"'{word}' to {n}" for word, n in sorted(given.items()) if n < trials.FEWEST]
    return (
        (
            f"{trials.FEWEST} or more cases of each arm in '{arm}', which gives {listed(few)} (leave these cases out)",
        )
        if few
        else ()
    )


def _foretold(cohort: Cohort, cases: Sequence[Case], target: TargetInfo) -> tuple[str, ...]:
    """Return which covariate that will be learned from says the times, or whether it happened, itself."""
    bare = not any(c.images for c in cases)
    names = cohort.covariates or (dict.fromkeys(n for c in cases for n in c.covariates) if bare else ())
    for info in infos(target):
        pairs = [(c.covariates, e) for c in cases if (e := held(c, target.name).get(info.name)) is not None]
        for name in names:
            if (
                name != target.arm
                and (name in cohort.covariates or not is_outcome(name))
                and _says(pairs, name)
            ):
                return (
                    f"covariates that are not the outcome: '{name}' says '{info.name}' itself in "
                    f"{counted(len(pairs), 'case')} (--column covariate=A,B names those to learn from)",
                )
    return ()


def _says(pairs: Sequence[tuple[Mapping[str, Any], Event]], name: str) -> bool:
    """Return whether a column orders cases as their times do, or parts them as the event does."""
    known = [(own[name], e) for own, e in pairs if own.get(name) is not None]
    if len(known) < 2 * FEWEST:
        return False
    words = sorted({str(x) for x, _ in known})
    numeric = all(isinstance(x, int | float) for x, _ in known)
    if not numeric and len(words) != 2:
        return False
    x = np.array([float(v) if numeric else words.index(str(v)) for v, _ in known])
    time = np.array([e.time_days for _, e in known])
    happened = np.array([float(e.happened) for _, e in known])
    return _alike(x, time) or (len(words) == 2 and _alike(x, happened))


def _alike(x: np.ndarray, y: np.ndarray) -> bool:
    """Return whether nearly all pairs that differ in both are ordered alike, or all the other way round."""
    if min(np.unique(x, return_counts=True)[1].sum(), len(np.unique(x)), len(np.unique(y))) < 2:
        return False
    if len(np.unique(x)) == 2 and min(np.unique(x, return_counts=True)[1]) < FEWEST:
        return False
    both = np.sign(x[:, None] - x[None]) * np.sign(y[:, None] - y[None])
    told = (both != 0).sum()
    return bool(told and abs(both.sum()) / told > SAME)
