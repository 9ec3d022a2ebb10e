"""Predictions: the answers to several cases, in memory or in a folder, as a sequence and as a table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from vesalius import formats
from vesalius.answers import contract
from vesalius.core.answers import Answer
from vesalius.core.bundle import Bundle
from vesalius.core.cohort import SetAside
from vesalius.core.errors import DataError, OutputError, UnknownName
from vesalius.core.file_names import FileNames
from vesalius.core.frames import as_pandas
from vesalius.core.shown import Shown, cut
from vesalius.core.words import counted
from vesalius.infer.drifting import DriftReport
from vesalius.infer.guard import in_words
from vesalius.run.ledger import Sheet
from vesalius.run.one_case import write_one
from vesalius.run.past import keep_origin
from vesalius.run.predict_settings import PredictSettings
from vesalius.run.stopping import all_or_nothing

if TYPE_CHECKING:
    import polars


WORDS = (
    "case",
    "answer",
    "outside",
)  # columns of answers.csv that hold words, also where these look like numbers


@dataclass(frozen=True, eq=False)
class Predictions(Shown, Sequence[Answer]):
    """What `predict` answered about several cases: a sequence of answers, in the order in which they were asked for.

    `predictions[0]` is the answer to the first case and `predictions["case-0001"]` that to a case by its id; one that
    could not be answered raises its reason there and in a `for` loop, so that answers and what they were asked about
    never get out of step. `case_ids` are those of all, in that order. `answered` are the ids of those that were
    answered, `set_aside` the others with the reason of each, `asked` the ids as they were asked for. `out` is the
    folder that they were written to: the answers are then read from it when they are asked for. `answers` are those in
    memory, by case id, and `by` the bundle that gave these. `drift` says whether the cases together differ from what
    the bundle learned from. `runtime` is what computed, one of `vesalius runtimes`. `archive` says of an archive how
    many of its studies are in each state of its ledger, and how many `cases` are answered.
    """

    answered: tuple[str, ...]
    set_aside: tuple[SetAside, ...] = ()
    out: Path | None = None
    asked: tuple[str, ...] = ()
    answers: Mapping[str, Answer] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    by: Bundle | None = None
    drift: DriftReport | None = None
    runtime: str = "torch"
    archive: Mapping[str, int] | None = None

    def __len__(self) -> int:
        return len(self._order)

    @overload
    def __getitem__(self, key: int | str) -> Answer: ...

    @overload
    def __getitem__(self, key: slice) -> list[Answer]: ...

    def __getitem__(self, key: int | str | slice) -> Answer | list[Answer]:
        if isinstance(key, slice):
            return [self._answer(case) for case in self._order[key]]
        return self._answer(key if isinstance(key, str) else self._order[key])

    def to_polars(self) -> polars.DataFrame:
        """Return a row a case as a polars DataFrame: `case`, the columns of `answers.csv`, `outside`.

        `outside` says in what the image lies outside of what the model learned from. A case that was not answered has
        the reason in the column `error`, which is there where any has; of answers in a folder it has no row.
        """
        import polars

        if self.out is not None:
            path = self.out / "answers.csv"
            if not path.is_file():
                return polars.DataFrame(schema={"case": polars.String, "outside": polars.String})
            words = polars.read_csv(path, infer_schema=False)
            return words.with_columns(
                words[c].fill_null("") if c in WORDS else _as_numbers(words[c]) for c in words.columns
            )
        return (
            polars.from_dicts(self._rows(), infer_schema_length=None) if self._order else polars.DataFrame()
        )

    def to_pandas(self) -> Any:
        """Return the same as a pandas DataFrame. Raises MissingExtra where pandas is not installed."""
        return as_pandas(self.to_polars())

    def save(
        self, folder: Path | str, *, json: bool = False, dicom: bool = False, also: Sequence[str] = ()
    ) -> Path:
        """Write the answers to a new folder as `predict` with `out` does, and return it.

        `answers.csv` and, where some were not answered, `failed.csv`; the files of masks; with `json` each whole
        answer, with `dicom` the DICOM objects of its kind, and one file more for each suffix in `also`. Raises
        OutputError where the folder exists, or where the answers lie in a folder already.
        """
        if self.out is not None:
            raise OutputError("these answers are in a folder already", found=str(self.out))
        for suffix in also:
            formats.require_suffix(suffix)
        sheet = Sheet.new(Path(folder), {"bundle": next((a.bundle for a in self.answers.values()), "")})
        with all_or_nothing(sheet.folder):
            names = FileNames()
            for item in self.set_aside:
                sheet.failed.add({"case": item.case, "reason": item.reason})
            for case in self._order:
                if case in self.answers:
                    _save(self.answers[case], case, names[case], sheet, json=json, dicom=dicom, also=also)
            if self.by is not None:
                keep_origin(sheet.folder, self.by, runtime=self.runtime)
            sheet.close()
        return sheet.folder

    @property
    def case_ids(self) -> tuple[str, ...]:
        """The ids of all cases in the order of the sequence, answered or not."""
        return self._order

    @property
    def _order(self) -> tuple[str, ...]:
        return self.asked or self.answered

    @cached_property
    def _reasons(self) -> Mapping[str, str]:
        return {item.case: item.reason for item in self.set_aside}

    def _answer(self, case: str) -> Answer:
        if case in self.answers:
            return self.answers[case]
        if case in self.files and self.out is not None:
            path = self.out / f"{self.files[case]}.json"
            if path.is_file():
                return formats.read_answer(path)
            raise DataError(
                f"the whole answer to case {case} is not in {self.out}",
                hint="predict(…, json=True), or to_polars() for its figures",
            )
        if case in self._reasons:
            raise DataError(f"case {case} was not answered", found=self._reasons[case])
        raise UnknownName("case", case, self._order)

    def _rows(self) -> list[dict[str, Any]]:
        """Return a row a case, all with the same columns."""
        rows: list[dict[str, Any]] = []
        for case in self._order:
            if case in self.answers:
                answer = self.answers[case]
                rows.append({"case": case, **contract.values(answer), "outside": in_words(answer.outside)})
            else:
                rows.append({"case": case, "error": self._reasons.get(case, "not answered")})
        names = dict.fromkeys(name for row in rows for name in row)
        last = [name for name in ("outside", "error") if name in names]
        ordered = [*(name for name in names if name not in last), *last]
        return [{name: row.get(name) for name in ordered} for row in rows]

    def _words(self) -> Iterable[str]:
        kinds = dict.fromkeys(type(a).__name__ for a in self.answers.values())
        yield counted(len(self.answered), "answer") + (f" of kind {', '.join(kinds)}" if kinds else "")
        if self.set_aside:
            yield f"{len(self.set_aside)} not answered"
        if self.out is not None:
            yield f"in {cut(str(self.out))!r}"


def _as_numbers(column: polars.Series) -> polars.Series:
    """Return a column of text as numbers where each of its cells is one or empty, and one is."""
    import polars

    numbers = column.cast(polars.Float64, strict=False)
    sound = (numbers.is_not_null() | column.is_null()).all() and numbers.is_not_null().any()
    return numbers if sound else column


def _save(
    answer: Answer, case: str, name: str, sheet: Sheet, *, json: bool, dicom: bool, also: Sequence[str]
) -> None:
    settings = PredictSettings(json=json, dicom=dicom, also=tuple(also))
    made = write_one(case, answer, None, name=name, folder=sheet.folder, settings=settings)
    for reason in made.lacking:
        sheet.failed.add({"case": case, "reason": reason})
    for table, rows in made.listed.items():
        sheet.enlist(table, rows)
    sheet.answers.add(made.row)
