"""From trained members to a finished run: calibration, scorecard, card and report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from vesalius.core.bundle import Bundle, Stage, save_bundle
from vesalius.core.plan import Plan
from vesalius.core.progress import Progress
from vesalius.core.scorecard import Scorecard, as_json, nameless, save_scorecard
from vesalius.core.subgroups import SMALLEST
from vesalius.evaluate.answered import score_cases
from vesalius.evaluate.banners import FEW_STEPS, of_training
from vesalius.evaluate.factors import with_factors
from vesalius.evaluate.fairness import with_subgroups
from vesalius.infer import asked
from vesalius.infer.predictor import device_of
from vesalius.learn.recipes import contract as recipes
from vesalius.run.grouped import group_thresholds
from vesalius.run.members import Outcome
from vesalius.run.reporting import write_report
from vesalius.run.speed import keep_speed
from vesalius.run.spending import SCORING, spending, spent
from vesalius.run.unseen import of_run
from vesalius.run.workspace import Workspace
from vesalius.tasks import contract


def calibrated(space: Workspace, plan: Plan, outcome: Outcome, stage: Stage) -> Stage:
    """Return the stage with what its task fits on validation cases alone."""
    held = outcome.held_out or outcome.checked
    if not held:
        return stage
    ids = list(held)
    task = contract.get(stage.plan.task.name)
    truths = [task.truth(space.cohort.case(i), stage.state) for i in ids]
    raw = [held[i] for i in ids]
    known = space.cohort.patients_known
    patients = [space.cohort.case(i).patient or i for i in ids] if known else None
    found = asked.calibrated(task, raw, truths, state=stage.state, plan=plan, patients=patients)
    if found and plan.train.group_thresholds != "none":
        cases = [space.cohort.case(i) for i in ids]
        found = {**found, "groups": group_thresholds(task, cases, raw, truths, stage.state, plan, found)}
    return replace(stage, calibration={**found, "n": len(ids)}) if found else stage


def finish(
    space: Workspace,
    bundle: Bundle,
    outcome: Outcome,
    path: Path,
    *,
    by: Sequence[str] | None = None,
    smallest_group: int = SMALLEST,
    progress: Progress,
    device: str | None,
) -> tuple[Bundle, Scorecard]:
    """Score the bundle on the test cases, seal the scorecard into it, and write what a person reads.

    `by` are the columns by whose groups figures are given, too, by default those of people that there are.
    """
    fewest = recipes.get(bundle.stages[-1].plan.train.recipe).steps or FEW_STEPS
    cases, split = (space.test, "test") if space.test else (space.training, "training")
    with spending(path, SCORING, device):
        tally, card = score_cases(
            bundle,
            cases,
            split=split,
            data_hash=space.cohort.hash,
            patients_known=space.cohort.patients_known,
            progress=progress,
            device=device,
            told=(*outcome.before, *of_training(outcome.steps, fewest=fewest)),
            smallest=smallest_group,
            training=space.training if space.test else (),
            accept_mismatch=True,  # the data's author says that it is one cohort
        )
    card = of_run(card, space.overlap, len(space.leaking))
    card = with_factors(card, tally, space.cohort.covariates, bundle=bundle)
    card = with_subgroups(card, tally, by, smallest=smallest_group, bands=space.training)
    card = replace(card, energy=spent(path))
    keep_speed(path, bundle, tally.seconds, device_of(device).type)
    written = write_report(card, path, space=space, bundle=bundle, tally=tally, outcome=outcome)
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
