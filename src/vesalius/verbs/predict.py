"""predict: a bundle's answers for one file, one study or a whole cohort; good cases are written, bad ones listed."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias, overload

from vesalius import cohorts, formats
from vesalius.answers import contract
from vesalius.core.answers import Answer
from vesalius.core.bundle import Bundle, open_bundle
from vesalius.core.case import Case
from vesalius.core.cohort import Cohort
from vesalius.core.disk import assert_apart, held
from vesalius.core.errors import DataError, Interrupted, MismatchError, OutputError, PlanError
from vesalius.core.image import Image
from vesalius.core.plan import override
from vesalius.core.progress import Progress, watched
from vesalius.infer import runs
from vesalius.infer.given import asked, is_many
from vesalius.infer.predictor import Predictor
from vesalius.plan import machine as machines
from vesalius.plan import torch_threads
from vesalius.prepare.pixels import Pixels
from vesalius.run import answering
from vesalius.run.ledger import Sheet, marked
from vesalius.run.predictions import Predictions
from vesalius.tasks import contract as tasks

__all__ = ["Predictions", "predict", "with_mirror"]

One: TypeAlias = "Path | str | Image | Case | Mapping[str, Any] | Pixels"
Many: TypeAlias = "list[Any] | tuple[Any, ...] | Iterator[Any]"


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
                )
        stages.append(replace(stage, plan=override(stage.plan, {"infer.mirror": list(axes)})))
    return replace(bundle, stages=tuple(stages))


@overload
def predict(
    bundle: Bundle | Path | str,
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
    resume: bool = False,
    progress: Progress | bool | None = None,
) -> Answer: ...


@overload
def predict(
    bundle: Bundle | Path | str,
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
    resume: bool = False,
    progress: Progress | bool | None = None,
) -> Predictions: ...


@overload
def predict(
    bundle: Bundle | Path | str,
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
    resume: bool = False,
    progress: Progress | bool | None = None,
) -> Predictions: ...


def predict(
    bundle: Bundle | Path | str,
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
    resume: bool = False,
    progress: Progress | bool | None = None,
) -> Answer | Predictions:
    """Return the answer to one thing, or those to several; with `out` write them into that folder.

    `source` is one thing: the path of a file or of a folder that holds one case, a `vs.Image`, a PIL picture, a NumPy
    array, a torch tensor, a case, or a mapping of such by the names of a case's images; then the Answer is returned. Or
    it is several: a cohort, or a list or a generator of such things; then Predictions are, a sequence of answers.
    A generator's things are answered as they come, and are not kept.

    An array or a tensor that is given bare has no unit, no orientation and no names of channels. A model of pictures
    takes `(Y, X)`, `(Y, X, C)` and `(C, Y, X)`, one of volumes `(Z, Y, X)`, `(C, Z, Y, X)` and `(Z, Y, X, C)`; a shape
    that can be read in two ways is refused, as is a batch. What was assumed, and what is unknown that the model learned
    from, is in `Answer.outside`. Values are taken as a file has them: real numbers that were divided by 255, or
    standardised, are refused where the model learned from values on one scale. `vs.image` says what is known of pixels.

    With `out` it writes `answers.csv`, a row a case; for masks `<case>.nii.gz`, or `.png` where the image is a picture;
    with `json` each whole answer, with `overlays` a picture, with `dicom` the DICOM objects of its kind, and one file
    more for each suffix in `also` (`.rt.dcm`). `mirror` names axes of mirror test-time augmentation. `covariates` are
    known of each case (`{"age": 61}`), whatever a table says; others come from a table's columns. A case of another
    modality or unit than the bundle learned from is refused unless `accept_mismatch`; in what an answered one lies
    outside of what was learned from is in `Answer.outside` and in the column `outside`.
    Rows are written as they come, to `answers.partial.csv` until all is done; `resume` goes on in `out` where it
    was interrupted, with the same bundle, as it was told then. `progress` shows itself on a terminal and in a notebook;
    False shows none. Raises VesaliusError's kinds, MismatchError where no case is of the kind that the bundle learned
    from, Interrupted after Ctrl-C; faulty cases, and those whose study is not known where DICOM is wanted, do not stop
    the others and are in `set_aside` and `failed.csv`.
    """
    shown = watched(progress)
    vacancy = machines.Vacancy()
    files = isinstance(source, str | Path | Cohort)
    if resume and not files:
        raise DataError("only what lies in files can be gone on with", found=type(source).__name__)
    told = marked(Path(out)) if resume and out is not None else {}
    json, overlays = json or told.get("json", False), overlays or told.get("overlays", False)
    dicom, also = dicom or told.get("dicom", False), tuple(also) or tuple(told.get("also", ()))
    mirror, columns = mirror or told.get("mirror"), columns or told.get("columns")
    layout, covariates = layout or told.get("layout"), covariates or told.get("covariates")
    accept_mismatch = accept_mismatch or told.get("accept_mismatch", False)
    if out is not None and isinstance(source, str | Path):
        assert_apart(Path(source), Path(out))
    for suffix in also:
        formats.require_suffix(suffix)
    opened = bundle if isinstance(bundle, Bundle) else open_bundle(bundle)
    if mirror:
        opened = with_mirror(opened, mirror)
    several = isinstance(source, Cohort) or is_many(source)

    def read(path: Path) -> Cohort:
        return cohorts.read(path, layout=layout, columns=columns, max_set_aside=1.0)

    if isinstance(source, str | Path | Cohort):
        found = source if isinstance(source, Cohort) else read(Path(source))
        wanted = answering.of_cohort(found, covariates or {})
    else:
        things: Any = source if several else (source,)
        stream = asked(things, opened, read=read, accept_mismatch=accept_mismatch)
        wanted = answering.of_things(stream, covariates or {})
    for note in wanted.notes:
        if note.startswith(cohorts.UNUSED):
            shown.note(note)
    torch_threads.use(vacancy.threads())
    single = answering.only(wanted) if out is None and not several else None
    cores = vacancy.cores if out is not None or several else machines.measure().cores
    predictor = Predictor(opened, device=device, accept_mismatch=accept_mismatch, cores=cores)
    if single is not None:
        return answering.one_answer(predictor, single)
    if isinstance(wanted.cases, tuple):
        _assert_covariates(predictor, wanted.cases)
    if out is None:
        return answering.several_answers(predictor, wanted, shown)
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
            done = answering.fill(
                sheet, predictor, wanted, json=json, overlays=overlays, suffixes=suffixes, progress=shown
            )
    except (KeyboardInterrupt, OutputError) as error:
        words = ["vesalius", "predict", str(opened.path), wanted.where, "-o", str(out), "--resume"]
        hint = shlex.join(words) if files else None
        if isinstance(error, OutputError):
            shown.note("what is finished is kept" + (f"; go on with: {hint}" if hint else ""))
            raise
        kept = len(sheet.answers.cases())
        of = "" if wanted.count is None else f" of {wanted.count}"
        raise Interrupted(f"interrupted; {kept}{of} answers are kept", hint=hint) from error
    except MismatchError:
        sheet.discard()
        raise
    sheet.close()
    return done


def _assert_covariates(predictor: Predictor, cases: Sequence[Case]) -> None:
    """Raise DataError where no case has a covariate that the bundle needs; single cases that lack one fail alone."""
    for name in predictor.needs:
        if cases and all(case.covariates.get(name) is None for case in cases):
            raise DataError(
                f"the bundle '{predictor.bundle.name}' needs the covariate '{name}'",
                found=", ".join(cases[0].covariates) or "no covariates",
                hint=f"--covariate {name}=VALUE, or a table with --column covariate=NAME of that name",
            )
