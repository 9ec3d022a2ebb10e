"""Answering into a folder: first a case's files, then its row, so that a row means that all is there."""

from __future__ import annotations

from collections.abc import Iterable

from vesalius.core.answers import Answer
from vesalius.core.case import Case
from vesalius.core.cohort import SetAside
from vesalius.core.errors import GeometryError, MismatchError, OutputError, VesaliusError
from vesalius.core.file_names import FileNames
from vesalius.core.image import Image
from vesalius.core.learned import lying_outside
from vesalius.core.progress import Progress
from vesalius.core.words import counted
from vesalius.infer.each import answers
from vesalius.infer.given import Asked
from vesalius.infer.predictor import Predictor
from vesalius.run.drift_rows import DriftRows
from vesalius.run.ledger import Sheet
from vesalius.run.one_case import holds_no_object, write_one
from vesalius.run.predict_settings import PredictSettings
from vesalius.run.predictions import Predictions
from vesalius.run.wanted import Wanted, all_alike, reason_of


def fill(
    sheet: Sheet, predictor: Predictor, wanted: Wanted, *, settings: PredictSettings, progress: Progress
) -> Predictions:
    """Answer every case that has no row yet; return which have one, and what could not be answered.

    Raises MismatchError where every case is of another kind than the bundle learned from, OutputError where the
    folder holds answers to other cases. A reason that several cases share is said once; `failed.csv` has it for each.
    """
    known = wanted.cases if isinstance(wanted.cases, tuple) else ()
    drift = DriftRows(sheet, predictor.bundle, known)
    filling = _Filling(sheet, wanted, settings, progress, drift)
    for found in answers(predictor.listening(drift.hear), filling.left, progress=progress):
        if isinstance(found.answer, VesaliusError):
            filling.refuse(found.case, found.answer)
        else:
            filling.write(found.case, found.answer, found.reference)
    filling.end()
    return Predictions(
        tuple(filling.done),
        tuple(filling.failed),
        sheet.folder,
        files=dict(filling.names),
        drift=drift.report(),
        runtime=settings.runtime or "torch",
    )


class _Filling:
    """A folder of answers while it is filled: which cases are done, failed or left, and how many were refused."""

    def __init__(
        self,
        sheet: Sheet,
        wanted: Wanted,
        settings: PredictSettings,
        progress: Progress,
        drift: DriftRows,
    ) -> None:
        self.sheet, self.wanted, self.settings, self.progress = sheet, wanted, settings, progress
        self.drift = drift
        self.done = sheet.answers.cases()
        known = wanted.cases if isinstance(wanted.cases, tuple) else ()
        ids = {c.id for c in known}
        if not ids.issuperset(self.done):
            raise OutputError(
                f"{sheet.folder} holds answers to cases that are not in {wanted.where}",
                found=", ".join([c for c in self.done if c not in ids][:3]),
                hint="the same input, or another -o",
            )
        self.failed: list[SetAside] = []
        for item in wanted.set_aside:
            if item.case not in ids:
                self._fail(item.case, item.reason)
        self.names = FileNames(c.id for c in known)
        finished = set(self.done)
        self.left: Iterable[Case | Asked] = wanted.cases
        if isinstance(wanted.cases, tuple):
            self.left = tuple(c for c in known if c.id not in finished)
        self.seen, self.refused, self.outside, self.withheld = 0, 0, 0, 0

    def refuse(self, case: Case, error: VesaliusError) -> None:
        """Write down why a case has no answer. Raises MismatchError where all of them were refused."""
        self.seen += 1
        self.refused += isinstance(error, MismatchError | GeometryError)
        if self.refused == self.wanted.count and not self.wanted.set_aside:
            raise all_alike(error, self.refused)
        reason = reason_of(error, case.id)
        if reason not in {s.reason for s in self.failed}:
            self.progress.note(f"not answered: {case.id}: {reason}")
        self.drift.write(case.id)  # what is refused as strange is what a drift is made of
        self._fail(case.id, reason)

    def write(self, case: Case, answer: Answer, reference: Image | None) -> None:
        """Write an answer's files and then its row; what of it cannot be written leaves no file without a row."""
        self.seen += 1
        note = "" if self.done else holds_no_object(answer, self.settings)
        if note:
            self.progress.note(note)
        made = write_one(
            case.id,
            answer,
            reference,
            name=self.names[case.id],
            folder=self.sheet.folder,
            settings=self.settings,
        )
        try:
            for reason in made.lacking:
                self._fail(case.id, reason)
                self.progress.note(f"{case.id}: {reason}")
            for table, rows in made.listed.items():
                self.sheet.enlist(table, rows)
            self.drift.write(case.id)
            self.sheet.answers.add(made.row)
            self.outside += bool(answer.outside)
            self.withheld += answer.withheld is not None
        except BaseException:
            if case.id not in self.sheet.answers.cases():
                for path in (*made.files, *made.objects):
                    path.unlink(missing_ok=True)
            raise
        self.done.append(case.id)
        forms = answer.source.forms
        if forms is not None and forms.doubt is not None:
            self.progress.note(f"{case.id}: {forms.doubt}, and the answer has both")

    def end(self) -> None:
        """Say how many lie outside of what was learned from, and how many answers are withheld.

        Raises MismatchError where all that came were refused.
        """
        if self.wanted.count is None and self.seen and self.refused == self.seen:
            many = counted(self.seen, "case")
            raise MismatchError(f"none of {many} can be answered", found=self.failed[-1].reason)
        if self.outside:
            self.progress.note(f"{lying_outside(self.outside, self.seen)}: see the column 'outside'")
        if self.withheld:
            many = f"{self.withheld} of {counted(self.seen, 'case')}"
            self.progress.note(f"withheld, for a person to answer: {many}; see the column 'withheld'")

    def _fail(self, case: str, reason: str) -> None:
        self.failed.append(SetAside(case, reason))
        self.sheet.failed.add({"case": case, "reason": reason})
