"""predict: a bundle's answers for one file, one study or a whole cohort; good cases are written, bad ones listed."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias, overload

from vesalius import cohorts, formats
from vesalius.core.answers import Answer
from vesalius.core.bundle import Bundle
from vesalius.core.case import Case
from vesalius.core.cohort import Cohort
from vesalius.core.disk import assert_apart, held
from vesalius.core.errors import DataError, Interrupted, MismatchError, OutputError, PlanError, SourceError
from vesalius.core.image import Image
from vesalius.core.progress import Progress, watched
from vesalius.core.words import counted, listed, named_things
from vesalius.infer.given import is_many
from vesalius.infer.predictor import Predictor
from vesalius.infer.runtimes import TORCH
from vesalius.plan import machine as machines
from vesalius.plan import torch_threads
from vesalius.prepare.pixels import Pixels
from vesalius.run.answering import one_answer, several_answers
from vesalius.run.archive.begin import answer_archive
from vesalius.run.archive.servers import is_server
from vesalius.run.archive.told import Archive
from vesalius.run.filling import fill
from vesalius.run.finished import Run, bundle_of, place_of
from vesalius.run.guided import Given, guided, parse_told, strokes_of, told
from vesalius.run.ledger import Sheet, marked
from vesalius.run.past import keep_origin
from vesalius.run.predict_settings import PredictSettings
from vesalius.run.predicting import opened_for, predictor_of, with_mirror
from vesalius.run.predictions import Predictions
from vesalius.run.wanted import Wanted, only, wanted_of
from vesalius.tasks import contract as tasks
from vesalius.verbs._predict_elsewhere import pool_of

__all__ = ["Predictions", "predict", "with_mirror"]

One: TypeAlias = "Path | str | Image | Case | Mapping[str, Any] | Pixels"
Many: TypeAlias = "list[Any] | tuple[Any, ...] | Iterator[Any]"


@overload
def predict(
    bundle: Run | Bundle | Path | str,
    source: One,
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
    doubt: str | None = None,
    samples: int | None = None,
    refuse_unlike: bool = False,
    guard: Run | Bundle | Path | str | None = None,
    words: Sequence[str] = (),
    guidance: Given | None = None,
    runtime: str | None = None,
    resume: bool = False,
    archive: Archive | None = None,
    progress: Progress | bool | None = None,
) -> Answer: ...


@overload
def predict(
    bundle: Run | Bundle | Path | str,
    source: Cohort | Many,
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
    doubt: str | None = None,
    samples: int | None = None,
    refuse_unlike: bool = False,
    guard: Run | Bundle | Path | str | None = None,
    words: Sequence[str] = (),
    guidance: Given | None = None,
    runtime: str | None = None,
    resume: bool = False,
    archive: Archive | None = None,
    progress: Progress | bool | None = None,
) -> Predictions: ...


@overload
def predict(
    bundle: Run | Bundle | Path | str,
    source: One | Cohort | Many,
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
    doubt: str | None = None,
    samples: int | None = None,
    refuse_unlike: bool = False,
    guard: Run | Bundle | Path | str | None = None,
    words: Sequence[str] = (),
    guidance: Given | None = None,
    runtime: str | None = None,
    resume: bool = False,
    archive: Archive | None = None,
    progress: Progress | bool | None = None,
) -> Predictions: ...


def predict(
    bundle: Run | Bundle | Path | str,
    source: One | Cohort | Many,
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
    doubt: str | None = None,
    samples: int | None = None,
    refuse_unlike: bool = False,
    guard: Run | Bundle | Path | str | None = None,
    words: Sequence[str] = (),
    guidance: Given | None = None,
    runtime: str | None = None,
    resume: bool = False,
    archive: Archive | None = None,
    progress: Progress | bool | None = None,
) -> Answer | Predictions:
    """Return the answer to one thing, or those to several; with `out` write them into that folder.

    An array or a tensor that is given bare has no unit, no orientation and no names of channels. A model of
    pictures takes `(Y, X)`, `(Y, X, C)` and `(C, Y, X)`, one of volumes `(Z, Y, X)`, `(C, Z, Y, X)` and `(Z, Y,
    X, C)`; a shape that can be read in two ways is refused, as is a batch. What was assumed, and what is unknown
    that the model learned from, is in `Answer.outside`. Values are taken as a file has them: real numbers that
    were divided by 255, or standardised, are refused where the model learned from values on one scale. `vs.image`
    says what is known of pixels.

    With `out` it writes `answers.csv`, a row a case, and for masks `<case>.nii.gz`, or `.png` where the image is
    a picture. Rows are written as they come, to `answers.partial.csv` until all is done. Faulty cases, and those
    whose study is not known where DICOM is wanted, do not stop the others; they are in `set_aside` and
    `failed.csv`. What of an image lies outside of what was learned from is in `Answer.outside` and in the column
    `outside`.

    Args:
        bundle: A bundle, the run that holds it, or the path of either.
        source: One thing: the path of a file or of a folder that holds one case, a `vs.Image`, a PIL picture,
            a NumPy array, a torch tensor, a case, or a mapping of such by the names of a case's images. Or
            several: a cohort, or a list or a generator of such things; a generator's are answered as they come,
            and are not kept.
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
        doubt: Say also how far several opinions about each case are from one another, in `Answer.doubt`: of the
            ensemble's `members`, of the net with `dropout`, or about `mirror` images; one of `vesalius opinions`.
            Answers themselves stay what they are.
        samples: How many opinions are asked for by `dropout`, by default 20.
        refuse_unlike: Refuse cases that raise the bundle's alarm for being unlike its training cases, which are
            marked otherwise.
        guard: A bundle of what is normal (`fit --task anomaly`), which looks at each case first: what it calls is
            marked as what raises the bundle's own alarm, and refused with `refuse_unlike`.
        words: What to ask for in words, in place of the findings that the bundle learned to name: `("large nodule",)`;
            of a bundle that compares images with words. What it was not calibrated for is marked.
        guidance: What a person showed of each case, for a bundle that answers strokes (`fit --task interact`): a JSON
            or CSV file of strokes by case id (see docs/click.md), or a mapping of `Guidance`. A case without strokes
            has an empty mask, which is marked.
        runtime: What computes: `torch`, `onnx`, `openvino`, or `auto`, which is the default: the fastest of them
            on this machine where there is enough to answer that finding it out pays (see docs/runtimes.md).
        resume: Go on in `out` where it was interrupted, with the same bundle, as it was told then.
        archive: Answer each study of a folder of many, or of a DICOMweb server, by several processes, with a ledger
            a study: `vs.Archive(workers=4)`; see docs/archive.md.
        progress: A `Progress`; True, False or None: by default a bar shows itself on a terminal and in a
            notebook.

    Returns:
        The answer of one thing, or Predictions, a sequence of answers; with `out`, which cases were answered,
            which were not and why, and where all lies.

    Raises:
        DataError: There is no image, or without `out` not exactly one; or a covariate is missing that the
            bundle needs; or it has never read the words that it is asked; or strokes lie outside of an image, or are
            about a case that is not there.
        MismatchError: No case is of the kind that the bundle learned from.
        BundleError: The bundle is damaged.
        PlanError: Its answers cannot be doubted in that way, an axis may not be mirrored, the runtime that is
            named does not answer as torch does, or the guard guards nothing, or looks at other images.
        MissingExtra: The runtime that is named, or that the bundle's members need, is not installed.
        OutputError: `out` holds something.
        Interrupted: Ctrl-C; what is finished is kept, and `resume` goes on.
    """
    shown = watched(progress)
    vacancy = machines.Vacancy()
    settings = PredictSettings(
        json=json,
        overlays=overlays,
        dicom=dicom,
        also=tuple(also),
        mirror=tuple(mirror or ()),
        columns=columns or {},
        covariates=covariates or {},
        layout=layout,
        accept_mismatch=accept_mismatch,
        doubt=doubt,
        samples=samples,
        refuse_unlike=refuse_unlike,
        guard=None if guard is None else str(Path(place_of(guard)).absolute()),
        words=tuple(words),
        guidance={} if guidance is None else told(strokes_of(guidance)),
        runtime="torch" if words else runtime,
    )
    if samples is not None and doubt is None and not resume:
        raise PlanError(
            "samples are taken for a doubt alone", found=f"{samples} samples", hint="--doubt dropout"
        )
    if archive is not None or is_server(source):
        return _of_archive(
            bundle,
            source,
            out,
            archive or Archive(),
            settings=settings,
            device=device,
            resume=resume,
            progress=shown,
        )
    if resume and not isinstance(source, str | Path | Cohort):
        raise DataError("only what lies in files can be gone on with", found=type(source).__name__)
    if out is not None and resume:
        settings = settings.completed(marked(Path(out)))
    if out is not None and isinstance(source, str | Path):
        assert_apart(Path(source), Path(out))
    for suffix in settings.also:
        formats.require_suffix(suffix)
    opened = opened_for(bundle_of(bundle), settings)
    several = isinstance(source, Cohort) or is_many(source)
    wanted = _wanted(source, opened, settings, shown, several=several)
    if settings.guidance:
        wanted = guided(wanted, parse_told(settings.guidance))
    torch_threads.use(vacancy.threads())
    alone = only(wanted) if out is None and not several else None
    cores = machines.measure().cores if alone is not None else vacancy.cores
    predictor, settings = predictor_of(
        opened,
        settings,
        device=device,
        cores=cores,
        cases=1 if alone is not None else wanted.count,
        progress=shown,
    )
    if alone is not None:
        return one_answer(predictor, alone)
    if isinstance(wanted.cases, tuple):
        _assert_covariates(predictor, wanted.cases)
    if out is None:
        return replace(several_answers(predictor, wanted, shown), runtime=settings.runtime or TORCH)
    mark = settings.mark(opened.hash)
    sheet = Sheet.again(Path(out), mark) if resume else Sheet.new(Path(out), mark)
    return _filled(sheet, predictor, wanted, settings=settings, progress=shown, out=Path(out))


def _of_archive(
    bundle: Run | Bundle | Path | str,
    source: object,
    out: Path | str | None,
    archive: Archive,
    *,
    settings: PredictSettings,
    device: str | None,
    resume: bool,
    progress: Progress,
) -> Predictions:
    """Answer an archive. Raises DataError where it is none, or nobody said where its answers are to go."""
    if out is None or not isinstance(source, str | Path):
        raise DataError(
            "an archive is a folder or a server, and its answers go to a folder",
            found=type(source).__name__ if out is not None else "no folder for the answers",
            hint="predict(bundle, source, out, archive=vs.Archive(workers=2))",
        )
    for suffix in settings.also:
        formats.require_suffix(suffix)
    with ExitStack() as stack:
        return answer_archive(
            place_of(bundle),
            source,
            Path(out),
            archive=archive,
            settings=settings,
            device=device,
            resume=resume,
            progress=progress,
            pool_of=pool_of(archive, stack, progress=progress),
        )


def _wanted(
    source: One | Cohort | Many,
    bundle: Bundle,
    settings: PredictSettings,
    progress: Progress,
    *,
    several: bool,
) -> Wanted:
    """Return what is to be answered, with what is known of each case. Raises DataError where there is none."""
    wanted = wanted_of(
        source,
        bundle,
        several=several,
        layout=settings.layout,
        columns=settings.columns,
        covariates=settings.covariates,
        accept_mismatch=settings.accept_mismatch,
    )
    for note in wanted.notes:
        if note.startswith(cohorts.UNUSED):
            progress.note(note)
    named = [n.strip() for n in settings.columns.get("covariate", "").split(",") if n.strip()]
    _say_passed_over(bundle, [*settings.covariates, *named], progress)
    return wanted


def _filled(
    sheet: Sheet,
    predictor: Predictor,
    wanted: Wanted,
    *,
    settings: PredictSettings,
    progress: Progress,
    out: Path,
) -> Predictions:
    """Fill the folder; where that is cut short, what is finished stays, and the error says how to go on."""
    try:
        with held(sheet.folder):
            done = fill(sheet, predictor, wanted, settings=settings, progress=progress)
    except (KeyboardInterrupt, OutputError) as error:
        bundle = predictor.bundle
        words = ["vesalius", "predict", str(bundle.path), wanted.where, "-o", str(out), "--resume"]
        hint = None if wanted.count is None else shlex.join(words)  # what came one at a time is gone
        if isinstance(error, OutputError):
            progress.note("what is finished is kept" + (f"; go on with: {hint}" if hint else ""))
            raise
        kept = len(sheet.answers.cases())
        of = "" if wanted.count is None else f" of {wanted.count}"
        raise Interrupted(f"interrupted; {kept}{of} answers are kept", hint=hint) from error
    except SourceError as error:
        made = counted(len(sheet.answers.cases()), "answer")
        raise SourceError(
            f"{error.what}; {made} made before are kept in {sheet.folder}",
            found=error.found,
            hint=f"{sheet.answers.partial.name} there, and another folder for the rest",
        ) from error.__cause__
    except MismatchError:
        sheet.discard()
        raise
    keep_origin(sheet.folder, predictor.bundle, runtime=settings.runtime or "torch")
    sheet.close()
    return done


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


def _assert_covariates(predictor: Predictor, cases: Sequence[Case]) -> None:
    """Raise DataError where no case has a covariate that the bundle needs; single cases that lack one fail alone."""
    lacking = [n for n in predictor.needs if all(case.covariates.get(n) is None for case in cases)]
    if cases and lacking:
        options = " ".join(f"--covariate {name}=VALUE" for name in lacking)
        raise DataError(
            f"the bundle '{predictor.bundle.name}' needs {named_things('covariate', lacking)}",
            found=", ".join(cases[0].covariates) or "no covariates",
            hint=f"{options}, or a table with --column covariate=NAME of that name",
        )
