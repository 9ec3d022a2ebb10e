"""Answering what was asked for: one case or several in memory, or into a folder, row after row."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from vesalius.answers import contract
from vesalius.core.answers import Answer
from vesalius.core.case import Case, Ref
from vesalius.core.cohort import Cohort, SetAside
from vesalius.core.errors import DataError, GeometryError, MismatchError, OutputError, VesaliusError
from vesalius.core.file_names import FileNames
from vesalius.core.learned import lying_outside
from vesalius.core.progress import Progress, Silent
from vesalius.core.words import counted
from vesalius.infer.each import answers
from vesalius.infer.given import Asked
from vesalius.infer.guard import in_words
from vesalius.infer.predictor import Predictor
from vesalius.run.answers_folder import case_files, write_case, write_objects
from vesalius.run.ledger import Sheet
from vesalius.run.predictions import Predictions

Known = Mapping[str, float | str]


@dataclass(frozen=True, eq=False)
class Wanted:
    """What is to be answered: cases that are known, or that come one at a time; and what was set aside before.

    `where` says where they are from.
    """

    cases: tuple[Case, ...] | Iterator[Asked]
    where: str
    set_aside: tuple[SetAside, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def count(self) -> int | None:
        """How many cases there are; None where nobody knows yet."""
        return len(self.cases) if isinstance(self.cases, tuple) else None


def of_cohort(cohort: Cohort, known: Known) -> Wanted:
    """Return a cohort's cases, with what is known of each. Raises DataError where there is none, faulty or not."""
    if not cohort.cases and not cohort.set_aside:
        raise DataError(f"no images in {cohort.root}")
    cases = tuple(_with_covariates(case, known) for case in cohort.cases)
    return Wanted(cases, str(cohort.root), cohort.set_aside, cohort.notes)


def of_things(things: Iterator[Asked], known: Known) -> Wanted:
    """Return things that come one at a time, with what is known of each."""
    told = (
        replace(one, case=_with_covariates(one.case, known)) if isinstance(one.case, Case) else one
        for one in things
    )
    return Wanted(told, "what was given")


def only(wanted: Wanted) -> Case | Asked:
    """Return the one case that is wanted. Raises DataError where it is not one."""
    found: list[Case | Asked] = [*wanted.cases]
    if len(found) == 1:
        return found[0]
    raise DataError(
        f"{wanted.where} holds {counted(len(found), 'case')} that can be answered, not one",
        found="; ".join(s.reason for s in wanted.set_aside[:1]) or None,
        hint="predict(bundle, vs.read(source)) for a cohort, or predict(bundle, source, out)",
    )


def one_answer(predictor: Predictor, wanted: Case | Asked) -> Answer:
    """Return the answer to one case, which knows its image. Raises what is wrong with the case."""
    (found,) = answers(predictor, [wanted], progress=Silent())
    if isinstance(found.answer, VesaliusError):
        raise found.answer
    case = wanted.case if isinstance(wanted, Asked) else wanted
    return replace(found.answer, on=case.image if isinstance(case, Case) else None)


def several_answers(predictor: Predictor, wanted: Wanted, progress: Progress) -> Predictions:
    """Return the answers to all cases, in memory; each knows the file of its image, and keeps no pixels of it.

    Raises the error of the last where all were refused as another kind of image.
    """
    asked: list[str] = []
    found: dict[str, Answer] = {}
    failed = list(wanted.set_aside)
    errors: list[VesaliusError] = []
    files: dict[str, Ref] = {}
    for one in answers(predictor, _noting(wanted.cases, files), progress=progress):
        case = one.case.id
        asked.append(case)
        if isinstance(one.answer, VesaliusError):
            errors.append(one.answer)
            failed.append(SetAside(case, _reason(one.answer, case)))
        else:
            found[case] = replace(one.answer, on=files.get(case))
    refused = [e for e in errors if isinstance(e, MismatchError | GeometryError)]
    if errors and len(refused) == len(asked) and not wanted.set_aside:
        raise _all_alike(errors[-1], len(errors))
    if errors:
        progress.note(f"{len(errors)} of {counted(len(asked), 'case')} could not be answered: see set_aside")
    return Predictions(tuple(found), tuple(failed), asked=tuple(asked), answers=found)


def _noting(cases: Iterable[Case | Asked], files: dict[str, Ref]) -> Iterable[Case | Asked]:
    """Note the file of each case's image; of a tuple at once, so that its length stays known."""

    def note(one: Case | Asked) -> Case | Asked:
        case = one.case if isinstance(one, Asked) else one
        if isinstance(case, Case) and isinstance(case.image, Ref):
            files[case.id] = case.image
        return one

    return tuple(map(note, cases)) if isinstance(cases, tuple) else map(note, cases)


def fill(
    sheet: Sheet,
    predictor: Predictor,
    wanted: Wanted,
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
    known = wanted.cases if isinstance(wanted.cases, tuple) else ()
    ids = {c.id for c in known}
    if not ids.issuperset(done):
        raise OutputError(
            f"{sheet.folder} holds answers to cases that are not in {wanted.where}",
            found=", ".join([c for c in done if c not in ids][:3]),
            hint="the same input, or another -o",
        )
    failed = [s for s in wanted.set_aside if s.case not in ids]
    for item in failed:
        sheet.failed.add({"case": item.case, "reason": item.reason})
    finished, names = set(done), FileNames(c.id for c in known)
    left = tuple(c for c in known if c.id not in finished) if wanted.count is not None else wanted.cases
    refused, marks, seen = 0, 0, 0
    for found in answers(predictor, left, progress=progress):
        case, answer, seen = found.case, found.answer, seen + 1
        if isinstance(answer, VesaliusError):
            refused += isinstance(answer, MismatchError | GeometryError)
            if refused == wanted.count and not wanted.set_aside:
                raise _all_alike(answer, refused)
            reason = _reason(answer, case.id)
            if reason not in {s.reason for s in failed}:
                progress.note(f"not answered: {case.id}: {reason}")
            failed.append(SetAside(case.id, reason))
            sheet.failed.add({"case": case.id, "reason": reason})
            continue
        files = case_files(answer, names[case.id], sheet.folder, json=json, overlays=overlays)
        objects = {s: sheet.folder / f"{names[case.id]}{s}" for s in suffixes(answer)}
        try:
            write_case(answer, found.reference, files)
            for reason in write_objects(answer, objects):
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
    if wanted.count is None and seen and refused == seen:
        raise MismatchError(f"none of {counted(seen, 'case')} can be answered", found=failed[-1].reason)
    if marks:
        progress.note(f"{lying_outside(marks, seen)}: see the column 'outside'")
    return Predictions(tuple(done), tuple(failed), sheet.folder, files=dict(names))


def _with_covariates(case: Case, known: Known) -> Case:
    """Return a case with what is known of it beside what a table says."""
    return replace(case, covariates={**case.covariates, **known}) if known else case


def _reason(error: VesaliusError, case: str) -> str:
    return str(error).removeprefix(f"case {case}: ")


def _all_alike(error: VesaliusError, count: int) -> VesaliusError:
    """Return the error of a single case, or of the last of several that were all refused."""
    if count == 1:
        return error
    return MismatchError(
        f"none of {count} cases can be answered; the last: {error.what}", found=error.found, hint=error.hint
    )
