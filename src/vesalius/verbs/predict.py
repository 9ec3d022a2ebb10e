"""predict: a bundle's answers for one file, one study or a whole cohort; good cases are written, bad ones listed."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import overload

from vesalius import cohorts, formats
from vesalius.core.answers import Answer
from vesalius.core.bundle import Bundle, open_bundle
from vesalius.core.cohort import Cohort, SetAside
from vesalius.core.disk import assert_apart, held
from vesalius.core.errors import DataError, Interrupted, MismatchError, OutputError, PlanError
from vesalius.core.plan import override
from vesalius.core.progress import Progress, Silent
from vesalius.core.words import counted, named_things
from vesalius.infer.predictor import Predictor
from vesalius.plan import machine as machines
from vesalius.plan import torch_threads
from vesalius.plan.mirroring import assert_joined
from vesalius.run.filling import fill
from vesalius.run.ledger import Sheet, marked
from vesalius.run.predict_settings import PredictSettings
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
        assert_joined(tasks.get(stage.plan.task.name), axes, hint="no --mirror")
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
    """Return the Answer for the one case that `source` holds; with `out`, write every case's into that folder.

    Writes `answers.csv`, a row a case; for masks `<case>.nii.gz`, or `.png` where the image is a picture; with
    `json` each whole answer, with `overlays` a picture, with `dicom` the DICOM objects of its kind, and one file more
    for each suffix in `also` (`.rt.dcm`). `mirror` names axes of mirror test-time augmentation. `covariates` are known
    of each case (`{"age": 61}`), whatever a table says; others come from a table's columns. A case of another
    modality or unit than the bundle learned from is refused unless `accept_mismatch`; in what an answered one lies
    outside of what was learned from is in `Answer.outside` and in the column `outside`.
    Rows are written as they come, to `answers.partial.csv` until all is done; `resume` goes on in `out` where it
    was interrupted, with the same bundle, as it was told then. Raises VesaliusError's kinds, MismatchError where no
    case is of the kind that the bundle learned from, Interrupted after Ctrl-C; faulty cases, and those whose study is
    not known where DICOM is wanted, do not stop the others and are in `set_aside` and `failed.csv`.
    """
    progress = progress or Silent()
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
    )
    if out is not None and resume:
        settings = settings.completed(marked(Path(out)))
    if out is not None and not isinstance(source, Cohort):
        assert_apart(Path(source), Path(out))
    for suffix in settings.also:
        formats.require_suffix(suffix)
    opened = _opened(bundle, settings.mirror)
    cohort = _read(source, settings, progress)
    torch_threads.use(vacancy.threads())
    if out is None:
        return _only(opened, cohort, device, settings.accept_mismatch)
    predictor = Predictor(
        opened, device=device, accept_mismatch=settings.accept_mismatch, cores=vacancy.cores
    )
    _assert_covariates(predictor, cohort)
    mark = settings.mark(opened.hash)
    sheet = Sheet.again(Path(out), mark) if resume else Sheet.new(Path(out), mark)
    return _filled(sheet, predictor, cohort, settings=settings, progress=progress, out=Path(out))


def _opened(bundle: Bundle | Path | str, mirror: Sequence[str]) -> Bundle:
    opened = bundle if isinstance(bundle, Bundle) else open_bundle(Path(bundle))
    return with_mirror(opened, mirror) if mirror else opened


def _read(source: Path | str | Cohort, settings: PredictSettings, progress: Progress) -> Cohort:
    """Return the cases to answer, with what is known of each. Raises DataError where there is none."""
    cohort = cohorts.open_cohort(source, layout=settings.layout, columns=settings.columns, max_set_aside=1.0)
    cohort = _with_covariates(cohort, settings.covariates)
    if not cohort.cases and not cohort.set_aside:
        raise DataError(f"no images in {cohort.root}")
    for note in cohort.notes:
        if note.startswith(cohorts.UNUSED):
            progress.note(note)
    return cohort


def _filled(
    sheet: Sheet,
    predictor: Predictor,
    cohort: Cohort,
    *,
    settings: PredictSettings,
    progress: Progress,
    out: Path,
) -> Predictions:
    """Fill the folder; where that is cut short, what is finished stays, and the error says how to go on."""
    try:
        with held(sheet.folder):
            done, failed = fill(sheet, predictor, cohort, settings=settings, progress=progress)
    except (KeyboardInterrupt, OutputError) as error:
        bundle = predictor.bundle
        words = ["vesalius", "predict", str(bundle.path), str(cohort.root), "-o", str(out), "--resume"]
        if isinstance(error, OutputError):
            progress.note(f"what is finished is kept; go on with: {shlex.join(words)}")
            raise
        kept = f"interrupted; {len(sheet.answers.cases())} of {len(cohort.cases)} answers are kept"
        raise Interrupted(kept, hint=shlex.join(words)) from error
    except MismatchError:
        sheet.discard()
        raise
    sheet.close()
    return Predictions(done, failed, sheet.folder)


def _with_covariates(cohort: Cohort, known: Mapping[str, float | str]) -> Cohort:
    """Return the cohort with what is known of each of its cases."""
    if not known:
        return cohort
    cases = tuple(replace(case, covariates={**case.covariates, **known}) for case in cohort.cases)
    return replace(cohort, cases=cases)


def _assert_covariates(predictor: Predictor, cohort: Cohort) -> None:
    """Raise DataError where no case has a covariate that the bundle needs; single cases that lack one fail alone."""
    lacking = [n for n in predictor.needs if all(case.covariates.get(n) is None for case in cohort.cases)]
    if cohort.cases and lacking:
        options = " ".join(f"--covariate {name}=VALUE" for name in lacking)
        raise DataError(
            f"the bundle '{predictor.bundle.name}' needs {named_things('covariate', lacking)}",
            found=", ".join(cohort.cases[0].covariates) or "no covariates",
            hint=f"{options}, or a table with --column covariate=NAME of that name",
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
