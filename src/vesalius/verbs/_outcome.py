"""From trained members to a finished run: calibration, scorecard, card and report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from vesalius.core.bundle import Bundle, Stage, save_bundle
from vesalius.core.image import Array
from vesalius.core.plan import Plan
from vesalius.core.progress import Progress
from vesalius.core.scorecard import Banner, Scorecard, as_json, nameless, save_scorecard
from vesalius.evaluate import calibration
from vesalius.evaluate.banners import is_short, of_training
from vesalius.learn.loop import Trained
from vesalius.verbs._reporting import write_report
from vesalius.verbs._unseen import of_run
from vesalius.verbs._workspace import Workspace
from vesalius.verbs.evaluate import score_cases


@dataclass(frozen=True, eq=False)
class Outcome:
    """What training gave: the members, which of them are kept, and whether time ran out.

    `held_out` is what the kept members said, raw, of the cases they never saw. `steps` are `(done, planned)` a
    member. `before` are the banners of earlier stages.
    """

    trained: tuple[Trained, ...]
    kept: tuple[int, ...]
    held_out: Mapping[str, Array]
    ran_out: bool
    steps: tuple[tuple[int, int], ...] = ()
    before: tuple[Banner, ...] = ()

    @property
    def left_out(self) -> str:
        """Which members do not answer, and why, in words; empty where all do."""
        gone = [k for k in range(len(self.trained)) if k not in self.kept]
        if not gone:
            return ""
        told = ", ".join("member {} ({} of {} steps)".format(k, *self.steps[k]) for k in gone)
        verb = "is" if len(gone) == 1 else "are"
        return f"{told} {verb} left out: under half of the planned steps when the time ran out"


def steps_of(trained: Trained, plan: Plan) -> tuple[int, int]:
    """Return the steps that a member did and those it was to do at first.

    Fewer steps were to be done where the clock ended them or shortened its course; one that stopped by its own rule
    did them all.
    """
    planned = trained.course[0].steps if trained.course else plan.train.steps
    shortened = bool(trained.course) and trained.course[-1].steps < planned
    return trained.last_step, max(
        planned, trained.last_step
    ) if trained.ran_out or shortened else trained.last_step


def kept_of(steps: Sequence[tuple[int, int]]) -> tuple[int, ...]:
    """Return which members answer: all with at least half of their steps; all there are where none has that many."""
    enough = tuple(k for k, (done, planned) in enumerate(steps) if not is_short(done, planned))
    return enough or tuple(range(len(steps)))


def calibrated(space: Workspace, plan: Plan, outcome: Outcome, stage: Stage) -> Stage:
    """The stage with a temperature, thresholds and the positive class, fitted on validation cases alone."""
    if stage.plan.task.name != "classify" or not outcome.held_out:
        return stage
    labels = [x["name"] for x in stage.state.values["labels"]]
    multilabel = stage.state.values["kind"] == "multilabel"
    ids = list(outcome.held_out)
    logits = np.stack([outcome.held_out[i].mean(axis=0) for i in ids])
    truths = [space.cohort.case(i).targets[space.target.name] for i in ids]
    y: Array
    if multilabel:
        y = np.array([[n in t for n in labels] for t in truths], dtype=np.int64)  # type: ignore[operator]
    else:
        y = np.array([labels.index(str(t)) for t in truths])
    positive = plan.task.positive if plan.task.positive in labels else None
    asked = plan.task.options.get("threshold")
    rule = next((r for r in ("balanced_accuracy", "accuracy", "f1") if r == asked), None)
    found = calibration.fit(logits, y, labels=labels, multilabel=multilabel, positive=positive, rule=rule)
    if rule is None and positive is not None:
        found["thresholds"] = {positive: 0.5}
    fitted: dict[str, Any] = {**found, "positive": positive, "n": len(ids)}
    return replace(stage, calibration=fitted)


def finish(
    space: Workspace,
    bundle: Bundle,
    outcome: Outcome,
    path: Path,
    *,
    progress: Progress,
    device: str | None,
) -> tuple[Bundle, Scorecard]:
    """Score the bundle on the test cases, seal the scorecard into it, and write what a person reads."""
    stage = bundle.stages[-1]
    cases, split = (space.test, "test") if space.test else (space.training, "training")
    tally, card = score_cases(
        bundle,
        cases,
        split=split,
        data_hash=space.cohort.hash,
        patients_known=space.cohort.patients_known,
        progress=progress,
        device=device,
        told=(*outcome.before, *of_training(outcome.steps)),
        accept_mismatch=True,  # the data's author says that it is one cohort
    )
    card = of_run(card, space.overlap, len(space.leaking))
    written = write_report(card, path, space=space, stage=stage, tally=tally, outcome=outcome)
    texts = {"scorecard.json": as_json(nameless(card)), "card.md": written}
    sealed = save_bundle(
        bundle.path,
        bundle.stages,
        data_hash=bundle.data_hash,
        made_by=bundle.made_by,
        learned=bundle.learned,
        texts=texts,
    )
    save_scorecard(card, path / "scorecard.json")
    return sealed, card
