"""calibrate: a copy of a bundle that says what its answers promise, fitted on cases that it never saw."""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from vesalius import cohorts
from vesalius.answers import contract
from vesalius.core.bundle import Bundle, Stage, save_bundle
from vesalius.core.cohort import Assignment, Cohort, TargetInfo
from vesalius.core.disk import assert_apart, held, output_errors
from vesalius.core.errors import DataError, Interrupted, PlanError, VesaliusError
from vesalius.core.plan import override
from vesalius.core.progress import Progress, watched
from vesalius.core.promise import PROMISE
from vesalius.core.words import counted
from vesalius.evaluate import calibrations
from vesalius.evaluate.answered import BEFORE
from vesalius.evaluate.fairness import assert_columns
from vesalius.evaluate.promising import Asked, notes_of
from vesalius.infer.predictor import Predictor
from vesalius.infer.selftest.recording import recorded
from vesalius.plan import machine as machines
from vesalius.plan import torch_threads
from vesalius.reliability.marks import Marks
from vesalius.reliability.trained_on import FILE, TrainedOn, learned, save_trained_on
from vesalius.run.calibrating import NAME, assert_refits, collect, fitted
from vesalius.run.finished import Run, bundle_of
from vesalius.run.ledger import Sheet
from vesalius.run.past import Past, past_of_bundle
from vesalius.run.tabular import assert_known_images, is_bare, target_of_columns, untold, with_sources
from vesalius.run.unseen import Choice, unseen
from vesalius.tasks import contract as tasks
from vesalius.tasks.contract import Task
from vesalius.verbs.evaluate import checked, target_of

USUAL = "temperature"  # what settings are for


def calibrate(
    bundle: Run | Bundle | Path | str,
    data: Path | str | Cohort,
    out: Path | str,
    *,
    coverage: float = 0.9,
    way: str = "",
    by: str | None = None,
    withhold: float | str | None = None,
    refit: Sequence[str] = (),
    settings: Mapping[str, Any] | None = None,
    doubt: str | None = None,
    samples: int | None = None,
    split: str | None = None,
    target: str | None = None,
    columns: Mapping[str, str] | None = None,
    layout: str | None = None,
    split_file: Path | str | None = None,
    labels: Mapping[str, str] | None = None,
    device: str | None = None,
    accept_mismatch: bool = False,
    resume: bool = False,
    progress: Progress | bool | None = None,
) -> Bundle:
    """Write a copy of a bundle whose answers promise a coverage, fitted on the cases of `data`.

    An answer about classes then has a set that holds the true one in `coverage` of all cases like these, a number an
    interval, a mask an outer one that misses at most 1 − `coverage` of the true voxels on average. That holds whatever
    the model, for cases like those of the calibration. Cases that the bundle was trained on are left out where its
    run's folder tells which these are; and `evaluate` leaves out those that it was calibrated on. The copy has the same
    weights and no scorecard: the figures of the bundle before are not its own.

    Args:
        bundle: A bundle, the run that holds it, or the path of either.
        data: A cohort with the truth, or its path as for `read`.
        out: A new folder for the copy.
        coverage: The promised share, between 0 and 1.
        way: How: `lac`, `aps` or `raps` of one class of several; `absolute`, `normalised` or `quantile` of a number.
        by: A column, such as `site`: each of its groups with 50 cases at least has thresholds of its own, so that the
            promise holds in it by itself; numbers are cut into bands.
        withhold: Which answers to withhold: the largest share of errors among those that are answered, such as 0.05,
            which is kept with 95 % confidence; or `"several"`, those whose set is not one label.
        refit: What else to fit anew, such as `temperature`; see `vesalius refits`.
        settings: Options of its task that hold for what is fitted anew: `{"task.options.calibration": "isotonic"}`,
            `{"task.options.threshold": "sensitivity:0.95"}`. They ask for `temperature` to be fitted anew.
        doubt: How answers are doubted, of the way `normalised`; one of `vesalius opinions`.
        samples: How many opinions `dropout` gives.
        split: Which cases to use: `val`, `test` or `all`; by default the declared test cases, or all.
        target: The truth, where there are several.
        columns: What a table's columns are, where their names do not tell: `{"group": "hospital"}`.
        layout: How to read it, where it could be read in several ways; one of `vesalius layouts`.
        split_file: A CSV with the columns `case,split`.
        labels: What stands for what among classes and masks' values: `{"NA": "", "255": "1"}`.
        device: `cpu`, `cuda`, `cuda:1`; by default a GPU where there is one.
        accept_mismatch: Use images of another modality or unit than the bundle learned from, too.
        resume: Go on in `out` where it was interrupted; no case is answered twice.
        progress: A `Progress`; True, False or None: by default a bar shows itself on a terminal and in a notebook.

    Returns:
        The copy. What was promised, and on what it stands, is in `stages[-1].calibration["promise"]`.

    Raises:
        DataError: No case has the target, all were trained on, or too few say anything.
        PlanError: Nothing can be promised of this kind of answer, or not this.
        MismatchError: No case is of the kind that the bundle learned from.
        OutputError: `out` holds something.
        Interrupted: Ctrl-C; what is finished is kept, and `resume` goes on.
    """
    shown = watched(progress)
    opened, folder = bundle_of(bundle), Path(out)
    last = opened.stages[-1].plan
    task = tasks.get(last.task.name)
    way = way or ("" if doubt is not None else task.promises(last))
    asked = Asked(coverage=coverage, way=way, by=by, withhold=withhold, doubt=doubt)
    asked.assert_sound(contract.of(task.answer))
    refit = (*refit, USUAL) if settings and USUAL not in refit else refit
    kinds = {one.looks_at for one in calibrations.in_order(tuple(refit))}
    for place in (opened.path, *([Path(data)] if isinstance(data, str | Path) else [])):
        assert_apart(place, folder)
    torch_threads.use(machines.measure().cores)
    past, marks = past_of_bundle(opened), Marks()
    if is_bare(opened):
        target = target or target_of_columns(opened, columns)
        columns = untold(opened, columns)
    else:
        columns = with_sources(opened, data, columns)
    cohort = cohorts.open_cohort(
        data,
        layout=layout,
        columns=columns,
        split=split_file,
        target=target,
        labels=labels,
        max_set_aside=1.0,
    )
    assert_known_images(opened, cohort)
    cohort = cohorts.with_joined(cohort, target or last.task.target)
    info = target_of(cohort, target, opened)
    if info is None:
        raise DataError("nothing is promised without a truth", hint="--target NAME")
    cohort, info = checked(cohort, info, opened, marks, shown)
    name = info.name if info is not None else ""
    choice = _fresh(unseen(cohort, name, split, past, marks))
    if by is not None:
        assert_columns(
            (by,), choice.cases, 1
        )  # what is no column of groups is said before any case is answered
    if choice.overlap:
        shown.note(choice.overlap)
    if settings:
        _assert_options(settings, opened, task, info)
    mark: dict[str, Any] = {"bundle": opened.hash, "data": cohort.hash, "target": name, "way": way}
    mark["split"] = choice.split
    more = {"doubt": doubt, "samples": samples, "alarm": True if "strange" in kinds else None}
    mark |= {key: value for key, value in more.items() if value is not None}
    sheet = (Sheet.again if resume else Sheet.new)(folder, mark, NAME)
    try:
        with held(sheet.folder):
            predictor = Predictor(opened, device=device, accept_mismatch=accept_mismatch, levels=True)
            assert_refits(predictor, kinds)
            if doubt is not None:
                predictor = predictor.doubting(doubt, samples)
            said = collect(
                sheet,
                predictor,
                choice.cases,
                target=name,
                way=way,
                alarm="strange" in kinds,
                progress=shown,
            )
            stage = fitted(
                opened,
                cohort,
                said,
                target=name,
                asked=asked,
                refit=refit,
                settings=settings,
                doubt=None if doubt is None else (doubt, samples),
            )
            for note in notes_of(stage.calibration[PROMISE]):
                shown.note(note)
            used = [*said.raw, *said.judged]
            made = _written(folder, opened, stage, _now_known(past, marks, opened, used), device=device)
    except KeyboardInterrupt as error:
        kept = len(sheet.answers.cases())
        words = ["vesalius", NAME, str(opened.path), str(cohort.root), "-o", str(out), "--resume"]
        raise Interrupted(
            f"interrupted; {kept} of {counted(len(choice.cases), 'case')} are answered",
            hint=shlex.join(words),
        ) from error
    except VesaliusError:
        if sheet.answers.cases():
            shown.note(
                "what was answered is kept: calibrate again with --resume, and no case is answered twice"
            )
        else:
            sheet.discard()
        raise
    sheet.discard()
    return made


def _assert_options(settings: Mapping[str, Any], bundle: Bundle, task: Task, info: TargetInfo | None) -> None:
    """Raise PlanError for what is no option of the task, or one that it refuses: nothing else can be set anew."""
    for path in settings:
        if not path.startswith("task.options."):
            raise PlanError(
                "only options of the task can be set where the weights stay",
                found=path,
                hint="task.options.calibration or task.options.threshold",
            )
    task.check_plan(override(bundle.stages[-1].plan, settings), info)


def _fresh(choice: Choice) -> Choice:
    """Return the cases. Raises DataError where the bundle learned from some: nothing could be promised of others."""
    if choice.banner:
        raise DataError(
            "nothing can be promised from cases that the model may have learned from", found=choice.banner
        )
    return choice


def _now_known(past: Past, marks: Marks, bundle: Bundle, used: Sequence[str]) -> TrainedOn:
    """Return what the copy must not be measured on: what the bundle learned from, and what it was calibrated on."""
    cases = learned(marks, Assignment((), (tuple(used),), NAME))
    if past.record is None:
        return TrainedOn(bundle.data_hash, (cases,), (past.of,))
    return replace(past.record, runs=(*past.record.runs, cases))


def _written(folder: Path, bundle: Bundle, stage: Stage, known: TrainedOn, *, device: str | None) -> Bundle:
    """Write the copy into a folder that is a run's in this: it holds the bundle and what is known of its cases.

    Its self-test is recorded anew.
    """
    inner = folder / "bundle"
    with output_errors(inner):
        inner.mkdir(exist_ok=True)
        for one in (*bundle.stages[:-1], stage):
            for member in one.members:
                shutil.copyfile(bundle.path / member, inner / member)
    save_trained_on(known, folder / FILE)
    texts = {}
    for old, new in (("scorecard.json", BEFORE), (BEFORE, BEFORE), ("card.md", "card.md")):
        if (bundle.path / old).is_file():
            texts[new] = (bundle.path / old).read_text(encoding="utf-8")
    if "card.md" in texts:
        texts["card.md"] = _ahead(stage, bundle) + texts["card.md"]
    made = save_bundle(
        inner,
        (*bundle.stages[:-1], stage),
        data_hash=bundle.data_hash,
        made_by=bundle.made_by,
        learned=bundle.learned,
        texts=texts,
    )
    return recorded(made, device=device)


def _ahead(stage: Stage, bundle: Bundle) -> str:
    """Return what stands before the card of the bundle that was calibrated."""
    record = stage.calibration[PROMISE]
    on = record["on"]
    return (
        f"> Calibrated on {on['when']} on {counted(on['cases'], 'case')} (data {on['data_hash'][:16]}) to promise "
        f"{100 * record['coverage']:g} %. All below, with every figure, is of the bundle before that, "
        f"{bundle.hash[:16]}.\n\n"
    )
