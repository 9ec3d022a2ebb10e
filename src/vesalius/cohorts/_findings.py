"""The table findings.csv beside a cohort: what is truly in the images of each case."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from vesalius import formats
from vesalius.cohorts import _files
from vesalius.cohorts._table_io import read_cells
from vesalius.core.case import Case, Ref
from vesalius.core.cohort import Cohort, Question
from vesalius.core.disk import write_text
from vesalius.core.errors import DataError
from vesalius.core.finding import Finding
from vesalius.core.sentences import all_sentences
from vesalius.core.words import counted, listed
from vesalius.texts import findings_table
from vesalius.texts.sections import parted

TARGETLESS = "findings"  # what a doubt about the table is of


def table_in(base: Path) -> Path | None:
    """Return the table of findings directly in a folder; None where there is none, or one of another kind."""
    path = base / findings_table.TABLE
    return path if path.is_file() and _files.is_findings_table(path) else None


def with_findings(cohort: Cohort, base: Path) -> Cohort:
    """Return the cohort with the findings of the table that lies in its folder, as they are checked.

    A case without a row keeps None: nobody wrote down what is in it. Rows of names that lead to no case are named in a
    doubt. Raises DataError for a table that cannot be used, and for a sentence that the case's report has not.
    """
    path = table_in(base) if base.is_dir() else None
    if path is None:
        return cohort
    found = findings_table.parsed(read_cells(path), path.name)
    names = _names(cohort.cases)
    by_case: dict[str, tuple[Finding, ...]] = {}
    strangers: list[str] = []
    aside = {a.case for a in cohort.set_aside}
    for name, held in found.items():
        case = names.get(name.casefold())
        if case is None:
            strangers += [] if name in aside else [name]
        elif case in by_case:
            raise DataError(f"{path.name}: two of its names lead to the case '{case}'", found=name)
        else:
            by_case[case] = held
    if found and not by_case:
        raise DataError(
            f"no name in {path.name} leads to a case",
            found=listed(strangers, 3),
            hint=f"names such as '{cohort.cases[0].id}'" if cohort.cases else None,
        )
    cases = tuple(replace(c, findings=_of(c, by_case[c.id])) if c.id in by_case else c for c in cohort.cases)
    notes = [
        f"{path.name}: {counted(sum(map(len, by_case.values())), 'finding')} of {counted(len(by_case), 'case')}"
    ]
    if bare := [c.id for c in cases if c.findings is None]:
        verb = "has" if len(bare) == 1 else "have"
        notes.append(
            f"{counted(len(bare), 'case')} {verb} no row in {path.name}: of {listed(bare, 3)} nothing is known"
        )
    doubts = cohort.doubts
    if strangers:
        what = f"{counted(len(strangers), 'name')} in {path.name} lead to no case"
        doubts = (*doubts, Question(TARGETLESS, what, listed(strangers, 5), "look for their cases"))
    return replace(cohort, cases=cases, notes=(*cohort.notes, *notes), doubts=doubts)


def save_findings(folder: Path, cases: Iterable[Case]) -> None:
    """Write the findings of cases beside a new table of them; nothing where no case has any. Raises OutputError."""
    held = {case.id: case.findings for case in cases if case.findings is not None}
    if held:
        write_text(folder / findings_table.TABLE, findings_table.written(held))


def _names(cases: Sequence[Case]) -> dict[str, str]:
    """Return what cases may be called: their ids, and the names of their images' files that are of one alone."""
    ids = {c.id.casefold(): c.id for c in cases}
    files: dict[str, set[str]] = {}
    for case in cases:
        image = case.image
        for path in image.paths[:1] if isinstance(image, Ref) and len(image.paths) == 1 else ():
            for name in (path.name, formats.stem(path)):
                files.setdefault(name.casefold(), set()).add(case.id)
    return {**{name: next(iter(own)) for name, own in files.items() if len(own) == 1}, **ids}


def _of(case: Case, findings: tuple[Finding, ...]) -> tuple[Finding, ...]:
    """Return the findings of a case. Raises DataError where one names a sentence that its report has not."""
    if case.report is None:
        return findings
    many = len(all_sentences(parted(case.report)))
    for finding in findings:
        if finding.sentence is not None and finding.sentence >= many:
            raise DataError(
                f"{findings_table.TABLE}: a finding of '{case.id}' is in sentence {finding.sentence}",
                found=f"a report of {counted(many, 'sentence')}, counted from 0",
            )
    return findings
