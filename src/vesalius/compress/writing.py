"""Writing what a way made: a bundle to be judged, and the chosen one with all that must be made anew for it."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from vesalius.compress.contract import COMPRESSED, Member, Model, Variant
from vesalius.compress.opened import Opened, with_unlabelled
from vesalius.core.bundle import RECORD, SCORED, Bundle, Stage, State, save_bundle
from vesalius.core.cohort import Assignment
from vesalius.core.disk import output_errors, write_bytes
from vesalius.core.errors import CodeError
from vesalius.core.promise import OUT_OF_FOLD, PROMISE, WITHHOLD
from vesalius.core.scorecard import Scorecard, as_json, nameless
from vesalius.evaluate.answered import BEFORE
from vesalius.infer.alarm import RECORD as ALARM
from vesalius.infer.drift import DRIFT
from vesalius.infer.predictor import Predictor
from vesalius.infer.runs.contract import Members
from vesalius.infer.selftest.record import NAME as SELF_TEST
from vesalius.infer.selftest.recording import recorded
from vesalius.infer.stored import written_as
from vesalius.reliability.trained_on import FILE, TrainedOn, learned, save_trained_on
from vesalius.run import novelty
from vesalius.run.free_promise import with_promise
from vesalius.run.members import Outcome, member_of
from vesalius.run.ready import Ready
from vesalius.run.stages import stages_of

ANEW = (ALARM, DRIFT, SELF_TEST)  # records that hold for one model alone
TO_ANSWER_WITH = (RECORD, *ANEW, COMPRESSED)  # those that are not needed to build the members


def model_of(bundle: Bundle) -> Model:
    """Return the one stage of a bundle as ways take it, its members loaded."""
    stage = bundle.stages[0]
    models = Predictor(bundle, device="cpu", accept_mismatch=True).stages[0].models
    members = tuple(
        Member(member_of(name), model.eval(), bundle.path / name if name.endswith(".onnx") else None)
        for name, model in zip(stage.members, models, strict=True)
    )
    extras = {name: one for name, one in stage.extras.items() if name not in TO_ANSWER_WITH}
    return Model(stage.plan, stage.state, members, runtime=stage.runtime, extras=extras)


def written(opened: Opened, variant: Variant, folder: Path, calibration: Mapping[str, Any]) -> Bundle:
    """Write what a way made as a bundle that answers, to be judged: without alarm, self-test and scorecard."""
    with output_errors(folder):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
    model, names = variant.model, []
    for one in model.members:
        name = f"weights-0-{one.number}{'.safetensors' if one.graph is None else '.onnx'}"
        if one.graph is None:
            write_bytes(folder / name, written_as(one.module.state_dict()))
        else:
            _copied(one.graph, folder / name)
        names.append(name)
    odd = sorted(set(model.extras) & set(TO_ANSWER_WITH))
    if odd:
        raise CodeError(f"the way {variant.way} has records that are made for it", found=", ".join(odd))
    stage = Stage(
        opened.stage.name,
        model.plan,
        model.state,
        tuple(names),
        runtime=model.runtime,
        calibration=dict(calibration),
        extras=dict(model.extras),
    )
    return _saved(opened, folder, stage)


def with_calibration(opened: Opened, bundle: Bundle, calibration: Mapping[str, Any]) -> Bundle:
    """Return a bundle to be judged, sealed again with what was fitted on its own answers."""
    return _saved(opened, bundle.path, replace(bundle.stages[0], calibration=dict(calibration)))


def _saved(opened: Opened, folder: Path, stage: Stage, texts: Mapping[str, str] | None = None) -> Bundle:
    about = opened.bundle
    return save_bundle(
        folder, (stage,), data_hash=about.data_hash, made_by=about.made_by, learned=about.learned, texts=texts
    )


def finished(
    opened: Opened,
    bundle: Bundle,
    folder: Path,
    job: Ready,
    *,
    held_out: Mapping[str, Any],
    about: Mapping[str, Any],
    device: str | None,
    progress: Any,
) -> tuple[Bundle, tuple[str, ...]]:
    """Write the chosen bundle into a new folder, with what must be made anew; return it and what could not be kept.

    `job` has the prepared cases, `held_out` what the members said, raw, of the cases of their own folds, and `about`
    is what was done, for the card.
    """
    with output_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        for name in bundle.stages[0].members:
            _copied(bundle.path / name, folder / name)
    stage, lost = bundle.stages[0], []
    job = Ready(stages_of(stage.plan)[0], job.task, stage.state, job.examples)
    if ALARM in opened.stage.extras:
        first = Predictor(replace(bundle, path=folder), device=device, accept_mismatch=True)
        alone = Members(job.task, first.stages[0].models[:1], stage.plan, first.device)
        found = novelty.told_by(
            alone,
            job,
            opened.space,
            member_of(stage.members[0]),
            weights=stage.members[0],
            progress=progress,
        )
        stage = replace(stage, extras={**stage.extras, **found})
        lost += [f"no {what} could be made for it" for what in (ALARM, DRIFT) if what not in found]
    stage, said = _promised(opened, stage, held_out)
    lost += said
    record = dict(opened.stage.extras).get(RECORD)
    extras = {**stage.extras, COMPRESSED: State(dict(about))}
    stage = replace(stage, extras=extras if record is None else {**extras, RECORD: record})
    return recorded(_saved(opened, folder, stage), device=device), tuple(lost)


def _promised(opened: Opened, stage: Stage, held_out: Mapping[str, Any]) -> tuple[Stage, list[str]]:
    """Return the stage with the promise of its plan made anew, and what is said where the original promised more."""
    outcome = Outcome((), opened.numbers, dict(held_out), False)
    made = with_promise(opened.space, stage.plan, outcome, stage) if held_out else stage
    old, new, lost = opened.stage.calibration, made.calibration, []
    if WITHHOLD in old and WITHHOLD not in new:
        lost.append(
            "the rule by which the original withholds answers was taken out; `vesalius calibrate` makes one"
        )
    own = PROMISE in old and old[PROMISE].get("on", {}).get("source") != OUT_OF_FOLD
    if PROMISE in old and (own or PROMISE not in new):
        why = "the promise of the original holds for its own answers alone and was taken out"
        lost.append(f"{why}; `vesalius calibrate` makes one on cases of its own")
    return made, lost


def scored(bundle: Bundle, opened: Opened, card: Scorecard | None) -> Bundle:
    """Seal a bundle again with its own scorecard, and the card of the original with what stands before it."""
    texts = {}
    if card is not None:
        texts[SCORED[0]] = as_json(nameless(card))
    before = opened.bundle.path / SCORED[0]
    if before.is_file():
        texts[BEFORE] = before.read_text(encoding="utf-8")
    text = opened.bundle.path / SCORED[1]
    if text.is_file():
        texts[SCORED[1]] = _ahead(bundle, opened.bundle) + text.read_text(encoding="utf-8")
    return _saved(opened, bundle.path, bundle.stages[0], texts)


def keep_known(opened: Opened, folder: Path) -> None:
    """Write beside the compressed bundle what it learned from, as its run's folder has it."""
    known, marks = opened.past.record, opened.space.marks
    if known is None:
        began = (opened.past.began,) if opened.past.began else ()
        known = TrainedOn(opened.bundle.data_hash, (learned(marks, opened.space.assignment),), began)
    beside = with_unlabelled(opened.space).assignment.unlabelled
    if any(beside):  # students may have learned from them
        more = learned(marks, Assignment((), (), "without the target", unlabelled=beside))
        known = replace(known, runs=(*known.runs, more))
    save_trained_on(known, folder / FILE)


def _ahead(bundle: Bundle, original: Bundle) -> str:
    """Return what stands before the card of the original."""
    about: Mapping[str, Any] = bundle.stages[0].extras[COMPRESSED].values
    return (
        f"> Compressed from bundle {original.hash[:16]} by {about['ways']}; {about['gate']}. All below, with every "
        "figure, is of the original.\n\n"
    )


def _copied(old: Path, new: Path) -> None:
    with output_errors(new):
        shutil.copyfile(old, new)
