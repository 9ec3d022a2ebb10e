"""Answering a cohort into a folder: first a case's files, then its row, so that a row means that all is there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from vesalius import formats
from vesalius.answers import contract
from vesalius.answers.drawing.overlay import overlay
from vesalius.core.answers import Answer
from vesalius.core.case import Case
from vesalius.core.cohort import Cohort, SetAside
from vesalius.core.errors import DataError, GeometryError, MismatchError, OutputError, VesaliusError
from vesalius.core.file_names import file_names
from vesalius.core.image import Image
from vesalius.core.learned import lying_outside
from vesalius.core.progress import Progress
from vesalius.infer.each import answers
from vesalius.infer.guard import in_words
from vesalius.infer.predictor import Predictor
from vesalius.run.ledger import Sheet
from vesalius.run.predict_settings import PredictSettings


def fill(
    sheet: Sheet, predictor: Predictor, cohort: Cohort, *, settings: PredictSettings, progress: Progress
) -> tuple[tuple[str, ...], tuple[SetAside, ...]]:
    """Answer every case that has no row yet; return the ids of all that have one, and what could not be answered.

    Raises MismatchError where every case is of another kind than the bundle learned from, OutputError where the
    folder holds answers to other cases. A reason that several cases share is said once; `failed.csv` has it for each.
    """
    filling = _Filling(sheet, cohort, settings, progress)
    for found in answers(predictor, filling.left, progress=progress):
        if isinstance(found.answer, VesaliusError):
            filling.refuse(found.case, found.answer)
        else:
            filling.write(found.case, found.answer, found.reference)
    if filling.outside:
        progress.note(f"{lying_outside(filling.outside, len(filling.left))}: see the column 'outside'")
    return tuple(filling.done), tuple(filling.failed)


class _Filling:
    """A folder of answers while it is filled: which cases are done, failed or left, and how many were refused."""

    def __init__(self, sheet: Sheet, cohort: Cohort, settings: PredictSettings, progress: Progress) -> None:
        self.sheet, self.cohort, self.settings, self.progress = sheet, cohort, settings, progress
        self.done = sheet.answers.cases()
        ids = {c.id for c in cohort.cases}
        if not ids.issuperset(self.done):
            raise OutputError(
                f"{sheet.folder} holds answers to cases that are not in {cohort.root}",
                found=", ".join([c for c in self.done if c not in ids][:3]),
                hint="the same input, or another -o",
            )
        self.failed: list[SetAside] = []
        for item in cohort.set_aside:
            if item.case not in ids:
                self._fail(item.case, item.reason)
        self.names = file_names(c.id for c in cohort.cases)
        finished = set(self.done)
        self.left = [c for c in cohort.cases if c.id not in finished]
        self.refused, self.outside = 0, 0

    def refuse(self, case: Case, error: VesaliusError) -> None:
        """Write down why a case has no answer. Raises MismatchError where all of them were refused."""
        self.refused += isinstance(error, MismatchError | GeometryError)
        if self.refused == len(self.cohort.cases) and not self.cohort.set_aside:
            raise _all_alike(error, self.refused)
        reason = str(error).removeprefix(f"case {case.id}: ")
        if reason not in {s.reason for s in self.failed}:
            self.progress.note(f"not answered: {case.id}: {reason}")
        self._fail(case.id, reason)

    def write(self, case: Case, answer: Answer, reference: Image | None) -> None:
        """Write an answer's files and then its row; what of it cannot be written leaves no file without a row."""
        name, folder = self.names[case.id], self.sheet.folder
        files = _files(answer, name, folder, json=self.settings.json, overlays=self.settings.overlays)
        objects = {s: folder / f"{name}{s}" for s in self.settings.suffixes(answer)}
        if self.settings.dicom and not contract.of(answer).objects and not self.done:
            kind = type(answer).__name__
            self.progress.note(f"no DICOM object holds an answer of kind {kind}: none is written; try --json")
        try:
            _write_case(answer, reference, files)
            for reason in write_objects(answer, objects):
                self._fail(case.id, reason)
                self.progress.note(f"{case.id}: {reason}")
            row = {"case": case.id, **contract.columns(answer), "outside": in_words(answer.outside)}
            self.sheet.answers.add(row)
            self.outside += bool(answer.outside)
        except BaseException:
            if case.id not in self.sheet.answers.cases():
                for path in (*files, *objects.values()):
                    path.unlink(missing_ok=True)
            raise
        self.done.append(case.id)
        forms = answer.source.forms
        if forms is not None and forms.disagree:
            said = (
                f"its sform and its qform say places {forms.apart_mm:.3g} mm apart; the {forms.used} was used"
            )
            self.progress.note(f"{case.id}: {said}, and the answer has both")

    def _fail(self, case: str, reason: str) -> None:
        self.failed.append(SetAside(case, reason))
        self.sheet.failed.add({"case": case, "reason": reason})


def _all_alike(error: VesaliusError, count: int) -> VesaliusError:
    """Return the error of a single case, or of the last of several that were all refused."""
    if count == 1:
        return error
    return MismatchError(
        f"none of {count} cases can be answered; the last: {error.what}", found=error.found, hint=error.hint
    )


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


def write_objects(answer: Answer, objects: Mapping[str, Path]) -> Sequence[str]:
    """Write one file for each suffix; return why those that cannot be written are not."""
    reasons = []
    for suffix, path in objects.items():
        try:
            formats.write(answer, path)
        except (OutputError, DataError) as error:
            reasons.append(f"answered, but there is no {suffix}: {error}")
    return reasons
