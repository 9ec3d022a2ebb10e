"""Reports in text files: what the DICOM files beside them say of people goes, and whatever looks like an identifier."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from os.path import commonpath
from pathlib import Path, PurePosixPath
from typing import Any

import pydicom

from vesalius.cohorts import walk
from vesalius.core.disk import write_text
from vesalius.core.errors import FormatError
from vesalius.deidentify._read import SetAside
from vesalius.deidentify._subject import subject_of, who_is
from vesalius.deidentify._text import GONE, Cleaner
from vesalius.deidentify.dicom import Done, folder_of
from vesalius.deidentify.key import Key
from vesalius.deidentify.names import kind_of
from vesalius.deidentify.options import Settings
from vesalius.dicom.damage import DAMAGE
from vesalius.texts.plain import is_prose, read_text

OPTION = "clean-reports"
NOTE = "a report keeps names of people whom no DICOM file beside it names, unless a title stands before them: read it"
_MOST_HEADS = 5000  # below one folder


def scrubbed(text: str, identifiers: Iterable[str] = (), *, numbers: Iterable[str] = ()) -> str:
    """Return a text with `[removed]` in place of the identifiers, in whatever order, case or accents they are written,
    and of dates, telephone numbers, addresses, long numbers and names behind a title.

    `identifiers` are names (`Doe^Jane` or `Jane Doe`), numbers and the like of the people that it is of. Names that are
    neither among them nor behind a title stay: nobody can tell these from other words. Of `numbers`, which are no names
    (`lung-0012`), words that medicine uses stay.
    """
    cleaner = Cleaner(identifiers)
    for number in numbers:
        cleaner.add(number, name=False)
    return cleaner.scrub(text)


@dataclass
class Neighbours:
    """The heads of DICOM files by folder, read once: whom texts beside them may name."""

    source: Path
    _heads: dict[Path, list[Any]] = field(default_factory=dict)

    def of(self, path: Path) -> list[Any]:
        """Return the heads beside a text: those in its folder and below, or else those around it, one folder above.

        Raises SetAside where there is none, or too many, or where they are of several patients.
        """
        for folder in (path.parent, path.parent.parent):
            if not folder.is_relative_to(self.source):
                break
            if heads := self._below(folder):
                if len({who_is(head) for head in heads}) > 1:
                    raise SetAside("a report beside files of several patients: whom it is of cannot be known")
                return heads
        raise SetAside("a report without a DICOM file beside it: the names in it cannot be known")

    def _below(self, folder: Path) -> list[Any]:
        if folder not in self._heads:
            paths = [p for p in walk(folder) if kind_of(p) == "dicom" and p.stat().st_size]
            if len(paths) > _MOST_HEADS:
                raise SetAside("a report beside too many files to look for names in all of them")
            heads = (_head(p) for p in paths)
            self._heads[folder] = [head for head in heads if head is not None]
        return self._heads[folder]


def deidentify(
    path: Path, out: Path, target: PurePosixPath, *, key: Key, settings: Settings, beside: Neighbours
) -> Done:
    """Write the copy into the folder of its study's copies. Raises SetAside, OutputError.

    Without the option `clean-reports` no text is copied.
    """
    if not settings.has(OPTION):
        raise SetAside(f"a text, in which names cannot be found with certainty: --option {OPTION}")
    try:
        text = read_text(path)
    except FormatError as error:
        raise SetAside("damaged, or no plain text") from error
    if not is_prose(text):
        raise SetAside("a text without words, which is no report")
    heads = beside.of(path)
    cleaner = Cleaner()
    for head in heads:
        found = subject_of(head, key, settings).cleaner
        cleaner.words |= found.words
        cleaner.phrases |= found.phrases
        cleaner.short |= found.short
        cleaner.numbers |= found.numbers
        cleaner.runs |= found.runs
    cleaner.phrases.add(path.name.lower())  # says of which file, whatever its words are
    for name in (path.stem, *path.parent.relative_to(beside.source).parts):
        cleaner.add_place(name)
    clean = cleaner.scrub(text)
    folders = {str(folder_of(head, key)) for head in heads}
    place = PurePosixPath(commonpath(folders)) / target.name
    write_text(out / place, clean + "\n")
    return Done(place, Counter({("words of reports", "swept"): clean.count(GONE)}), (NOTE,))


def _head(path: Path) -> Any | None:
    """Return a file's data set before its pixels; None where it cannot be read: then its own copy is refused, too."""
    try:
        data = pydicom.dcmread(path, force=True, stop_before_pixels=True)
        return data if len(data) else None
    except DAMAGE:
        return None
