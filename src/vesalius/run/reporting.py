"""What a person reads after a run or an evaluation: report.html and the model card."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from vesalius.answers import contract
from vesalius.core.bundle import Bundle
from vesalius.core.cohort import Cohort
from vesalius.core.disk import write_text
from vesalius.core.plan import USER, Plan, value_at
from vesalius.core.scorecard import Scorecard, nameless
from vesalius.core.shown import cut
from vesalius.core.words import counted
from vesalius.evaluate.banners import TRAINING
from vesalius.evaluate.cards.card import card_of
from vesalius.evaluate.cards.known import known_of
from vesalius.evaluate.report import Report
from vesalius.evaluate.report import write_report as write_html
from vesalius.evaluate.scoring import Tally
from vesalius.run import engineering
from vesalius.run.facts import data_facts, run_facts
from vesalius.run.members import Outcome
from vesalius.run.speed import speed_facts
from vesalius.run.workspace import Workspace

LONGEST = 160  # letters of one value in a table of choices; plan.json holds all of it


def choices(plan: Plan) -> list[tuple[str, str, str]]:
    """Return `(field, value, reason)` for every planned value that has a reason, in the plan's order."""
    return [(path, short(value_at(plan, path)), reason) for path, reason in plan.reasons.items()]


def short(value: Any) -> str:
    """Return a planned value in a few words."""
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, list | tuple) and value and all(v == value[0] for v in value) and len(value) > 3:
        return f"{short(value[0])} × {len(value)}"
    if isinstance(value, list | tuple):
        return ", ".join(short(v) for v in value) or "none"
    if isinstance(value, Mapping):
        shown = {k: v for k, v in value.items() if v is not None}
        return ", ".join(f"{k} {short(v)}" for k, v in shown.items()) or "none"
    return "none" if value is None else cut(str(value), LONGEST)


def write_report(
    scorecard: Scorecard, path: Path, *, space: Workspace, bundle: Bundle, tally: Tally, outcome: Outcome
) -> str:
    """Write `report.html` and `card.md` into a run's folder.

    Returns the card's text as a bundle holds it, which names no case, nor what the work took.
    """
    stage = bundle.stages[-1]
    plan = stage.plan
    rows = choices(plan)
    card = card_of(known_of(bundle, scorecard=scorecard, sealed=False))
    report = Report(
        title=f"{space.task.name.capitalize()}: {space.cohort.root.name}",
        scorecard=scorecard,
        subtitle=f"{plan.net.name}, {_members(outcome)}, {counted(scorecard.n_cases, f'{scorecard.split} case')}",
        choices=rows,
        own=[row for row in rows if row[2] == USER],
        remarks=_remarks(outcome, scorecard),
        data={"data": space.cohort.root.name, **data_facts(space), "split": space.assignment.by},
        run=run_facts(plan, outcome),
        engineer={**engineering.facts(path, outcome.trained), **speed_facts(tally.seconds)},
        command=engineering.command(path, plan),
        notes=space.cohort.notes,
        set_aside=[(s.case, s.reason) for s in space.cohort.set_aside],
        best=tally.gallery.best,
        worst=tally.gallery.worst,
        history=_history(stage.name, space.task.primary, outcome),
        label_values=contract.of(scorecard.answer).legend(space.labels),
        card=card,
    )
    write_html(report, path / "report.html")
    write_text(path / "card.md", card.markdown())
    return card_of(known_of(bundle, scorecard=nameless(scorecard), sealed=False)).markdown()


def _members(outcome: Outcome) -> str:
    many = len(outcome.kept)
    return "one model" if many == 1 else f"{many} models together"


def _remarks(outcome: Outcome, scorecard: Scorecard) -> list[str]:
    """Return what the clock took away, where that is too little for a banner."""
    said = any(banner.kind == TRAINING for banner in scorecard.banners)
    if said or not any(d < p for d, p in outcome.steps):
        return []
    how = (
        "The time limit ended the training early"
        if outcome.ran_out
        else "The time limit shortened the training"
    )
    told = ", ".join(f"{d} of {p}" for d, p in outcome.steps)
    return [f"{how}: of the planned steps, {told} were made. With more time it may be better."]


_USUAL = ("step", "loss", "lr", "score")  # of a history; what else is there, a recipe looked at


def _history(
    stage: str, primary: str, outcome: Outcome
) -> dict[str, dict[str, tuple[Sequence[float], Sequence[float]]]]:
    """Return the loss and the score on validation cases against the step, a line a member."""
    losses: dict[str, tuple[Sequence[float], Sequence[float]]] = {
        f"{stage}-{k}": ([s for s, _ in t.losses], [v for _, v in t.losses])
        for k, t in enumerate(outcome.trained)
        if t.losses
    }
    scores: dict[str, tuple[Sequence[float], Sequence[float]]] = {
        f"{stage}-{k}": line for k, t in enumerate(outcome.trained) if (line := _line(t.history, "score"))[0]
    }
    known = dict.fromkeys(
        name for t in outcome.trained for h in t.history for name in h if name not in _USUAL
    )
    looked: dict[str, dict[str, tuple[Sequence[float], Sequence[float]]]] = {
        name.replace("_", " "): {
            f"{stage}-{k}": _line(t.history, name) for k, t in enumerate(outcome.trained)
        }
        for name in known
    }
    return {"training loss": losses, f"validation {primary}": scores, **looked}


def _line(history: Sequence[Mapping[str, float]], name: str) -> tuple[list[float], list[float]]:
    rows = [h for h in history if math.isfinite(h.get(name, math.nan))]
    return [h["step"] for h in rows], [h[name] for h in rows]


def write_evaluation(
    scorecard: Scorecard, folder: Path, *, cohort: Cohort, bundle: Bundle | None, tally: Tally
) -> None:
    """Write the report of an evaluation."""
    plan = bundle.stages[-1].plan if bundle else None
    rows = choices(plan) if plan else []
    target = cohort.targets.get(scorecard.target or "")
    report = Report(
        title=f"Evaluation on {cohort.root.name}",
        scorecard=scorecard,
        subtitle=f"{counted(scorecard.n_cases, 'case')} of split '{scorecard.split}'",
        choices=rows,
        own=[row for row in rows if row[2] == USER],
        data={"data": cohort.root.name, "layout": cohort.layout, "data hash": cohort.hash},
        run={"bundle": bundle.hash if bundle else "another tool's predictions"},
        engineer={**engineering.machine_facts(), **speed_facts(tally.seconds)},
        notes=cohort.notes,
        set_aside=[(s.case, s.reason) for s in cohort.set_aside],
        best=tally.gallery.best,
        worst=tally.gallery.worst,
        label_values=contract.of(scorecard.answer).legend(target.labels) if target else {},
        card=card_of(known_of(bundle, scorecard=scorecard)) if bundle else None,
    )
    write_html(report, folder / "report.html")
