"""From trained members to a finished run: calibration, scorecard, card and report."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from vesalius.core.bundle import Bundle, Stage, save_bundle
from vesalius.core.image import Array
from vesalius.core.plan import Plan
from vesalius.core.progress import Progress
from vesalius.core.scorecard import Scorecard, as_json, nameless, save_scorecard
from vesalius.evaluate import calibration
from vesalius.evaluate.answered import score_cases
from vesalius.evaluate.banners import of_training
from vesalius.run.members import Outcome
from vesalius.run.reporting import write_report
from vesalius.run.unseen import of_run
from vesalius.run.workspace import Workspace


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
