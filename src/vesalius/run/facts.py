"""Facts of a run for people: what it learned from and how, in words that name no case, patient, file or path."""

from __future__ import annotations

import datetime

from vesalius.core.plan import Plan
from vesalius.core.words import counted, listed
from vesalius.run.members import Outcome
from vesalius.run.workspace import Workspace


def data_facts(space: Workspace) -> dict[str, str]:
    """Return what was learned from, by name."""
    cohort, beside = space.cohort, space.unlabelled
    patients = len({c.patient or c.id for c in cohort.cases})
    return {
        "layout": cohort.layout,
        "cases": str(len(cohort.cases)),
        "set aside": counted(len(cohort.set_aside), "faulty case") if cohort.set_aside else "no case",
        "patients": str(patients)
        if cohort.patients_known
        else f"{patients} (no patient ids: a case counts as one)",
        "trained on": _trained_on(space),
        **({"beside them": f"{counted(len(beside), 'case')} without the target"} if beside else {}),
        "tested on": counted(len(space.test), "case"),
        "divided": _divided(space),
        "target": f"{space.target.full_name} ({space.target.kind})" if space.target else "none",
        "labels": listed((x.name for x in space.labels), 20) or "none",
        "data hash": cohort.hash,
    }


def run_facts(plan: Plan, outcome: Outcome) -> dict[str, str]:
    """Return how it was trained, by name."""
    scores = ", ".join(f"{t.score:.4f} at step {t.step}" for t in outcome.trained)
    began = f"{plan.net.init}: {plan.reasons.get('net.init', '')}" if plan.net.init else "random weights"
    return {
        "net": f"{plan.net.name}, scale {plan.net.scale:g}",
        "began from": began,
        "members": _kept(outcome),
        "steps": _steps(plan, outcome),
        "validation": scores,
        "ended by the clock": _by_clock(outcome),
        "made on": datetime.date.today().isoformat(),
    }


def _trained_on(space: Workspace) -> str:
    """Return how many cases were learned from, in how many folds; of few shots how many validated."""
    shots = space.assignment.shots
    if shots is None:
        return f"{counted(len(space.training), 'case')} in {counted(len(space.assignment.folds), 'fold')}"
    held = len(space.training) - len(space.learned)
    return f"{counted(len(space.learned), 'case')}, {shots} of each label; {counted(held, 'other')} only validated"


def _divided(space: Workspace) -> str:
    """Return how cases were dealt; a declared split's own words may name a file, or a case, and are left out."""
    unit = "patient" if space.cohort.patients_known else "case, as no patients are known"
    drawn = space.assignment.by.startswith("seed ")
    return f"by {unit}, seed {space.assignment.seed}" if drawn else f"as the data declare it, by {unit}"


def _kept(outcome: Outcome) -> str:
    """Return how many members answer, and which do not."""
    every = str(len(outcome.trained))
    return f"{len(outcome.kept)} of {every}; {outcome.left_out}" if outcome.left_out else every


def _steps(plan: Plan, outcome: Outcome) -> str:
    """Return the steps that each member did, and those that were planned at first where these are others."""
    if not outcome.steps:
        return str(plan.train.steps)
    planned = sorted({p for _, p in outcome.steps})
    if all(d == p for d, p in outcome.steps):
        return ", ".join(map(str, planned if len(planned) == 1 else (d for d, _ in outcome.steps)))
    if len(planned) == 1:
        return f"{', '.join(str(d) for d, _ in outcome.steps)} of {planned[0]}"
    return ", ".join(str(d) if d == p else f"{d} of {p}" for d, p in outcome.steps)


def _by_clock(outcome: Outcome) -> str:
    """Return whether the time limit took steps away, and how."""
    if outcome.ran_out:
        return "yes"
    return "no, but shortened by it" if any(d < p for d, p in outcome.steps) else "no"
