"""Answering in memory: one case, or several as Predictions."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from vesalius.core.answers import Answer
from vesalius.core.case import Case, Ref
from vesalius.core.cohort import SetAside
from vesalius.core.errors import DataError, GeometryError, MismatchError, SourceError, VesaliusError
from vesalius.core.progress import Progress, Silent
from vesalius.core.words import counted
from vesalius.infer.drifting import of_folder, reference_of, whose
from vesalius.infer.each import answers
from vesalius.infer.given import Asked
from vesalius.infer.predictor import Predictor
from vesalius.run.predictions import Predictions
from vesalius.run.wanted import Wanted, all_alike, reason_of


def one_answer(predictor: Predictor, wanted: Case | Asked) -> Answer:
    """Return the answer to one case, which knows its image. Raises what is wrong with the case."""
    (found,) = answers(predictor, [wanted], progress=Silent())
    if isinstance(found.answer, VesaliusError):
        raise found.answer
    case = wanted.case if isinstance(wanted, Asked) else wanted
    return replace(found.answer, on=case.image if isinstance(case, Case) else None)


def several_answers(predictor: Predictor, wanted: Wanted, progress: Progress) -> Predictions:
    """Return the answers to all cases, in memory; each knows the file of its image, and keeps no pixels of it.

    Raises MismatchError where all were refused as another kind of image, DataError where none could be answered.
    """
    asked: list[str] = []
    found: dict[str, Answer] = {}
    failed = list(wanted.set_aside)
    errors: list[VesaliusError] = []
    files: dict[str, Ref] = {}
    bins: dict[str, tuple[str, tuple[int, ...]]] = {}

    def hear(case: Case, where: tuple[int, ...]) -> None:
        bins[case.id] = whose(case.id, case.patient), where

    predictor = predictor.listening(hear)

    def so_far() -> Predictions:
        return Predictions(
            tuple(found),
            tuple(failed),
            asked=tuple(asked),
            answers=found,
            by=predictor.bundle,
            drift=of_folder(reference_of(predictor.bundle), bins.values()),
        )

    try:
        for one in answers(predictor, _noting(wanted.cases, files), progress=progress):
            case = one.case.id
            asked.append(case)
            if isinstance(one.answer, VesaliusError):
                errors.append(one.answer)
                failed.append(SetAside(case, reason_of(one.answer, case)))
            else:
                found[case] = replace(one.answer, on=files.get(case))
    except SourceError as error:
        kept = SourceError(
            f"{error.what}; {counted(len(found), 'answer')} made before are the error's `answers`",
            found=error.found,
            hint=error.hint,
        )
        kept.answers = so_far()
        raise kept from error.__cause__
    if errors and not found:
        refused = all(isinstance(e, MismatchError | GeometryError) for e in errors)
        if refused or len(errors) == 1:
            raise all_alike(errors[-1], len(errors))
        raise DataError(f"none of {counted(len(errors), 'case')} can be answered", found=failed[-1].reason)
    if errors:
        progress.note(f"{len(errors)} of {counted(len(asked), 'case')} could not be answered: see set_aside")
    return so_far()


def _noting(cases: Iterable[Case | Asked], files: dict[str, Ref]) -> Iterable[Case | Asked]:
    """Note the file of each case's image; of a tuple at once, so that its length stays known."""

    def note(one: Case | Asked) -> Case | Asked:
        case = one.case if isinstance(one, Asked) else one
        if isinstance(case, Case) and isinstance(case.image, Ref):
            files[case.id] = case.image
        return one

    return tuple(map(note, cases)) if isinstance(cases, tuple) else map(note, cases)
