"""Answering cases with a bundle and scoring each answer at once, so that one case is in memory at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from vesalius.answers import contract
from vesalius.core.bundle import Bundle
from vesalius.core.calling import calling
from vesalius.core.case import Case
from vesalius.core.errors import CodeError, FormatError, MismatchError, VesaliusError
from vesalius.core.learned import lying_outside
from vesalius.core.progress import Progress
from vesalius.core.scorecard import Banner, Scorecard, load_scorecard
from vesalius.core.subgroups import SMALLEST
from vesalius.evaluate.adding import of_sources
from vesalius.evaluate.among import Among, with_experts
from vesalius.evaluate.banners import OF_TRAINING
from vesalius.evaluate.places import Fields
from vesalius.evaluate.rivals import Rivals
from vesalius.evaluate.scoring import Tally, card_of, tally_for
from vesalius.evaluate.strange import in_words, of_strange, strange
from vesalius.infer import guard
from vesalius.infer.asked import assert_kind
from vesalius.infer.each import Change, answers
from vesalius.infer.predictor import Predictor

BEFORE = (
    "scorecard_before.json"  # in a bundle that was calibrated: the card of the bundle that it was made of
)


def score_cases(
    bundle: Bundle,
    cases: Sequence[Case],
    *,
    split: str,
    data_hash: str,
    patients_known: bool,
    progress: Progress,
    device: str | None,
    target: str | None = None,
    told: Sequence[Banner] | None = None,
    accept_mismatch: bool = False,
    smallest: int = SMALLEST,
    change: Change | None = None,
    experts: Sequence[str] = (),
    training: Sequence[Case] = (),
    solid: bool = False,
) -> tuple[Tally, Scorecard]:
    """Answer and score case after case; one is in memory at a time. A faulty case is noted and not counted.

    The truth is the case's `target`, by default the one that was learned; of a task that learned without a target it
    is what the task itself takes for it (`Task.truth`). A case without a truth is not counted where others have one.
    `told` are banners of the model's training; by default those that its own scorecard has. How promises were kept is
    given of groups of at least `smallest` patients. `change` makes of each case the one that is answered in its place,
    such as a worse one; the truth stays that of the case. `experts` are targets that are what single experts say.
    `training` are cases that the bundle was trained on, of which the nearest may be held beside it. `solid` pictures
    the surfaces of the worst cases, too.
    Raises MismatchError where no case is of the kind that the bundle learned from.
    """
    predictor = Predictor(bundle, device=device, accept_mismatch=accept_mismatch)
    stage, task = predictor.stages[-1].stage, predictor.stages[-1].task
    target = target or stage.plan.task.target
    tally, marks = tally_for(task.answer), 0
    tally.solid = solid
    tally.among = Among(experts, task.answer.__name__) if experts else None
    raised: set[str] = set()

    def told_of(case: Case) -> Any:
        return task.truth(case, stage.state) if target is None else case.targets.get(target)

    rivals = Rivals(task, stage.state, training, truth=told_of, progress=progress)
    fields = Fields(task, stage.state)
    untold: list[Case] = []
    refused: MismatchError | None = None

    def posed(case: Case) -> Case:
        asked = task.posed(case, stage.state)
        return asked if change is None else change(asked)

    for found in answers(predictor, cases, progress=progress, change=posed):
        case, answer = found.case, found.answer
        truth = told_of(case)
        if target is not None and truth is None:
            continue
        if isinstance(answer, CodeError):  # it would fail for every case, and is no fault of the case
            raise answer
        if isinstance(answer, VesaliusError):
            refused = answer if isinstance(answer, MismatchError) else refused
            progress.note(f"not scored: {case.id}: {answer}")
            continue
        marks += bool(guard.declared(answer.outside))
        raised |= {case.id} if guard.raised(answer.outside) else set()
        tally.seconds.append(found.seconds)
        if truth is None:
            untold.append(case)
        elif found.reference is not None:
            with calling(f"task {task.name}", task, "trivial"):
                trivial = task.trivial(stage.state, found.reference)
            if trivial is not None:
                assert_kind(task, trivial, "trivial")
            tally.add(case, answer, truth, trivial, found.reference)
            rivals.add(case, answer, truth, trivial, found.reference)
            fields.add(case, answer)
    tally.cases = tally.cases or untold
    if refused is not None and not tally.cases:
        raise refused
    if marks:
        progress.note(f"of those scored, {lying_outside(marks, len(tally.cases))}")
    card = card_of(
        tally,
        task.answer.__name__,
        split=split,
        data_hash=data_hash,
        patients_known=patients_known,
        bundle=bundle.hash,
        target=target,
        baseline_is=contract.of(task.answer).baseline,
        told=of_its_training(bundle) if told is None else told,
        fixed=stage.calibration,
        smallest=smallest,
    )
    odd: dict[str, Any] = {}
    if predictor.alarm is not None:
        odd = strange(sum(c.id in raised for c in tally.cases), len(tally.cases), predictor.alarm)
        progress.note(in_words(odd))
    added = of_sources(
        predictor,
        tally.cases if tally.has_truth else (),
        truth=told_of,
        patients_known=patients_known,
        progress=progress,
    )
    card = with_experts(card, tally.among)
    beside = rivals.found(patients_known=patients_known)
    banners = (*card.banners, *of_strange(odd))
    return tally, replace(
        card, novelty=odd, sources=added, rivals=beside, places=fields.found(), banners=banners
    )


def of_its_training(bundle: Bundle) -> list[Banner]:
    """Return what the bundle's own scorecard says of its training; nothing where it has none."""
    for name in ("scorecard.json", BEFORE):
        try:
            card = load_scorecard(bundle.path / name)
        except FormatError:
            continue
        return [b for b in card.banners if b.kind in OF_TRAINING]
    return []
