"""Reports of a cohort: text files beside the images, headings of another language, and what is said of them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from vesalius import formats
from vesalius.cohorts._index import TEXTS
from vesalius.core.case import Case, Ref, Visit
from vesalius.core.cohort import Cohort, Question
from vesalius.core.errors import DataError, FormatError
from vesalius.core.words import counted, listed
from vesalius.texts.plain import is_empty, is_prose, read_text
from vesalius.texts.sections import ENGLISH, LEAD, Headings, joined, opened, parted

_SAID = ("findings", "impression", "findings and impression", LEAD)
SIBLING = "reports"  # a folder beside that of the images, with a text for each
TARGET = "report"  # what a doubt about texts is of
_NOT_REPORTS = re.compile(
    r"read.?me|licen[cs]e|notice|changelog|citation|class(es)?|labels?|names|train|test|val|split|list|index|"
    r"requirements|info|log|notes?|meta(data)?|version|copyright|terms|description|about",
    re.I,
)


def with_reports_beside(cohort: Cohort, base: Path, *, whole: bool) -> Cohort:
    """Return the cohort with the reports that lie beside its images as text files, where no case has any yet.

    A file is a case's where it has the name of its image, in its folder or in the folder `reports` beside that, or
    where it is the only text in a folder that holds this case alone, or cases of one patient. A text in `reports` is
    nobody's where several cases below the folder that holds it have its name; a doubt names it. Texts of numbers are
    none, as boxes' are. What is left over is named. `whole` says that the cohort is all of a folder: of a single file
    nobody knows what else is there.
    """
    if any(c.report is not None for c in cohort.cases):
        return cohort
    look = _Beside.of(cohort.cases, base, whole=whole)
    taken: dict[str, str] = {}
    ways: Counter[str] = Counter()
    notes: list[str] = []
    empty: list[str] = []
    bare: list[str] = []
    for case in cohort.cases:
        found = look.of_case(case)
        if found is None:
            continue
        try:
            text = read_text(found[0])
        except FormatError as error:
            notes.append(f"the report of '{case.id}' cannot be read: {error.what} ({error.found})")
            continue
        if is_prose(text):
            taken[case.id] = text
            ways[found[1]] += 1
        else:
            (bare if text else empty).append(case.id)
    cohort = replace(cohort, doubts=(*cohort.doubts, *look.doubts()))
    if not taken:
        return cohort
    said = ", ".join(f"{counted(n, 'text file')} {why}" for why, n in ways.items())
    notes = [f"reports: {said}", *notes[:3]]
    if empty:
        notes.append(
            f"{counted(len(empty), 'text file')} beside images with nothing in it: {listed(empty, 3)}"
        )
    if bare:
        verb = "holds" if len(bare) == 1 else "hold"
        notes.append(f"{counted(len(bare), 'text file')} beside images {verb} no sentence: {listed(bare, 3)}")
    if whole and (left := look.unused()):
        notes.append(f"{counted(len(left), 'text file is', 'text files are')} of no image: {listed(left, 3)}")
    cases = tuple(replace(c, report=taken.get(c.id)) for c in cohort.cases)
    return replace(cohort, cases=cases, notes=(*cohort.notes, *notes))


def with_headings(cohort: Cohort, text: str) -> Cohort:
    """Return the cohort with the headings of its reports in English, as a file of headings has them (see `Headings`).

    What stands below them stays as it is. Raises DataError for a section whose name no English heading has, and where
    no report has any of these headings.
    """
    note = f"headings: as {Path(text).name} has them"
    if note in cohort.notes:  # data that were cleaned have been read so already
        return cohort
    headings = Headings.read(Path(text))
    known = opened(ENGLISH).names
    if strange := [name for name in headings.names if name not in known]:
        raise DataError(
            f"{text}: no section of that name", found=listed(map(repr, strange), 3), hint=listed(known, 20)
        )
    held = [c.report for c in cohort.cases if c.report is not None]
    if held and not any(any(parted(report, headings)) for report in held):
        raise DataError(
            f"no report has a heading of {text}",
            found=listed((repr(" ".join(r.split())[:40]) for r in held), 1),
            hint="its spellings as reports have them",
        )

    def translated(case: Case) -> Case:
        report = None if case.report is None else joined(parted(case.report, headings))
        return replace(case, report=report)

    return replace(cohort, cases=_each(cohort.cases, translated), notes=(*cohort.notes, note))


def told_of_reports(cohort: Cohort) -> Cohort:
    """Return the cohort with a note of how many cases have a report, and of those that say nothing."""
    held = [c for c in cohort.cases if c.report is not None]
    if not held:
        return cohort
    notes = [f"{len(held)} of {counted(len(cohort.cases), 'case')} have a report"]
    if notes[0] in cohort.notes:  # of data that were cleaned it was said already
        return cohort
    parts = [(c.id, parted(c.report or "")) for c in held]
    read = [case for case, sections in parts if any(map(str.strip, sections.values()))]
    silent = {case for case, s in parts if set(s) - {LEAD} and not any(s.get(name) for name in _SAID)} & set(
        read
    )
    if silent:
        without = [case for case, _ in parts if case in silent]
        notes.append(
            f"{counted(len(without), 'report has', 'reports have')} no findings and no impression: {listed(without, 3)}"
        )
    if empty := [c.id for c in held if is_empty(c.report or "")]:
        notes.append(f"{counted(len(empty), 'report says', 'reports say')} nothing: {listed(empty, 3)}")
    return replace(cohort, notes=(*cohort.notes, *notes))


def _each(cases: tuple[Case, ...], change: Callable[[Case], Case]) -> tuple[Case, ...]:
    """Return cases as `change` makes them, and their earlier visits, too."""
    found = []
    for case in cases:
        earlier = tuple(Visit(_each((v.case,), change)[0], v.days_before) for v in case.earlier)
        found.append(replace(change(case), earlier=earlier))
    return tuple(found)


@dataclass
class _Beside:
    """The text files around the images of some cases: `below` counts the cases in and below each folder.

    `shared` are the texts that several cases ask for, by their ids; `named` is of `_of_name`, once that was asked.
    """

    cases: Sequence[Case]
    base: Path
    below: Mapping[Path, int]
    patients: Mapping[Path, set[str | None]]
    whole: bool
    listings: dict[Path, dict[str, Path]] = field(default_factory=dict)
    used: set[Path] = field(default_factory=set)
    shared: dict[Path, list[str]] = field(default_factory=dict)
    named: dict[str, list[tuple[str, Path]]] = field(default_factory=dict)

    @classmethod
    def of(cls, cases: Sequence[Case], base: Path, *, whole: bool) -> _Beside:
        """Return what finds the texts of cases in and below the folder `base`."""
        below: Counter[Path] = Counter()
        patients: dict[Path, set[str | None]] = {}
        for case in cases:
            images = _on_disk(case)
            for folder in {up for i in images for up in i.paths[0].parents if up.is_relative_to(base)}:
                below[folder] += 1
                patients.setdefault(folder, set()).add(case.patient)
        return cls(cases, base, below, patients, whole)

    def of_case(self, case: Case) -> tuple[Path, str] | None:
        """Return the text of a case, and why it is that; None where there is none."""
        image = case.image
        if (
            not isinstance(image, Ref)
            or image.member is not None
            or not image.paths[0].is_relative_to(self.base)
        ):
            return None
        path = image.paths[0]
        found = self._named_alike(path) or self._alone(path)
        if found is not None:
            self.used.add(found[0])
        return found

    def unused(self) -> list[str]:
        """Return the texts in the folders that were looked into that are no case's, without those of the data."""
        every = {p for held in self.listings.values() for p in held.values()}
        return sorted(
            p.relative_to(self.base).as_posix()
            for p in every - self.used - set(self.shared)
            if not is_of_data(p)
        )

    def doubts(self) -> list[Question]:
        """Return a doubt about the texts of which nobody knows which of several cases of their name they are of."""
        texts = {path: ids for path, ids in sorted(self.shared.items()) if _speaks(path)}
        if not texts:
            return []
        what = (
            f"{counted(len(texts), 'text file has', 'text files have')} the name of several images, and "
            f"{'is' if len(texts) == 1 else 'are'} given to none"
        )
        names = [path.relative_to(self.base).as_posix() for path in texts]
        found = f"{listed(names, 3)}; the first is called as {listed(next(iter(texts.values())), 3)}"
        hint = "put each beside its image, or name it in a table's column 'report'"
        return [Question(TARGET, what, found, hint)]

    def _named_alike(self, path: Path) -> tuple[Path, str] | None:
        name = _name_of(path)
        for folder in (path.parent, path.parent / SIBLING, path.parent.parent / SIBLING):
            if (held := self._texts(folder).get(name)) is not None:
                if folder != path.parent and len(ids := self._of_name(name, folder.parent)) > 1:
                    self.shared[held] = ids
                    continue
                where = (
                    f"in '{SIBLING}'"
                    if folder.name == SIBLING and folder != path.parent
                    else "beside the images"
                )
                return held, f"{where}, of the same name"
        return None

    def _of_name(self, name: str, folder: Path) -> list[str]:
        """Return the ids of cases below a folder of which a file has this name, be it a slice in their midst."""
        if not self.named:
            for case in self.cases:
                for path in {path for image in _on_disk(case) for path in image.paths}:
                    self.named.setdefault(_name_of(path), []).append((case.id, path))
        return list(dict.fromkeys(i for i, path in self.named[name] if path.is_relative_to(folder)))

    def _alone(self, path: Path) -> tuple[Path, str] | None:
        """Return the only text in a folder that holds one case alone, or in an image's own those of one patient."""
        for folder in (path.parent, path.parent.parent) if self.whole else ():
            patients = self.patients.get(folder, set())
            of_one = folder == path.parent and len(patients) == 1 and None not in patients
            if self.below.get(folder, 0) != 1 and not of_one:
                return None
            texts = [p for p in self._texts(folder).values() if not is_of_data(p)]
            if len(texts) == 1:
                return texts[0], "alone in the folder of their study"
        return None

    def _texts(self, folder: Path) -> dict[str, Path]:
        """Return the text files directly in a folder of the data, by their names without endings, in small letters."""
        if folder not in self.listings:
            files: list[Path] = []
            if folder.is_relative_to(self.base) and folder.is_dir():
                files = sorted(p for p in folder.iterdir() if p.suffix.lower() in TEXTS)
            self.listings[folder] = {
                p.stem.casefold(): p for p in reversed(files) if not p.name.startswith(".")
            }
        return self.listings[folder]


def _on_disk(case: Case) -> list[Ref]:
    return [i for i in case.images.values() if isinstance(i, Ref) and i.member is None]


def _name_of(path: Path) -> str:
    return formats.stem(path).casefold()


def _speaks(path: Path) -> bool:
    """Return whether a text file can be read and holds a sentence."""
    try:
        return is_prose(read_text(path))
    except FormatError:
        return False


def is_of_data(path: Path) -> bool:
    """Return whether a text is called as those are that speak of the data as a whole: README, LICENSE, classes."""
    return _NOT_REPORTS.fullmatch(path.stem) is not None
