"""predict: a bundle's answers for one file, one study or a whole cohort; good cases are written, bad ones listed."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import overload

from vesalius import cohorts, formats
from vesalius.answers import contract
from vesalius.answers.drawing.overlay import overlay
from vesalius.core.answers import Answer
from vesalius.core.bundle import Bundle, open_bundle
from vesalius.core.cohort import Cohort, SetAside
from vesalius.core.disk import assert_apart, held
from vesalius.core.errors import (
    DataError,
    GeometryError,
    Interrupted,
    MismatchError,
    OutputError,
    PlanError,
    VesaliusError,
)
from vesalius.core.file_names import file_names
from vesalius.core.image import Image
from vesalius.core.learned import lying_outside
from vesalius.core.plan import override
from vesalius.core.progress import Progress, Silent
from vesalius.core.words import counted, listed
from vesalius.infer import runs
from vesalius.infer.each import answers
from vesalius.infer.guard import in_words
from vesalius.infer.predictor import Predictor
from vesalius.plan import machine as machines
from vesalius.plan import torch_threads
from vesalius.run.ledger import Sheet, marked
from vesalius.run.past import keep_origin
from vesalius.tasks import contract as tasks


@dataclass(frozen=True, eq=False)
class Predictions:
    """What `predict` did: the answers' names in order, what was set aside, and where it was written."""

    case_ids: tuple[str, ...]
    set_aside: tuple[SetAside, ...]
    out: Path


def with_mirror(bundle: Bundle, axes: Sequence[str]) -> Bundle:
    """Return the bundle with mirror test-time augmentation on those axes. Raises PlanError for an axis that may not be.

    An axis may be mirrored if the plan allows flipping it, which it does not where labels name a side, and if raw
    answers about mirror images can be joined.
    """
    stages = []
    for stage in bundle.stages:
        task = tasks.get(stage.plan.task.name)
        if axes and not runs.get(task.run).mirrors:
            raise PlanError(
                f"the answers of {task.name} about mirror images cannot be joined",
                found=f"a task that is run in {task.run}",
                hint="no --mirror",
            )
        for axis in axes:
            if axis not in stage.plan.augment.flip_axes:
                raise PlanError(
                    f"axis '{axis}' may not be mirrored: the model was not trained on mirrored images",
                    found=", ".join(stage.plan.augment.flip_axes) or "no axis that may be",
                    hint="no --mirror",
                )
        stages.append(replace(stage, plan=override(stage.plan, {"infer.mirror": list(axes)})))
    return replace(bundle, stages=tuple(stages))


@overload
def predict(
    bundle: Bundle | Path | str,
    source: Path | str | Cohort,
    out: None = None,
    *,
    json: bool = False,
    overlays: bool = False,
    dicom: bool = False,
    also: Sequence[str] = (),
    mirror: Sequence[str] | None = None,
    columns: Mapping[str, str] | None = None,
    covariates: Mapping[str, float | str] | None = None,
    layout: str | None = None,
    device: str | None = None,
    accept_mismatch: bool = False,
    resume: bool = False,
    progress: Progress | None = None,
) -> Answer: ...


@overload
def predict(
    bundle: Bundle | Path | str,
    source: Path | str | Cohort,
    out: Path | str,
    *,
    json: bool = False,
    overlays: bool = False,
    dicom: bool = False,
    also: Sequence[str] = (),
    mirror: Sequence[str] | None = None,
    columns: Mapping[str, str] | None = None,
    covariates: Mapping[str, float | str] | None = None,
    layout: str | None = None,
    device: str | None = None,
    accept_mismatch: bool = False,
    resume: bool = False,
    progress: Progress | None = None,
) -> Predictions: ...


def predict(
    bundle: Bundle | Path | str,
    source: Path | str | Cohort,
    out: Path | str | None = None,
    *,
    json: bool = False,
    overlays: bool = False,
    dicom: bool = False,
    also: Sequence[str] = (),
    mirror: Sequence[str] | None = None,
    columns: Mapping[str, str] | None = None,
    covariates: Mapping[str, float | str] | None = None,
    layout: str | None = None,
    device: str | None = None,
    accept_mismatch: bool = False,
    resume: bool = False,
    progress: Progress | None = None,
) -> Answer | Predictions:
    """Return the answer to one case; with `out`, write every case's answer into that folder.

    Writes `answers.csv`, a row a case, and for masks `<case>.nii.gz`, or `.png` where the image is a picture.
    Rows are written as they come, to `answers.partial.csv` until all is done. Faulty cases, and those whose study
    is not known where DICOM is wanted, do not stop the others; they are in `set_aside` and `failed.csv`. What of
    an image lies outside of what was learned from is in `Answer.outside` and in the column `outside`.

    Args:
        bundle: A bundle, or the path of one or of the run that holds it.
        source: One file, one folder of a study, or a whole cohort.
        out: A new folder.
        json: Write each whole answer as JSON, too.
        overlays: Write a picture of each answer, too.
        dicom: Write the DICOM objects of each answer's kind, too, in the study of its source.
        also: Suffixes of further files of each answer, such as `.rt.dcm`.
        mirror: Axes of mirror test-time augmentation, such as `("x", "y")`; only those that the plan lets be
            flipped.
        columns: What a table's columns are, where their names do not tell: `{"covariate": "age,sex"}`.
        covariates: What is known of each case, whatever a table says: `{"age": 61}`. Those that the bundle
            does not take are named and passed over.
        layout: How to read it, where it could be read in several ways; one of `vesalius layouts`.
        device: `cpu`, `cuda`, `cuda:1`; by default a GPU where there is one.
        accept_mismatch: Answer images of another modality or unit than the bundle learned from, too; they are
            marked.
        resume: Go on in `out` where it was interrupted, with the same bundle, as it was told then.
        progress: What is told how far the work is.

    Returns:
        The answer; with `out`, which cases were answered, which were not and why, and where all lies.

    Raises:
        DataError: There is no image, or without `out` not exactly one; or a covariate is missing that the
            bundle needs.
        MismatchError: No case is of the kind that the bundle learned from.
        BundleError: The bundle is damaged.
        OutputError: `out` holds something.
        Interrupted: Ctrl-C; what is finished is kept, and `resume` goes on.
    """
    progress = progress or Silent()
    vacancy = machines.Vacancy()
    told = marked(Path(out)) if resume and out is not None else {}
    json, overlays = json or told.get("json", False), overlays or told.get("overlays", False)
    dicom, also = dicom or told.get("dicom", False), tuple(also) or tuple(told.get("also", ()))
    mirror, columns = mirror or told.get("mirror"), columns or told.get("columns")
    layout, covariates = layout or told.get("layout"), covariates or told.get("covariates")
    accept_mismatch = accept_mismatch or told.get("accept_mismatch", False)
    if out is not None and not isinstance(source, Cohort):
        assert_apart(Path(source), Path(out))
    for suffix in also:
        formats.require_suffix(suffix)
    opened = bundle if isinstance(bundle, Bundle) else open_bundle(Path(bundle))
    if mirror:
        opened = with_mirror(opened, mirror)
    if isinstance(source, Cohort):
        cohort = source
    else:
        cohort = cohorts.read(source, layout=layout, columns=columns, max_set_aside=1.0)
    cohort = _with_covariates(cohort, covariates or {})
    if not cohort.cases and not cohort.set_aside:
        raise DataError(f"no images in {cohort.root}")
    for note in cohort.notes:
        if note.startswith(cohorts.UNUSED):
            progress.note(note)
    named = [n.strip() for n in (columns or {}).get("covariate", "").split(",") if n.strip()]
    _say_passed_over(opened, [*(covariates or ()), *named], progress)
    torch_threads.use(vacancy.threads())
    if out is None:
        return _only(opened, cohort, device, accept_mismatch)
    predictor = Predictor(opened, device=device, accept_mismatch=accept_mismatch, cores=vacancy.cores)
    _assert_covariates(predictor, cohort)
    about = {
        "bundle": opened.hash,
        "json": json,
        "overlays": overlays,
        "dicom": dicom,
        "also": list(also),
        "mirror": list(mirror or ()),
        "columns": dict(columns or {}),
        "covariates": dict(covariates or {}),
        "layout": layout,
        "accept_mismatch": accept_mismatch,
    }

    def suffixes(answer: Answer) -> list[str]:
        own = contract.of(answer).objects if dicom else ()
        return list(dict.fromkeys((*own, *also)))

    sheet = Sheet.again(Path(out), about) if resume else Sheet.new(Path(out), about)
    try:
        with held(sheet.folder):
            done = _fill(
                sheet, predictor, cohort, json=json, overlays=overlays, suffixes=suffixes, progress=progress
            )
    except (KeyboardInterrupt, OutputError) as error:
        words = ["vesalius", "predict", str(opened.path), str(cohort.root), "-o", str(out), "--resume"]
        if isinstance(error, OutputError):
            progress.note(f"what is finished is kept; go on with: {shlex.join(words)}")
            raise
        kept = f"interrupted; {len(sheet.answers.cases())} of {len(cohort.cases)} answers are kept"
        raise Interrupted(kept, hint=shlex.join(words)) from error
    except MismatchError:
        sheet.discard()
        raise
    keep_origin(sheet.folder, opened)
    sheet.close()
    return done


def _with_covariates(cohort: Cohort, known: Mapping[str, float | str]) -> Cohort:
    """Return the cohort with what is known of each of its cases."""
    if not known:
        return cohort
    cases = tuple(replace(case, covariates={**case.covariates, **known}) for case in cohort.cases)
    return replace(cohort, cases=cases)


def _say_passed_over(bundle: Bundle, given: Sequence[str], progress: Progress) -> None:
    """Say which of the covariates that were given do not enter the bundle's models."""
    known = {
        name
        for stage in bundle.stages
        for name in tasks.get(stage.plan.task.name).known_covariates(stage.state)
    }
    if unknown := [name for name in dict.fromkeys(given) if name not in known]:
        which = "covariate" if len(unknown) == 1 else "covariates"
        takes = f"only {listed(sorted(known))}" if known else "no covariates"
        progress.note(
            f"passed over: the {which} {listed(unknown)}, as the bundle '{bundle.name}' learned from {takes}"
        )


def _assert_covariates(predictor: Predictor, cohort: Cohort) -> None:
    """Raise DataError where no case has a covariate that the bundle needs; single cases that lack one fail alone."""
    for name in predictor.needs:
        if cohort.cases and all(case.covariates.get(name) is None for case in cohort.cases):
            raise DataError(
                f"the bundle '{predictor.bundle.name}' needs the covariate '{name}'",
                found=", ".join(cohort.cases[0].covariates) or "no covariates",
                hint=f"--covariate {name}=VALUE, or a table with --column covariate=NAME of that name",
            )


def _fill(
    sheet: Sheet,
    predictor: Predictor,
    cohort: Cohort,
    *,
    json: bool,
    overlays: bool,
    suffixes: Callable[[Answer], Sequence[str]],
    progress: Progress,
) -> Predictions:
    """Answer what has no row yet: first a case's files, then its row, so that a row means that all is there.

    Raises MismatchError where every case is of another kind than the bundle learned from. A reason that several
    cases share is said once; `failed.csv` has it for each.
    """
    done = sheet.answers.cases()
    ids = {c.id for c in cohort.cases}
    if not ids.issuperset(done):
        raise OutputError(
            f"{sheet.folder} holds answers to cases that are not in {cohort.root}",
            found=", ".join([c for c in done if c not in ids][:3]),
            hint="the same input, or another -o",
        )
    failed = [s for s in cohort.set_aside if s.case not in ids]
    for item in failed:
        sheet.failed.add({"case": item.case, "reason": item.reason})
    finished, names = set(done), file_names(c.id for c in cohort.cases)
    left = [c for c in cohort.cases if c.id not in finished]
    refused, marks = 0, 0
    for found in answers(predictor, left, progress=progress):
        case, answer = found.case, found.answer
        if isinstance(answer, VesaliusError):
            refused += isinstance(answer, MismatchError | GeometryError)
            if refused == len(cohort.cases) and not cohort.set_aside:
                raise _all_alike(answer, refused)
            reason = str(answer).removeprefix(f"case {case.id}: ")
            if reason not in {s.reason for s in failed}:
                progress.note(f"not answered: {case.id}: {reason}")
            failed.append(SetAside(case.id, reason))
            sheet.failed.add({"case": case.id, "reason": reason})
            continue
        files = _files(answer, names[case.id], sheet.folder, json=json, overlays=overlays)
        objects = {s: sheet.folder / f"{names[case.id]}{s}" for s in suffixes(answer)}
        try:
            _write_case(answer, found.reference, files)
            for reason in _write_objects(answer, objects):
                failed.append(SetAside(case.id, reason))
                sheet.failed.add({"case": case.id, "reason": reason})
                progress.note(f"{case.id}: {reason}")
            sheet.answers.add(
                {"case": case.id, **contract.columns(answer), "outside": in_words(answer.outside)}
            )
            marks += bool(answer.outside)
        except BaseException:
            if case.id not in sheet.answers.cases():
                for path in (*files, *objects.values()):
                    path.unlink(missing_ok=True)
            raise
        done.append(case.id)
        forms = answer.source.forms
        if forms is not None and forms.disagree:
            said = (
                f"its sform and its qform say places {forms.apart_mm:.3g} mm apart; the {forms.used} was used"
            )
            progress.note(f"{case.id}: {said}, and the answer has both")
    if marks:
        progress.note(f"{lying_outside(marks, len(left))}: see the column 'outside'")
    return Predictions(tuple(done), tuple(failed), sheet.folder)


def _all_alike(error: VesaliusError, count: int) -> VesaliusError:
    """Return the error of a single case, or of the last of several that were all refused."""
    if count == 1:
        return error
    return MismatchError(
        f"none of {count} cases can be answered; the last: {error.what}", found=error.found, hint=error.hint
    )


def _only(bundle: Bundle, cohort: Cohort, device: str | None, accept_mismatch: bool) -> Answer:
    if len(cohort.cases) != 1:
        said = "; ".join(s.reason for s in cohort.set_aside[:1])
        raise DataError(
            f"{cohort.root} holds {counted(len(cohort.cases), 'case')} that can be answered, not one",
            found=said or None,
            hint="predict(bundle, source, out) for a cohort",
        )
    cores = machines.measure().cores
    return Predictor(bundle, device=device, accept_mismatch=accept_mismatch, cores=cores)(cohort.cases[0])


def _files(
    answer: Answer, name: str, folder: Path, *, json: bool, overlays: bool
) -> dict[Path, Answer | None]:
    """Return the files that a case gets, each with the answer that is written to it; None where its overlay is."""
    found: dict[Path, Answer | None] = {}
    pictured = dict(contract.images(answer))
    parts = file_names(part for part in pictured if part)
    for part, one in pictured.items():
        lead = f"{name}.{parts[part]}" if part else name
        found[folder / f"{lead}{contract.of(one).suffix(one)}"] = one
    if json:
        found[folder / f"{name}.json"] = answer
    if overlays:
        found[folder / f"{name}.overlay.png"] = None
    return found


def _write_case(answer: Answer, reference: Image | None, files: Mapping[Path, Answer | None]) -> None:
    for path, one in files.items():
        if one is None:
            if reference is not None:
                overlay(reference, answer, path)
        else:
            formats.write(one, path)


def _write_objects(answer: Answer, objects: Mapping[str, Path]) -> list[str]:
    """Write one file for each suffix; what cannot be written is said, and the others are."""
    reasons = []
    for suffix, path in objects.items():
        try:
            formats.write(answer, path)
        except (OutputError, DataError) as error:
            reasons.append(f"answered, but there is no {suffix}: {error}")
    return reasons
