"""change: two visits of one patient, or of each patient of a cohort: answered, registered, held against one another."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, overload

from vesalius.core.bundle import Bundle
from vesalius.core.case import Case
from vesalius.core.cohort import SetAside
from vesalius.core.disk import assert_apart, new_folder
from vesalius.core.errors import DataError, UnknownName, VesaliusError
from vesalius.core.file_names import FileNames
from vesalius.core.progress import Progress, watched
from vesalius.core.words import counted
from vesalius.infer.given import Asked
from vesalius.infer.predictor import Predictor
from vesalius.plan import machine as machines
from vesalius.plan import torch_threads
from vesalius.prepare.registering import assert_known
from vesalius.run.change.comparing import compared
from vesalius.run.change.result import Change as Change
from vesalius.run.change.result import Changes as Changes
from vesalius.run.change.written import write_change, write_changes, write_page
from vesalius.run.finished import Run, bundle_of
from vesalius.run.stopping import all_or_nothing
from vesalius.run.tabular import read_for
from vesalius.run.wanted import only, reason_of, wanted_of

__all__ = ["Change", "Changes", "change"]

SINCE = ("previous", "first")
WORK = "comparing visits"
PAGES = 100  # patients at most that have a page of their own


@overload
def change(
    bundle: Run | Bundle | Path | str,
    earlier: Any,
    later: None = None,
    out: Path | str | None = None,
    *,
    days: float | None = None,
    registration: str | None = None,
    since: str = "previous",
    accept: bool = False,
    accept_mismatch: bool = False,
    doubt: str | None = None,
    samples: int | None = None,
    covariates: Mapping[str, float | str] | None = None,
    columns: Mapping[str, str] | None = None,
    layout: str | None = None,
    dicom: bool = False,
    device: str | None = None,
    progress: Progress | bool | None = None,
) -> Changes: ...


@overload
def change(
    bundle: Run | Bundle | Path | str,
    earlier: Any,
    later: Any,
    out: Path | str | None = None,
    *,
    days: float | None = None,
    registration: str | None = None,
    since: str = "previous",
    accept: bool = False,
    accept_mismatch: bool = False,
    doubt: str | None = None,
    samples: int | None = None,
    covariates: Mapping[str, float | str] | None = None,
    columns: Mapping[str, str] | None = None,
    layout: str | None = None,
    dicom: bool = False,
    device: str | None = None,
    progress: Progress | bool | None = None,
) -> Change: ...


def change(
    bundle: Run | Bundle | Path | str,
    earlier: Any,
    later: Any = None,
    out: Path | str | None = None,
    *,
    days: float | None = None,
    registration: str | None = None,
    since: str = "previous",
    accept: bool = False,
    accept_mismatch: bool = False,
    doubt: str | None = None,
    samples: int | None = None,
    covariates: Mapping[str, float | str] | None = None,
    columns: Mapping[str, str] | None = None,
    layout: str | None = None,
    dicom: bool = False,
    device: str | None = None,
    progress: Progress | bool | None = None,
) -> Change | Changes:
    """Answer two visits of a patient and return what changed between them, as far as that can be told.

    The earlier image is registered onto the later one, rigidly. Each thing that is measured has a change with the
    bounds within which it lies, by what is promised of the answers, else by the errors of the bundle's test split, else
    by how far opinions are apart; where the bounds hold 0, it is no change that could be told.

    Args:
        bundle: A bundle, the run that holds it, or the path of either.
        earlier: The earlier visit: one thing as `predict` takes it. Without `later`: a cohort whose cases have
            earlier visits, or its path.
        later: The later visit.
        out: A new folder for `change.json`, `change.csv`, `change.html` and the answers to both visits.
        days: Days between both visits, where no date says it.
        registration: One of `vesalius registrations`, or `none`; by default the surest that is installed. Images that
            share a frame of reference are laid as they say.
        since: Of a cohort: hold each patient's last visit against the `previous` one, or against the `first`.
        accept: Go on where the visits are of two patients, of another modality, or dated in the other order.
        accept_mismatch: Answer images of another modality or unit than the bundle learned from, too.
        doubt: Say also how far several opinions about each visit are apart; one of `vesalius opinions`.
        samples: How many opinions `dropout` gives.
        covariates: What is known of the patient at both visits: `{"sex": "F"}`.
        columns: What a table's columns are, where their names do not tell: `{"visit": "date"}`.
        layout: How to read it, where it could be read in several ways.
        dicom: Write the DICOM objects of both answers, and a report of the change in the later visit's study.
        device: `cpu`, `cuda`, `cuda:1`; by default a GPU where there is one.
        progress: A `Progress`; True, False or None: by default a bar shows itself on a terminal and in a notebook.

    Returns:
        What changed of one patient; of a cohort, of each.

    Raises:
        DataError: A visit is not one image, or the visits are of two patients or in the wrong order.
        MismatchError: The visits are of another modality, or of another than the bundle learned from.
        OutputError: `out` holds something.
    """
    shown = watched(progress)
    if since not in SINCE:
        raise UnknownName("visit to compare with", since, SINCE)
    assert_known(registration)
    places = [Path(x) for x in (earlier, later) if isinstance(x, str | Path)]
    for place in places if out is not None else ():
        assert_apart(place, Path(str(out)))
    opened = bundle_of(bundle)
    torch_threads.use(machines.measure().cores)
    predictor = Predictor(opened, device=device, accept_mismatch=accept_mismatch)
    predictor = predictor if doubt is None else predictor.doubting(doubt, samples)
    how: dict[str, Any] = {"registration": registration, "accept": accept}
    if later is None:
        if days is not None:
            raise DataError("the days between visits of a cohort stand in its table", hint="no --days")
        pairs = _pairs(earlier, opened, columns, layout, since)
        return _several(predictor, pairs, out, how, dicom=dicom, covariates=covariates or {}, progress=shown)
    told = {
        "layout": layout,
        "columns": columns,
        "covariates": covariates,
        "accept_mismatch": accept_mismatch,
    }
    one, two = (
        _visit(source, opened, told, name) for source, name in ((earlier, "earlier"), (later, "later"))
    )
    folder = None if out is None else new_folder(Path(out), default="change")
    with all_or_nothing(folder):
        found = compared(predictor, one, two, days=days, **how)
        if folder is not None:
            for text in write_change(found, folder, dicom=dicom):
                shown.note(text)
    return found


def _visit(source: Any, bundle: Bundle, told: Mapping[str, Any], name: str) -> Case:
    """Return one visit as a case. Raises DataError where it is not one image."""
    wanted = wanted_of(source, bundle, **told)
    try:
        found = only(wanted)
    except DataError as error:
        raise DataError(
            f"the {name} visit is not one image: {error.what}",
            found=error.found,
            hint="the folder of one series",
        ) from error
    case = found.case if isinstance(found, Asked) else found
    if isinstance(case, VesaliusError):
        raise case
    return case


def _pairs(
    source: Any, bundle: Bundle, columns: Mapping[str, str] | None, layout: str | None, since: str
) -> list[tuple[str, Case, Case, float]]:
    """Return each patient's pair of visits with the days between: the last one and the one before it, or the first.

    A patient whose visits are followed side by side, as both eyes are, has a pair for each.

    Raises DataError where no case has an earlier visit.
    """
    read = read_for(bundle, source, layout=layout, columns=columns)
    before = {visit.case.id for case in read.cases for visit in case.earlier}
    last = [case for case in read.cases if case.earlier and case.id not in before]
    if not last:
        raise DataError(
            "no case of the cohort has an earlier visit",
            found=counted(len(read.cases), "case"),
            hint="--column visit=NAME of a table whose rows are visits, or two visits: change BUNDLE EARLIER LATER",
        )
    place = 0 if since == "first" else -1
    several = Counter(case.patient or case.id for case in last)
    return [
        (_who(case, several), case.earlier[place].case, case, case.earlier[place].days_before)
        for case in last
    ]


def _who(case: Case, several: Mapping[str, int]) -> str:
    """Return what a row is called: the patient, with the case where the patient has several, as of both eyes."""
    patient = case.patient or case.id
    return patient if several[patient] == 1 else f"{patient}, {case.id}"


def _several(
    predictor: Predictor,
    pairs: Sequence[tuple[str, Case, Case, float]],
    out: Path | str | None,
    how: Mapping[str, Any],
    *,
    dicom: bool,
    covariates: Mapping[str, float | str],
    progress: Progress,
) -> Changes:
    """Compare each patient's visits; those that cannot be are set aside with the reason."""
    folder = None if out is None else new_folder(Path(out), default="change")
    names, pages = FileNames(), {}
    found: list[Change] = []
    aside: list[SetAside] = []
    progress.start(WORK, len(pairs))
    with all_or_nothing(folder):
        for who, earlier, later, days in pairs:
            cases = [replace(c, covariates={**c.covariates, **covariates}) for c in (earlier, later)]
            try:
                one = replace(
                    compared(predictor, cases[0], cases[1], told_days=days or None, **how), patient=who
                )
            except DataError as error:
                aside.append(SetAside(later.id, reason_of(error, later.id)))
                progress.note(f"not compared: {who}: {aside[-1].reason}")
                progress.advance(WORK)
                continue
            if folder is not None and len(found) < PAGES:
                pages[len(found)] = write_page(one, folder, names)
                if dicom:
                    place = folder / "patients" / names[who]
                    place.mkdir(parents=True, exist_ok=True)
                    for text in write_change(one, place, dicom=True):
                        progress.note(f"{who}: {text}")
            found.append(one.let_go())
            progress.advance(WORK)
        progress.finish(WORK)
        if not found:
            raise DataError(
                f"none of {counted(len(pairs), 'patient')} can be compared", found=aside[-1].reason
            )
        made = Changes(tuple(found), tuple(aside))
        if folder is not None:
            write_changes(made, folder, pages=pages)
    return made
