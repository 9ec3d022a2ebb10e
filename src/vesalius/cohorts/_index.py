"""Finding the files that a table names: by path, name, stem, folder, or a DICOM series' or patient's id."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from vesalius import formats
from vesalius.cohorts import _files
from vesalius.cohorts._series import Unit, group_series
from vesalius.cohorts._tails import Named, Tails
from vesalius.core import course_io
from vesalius.core.case import Ref
from vesalius.core.errors import DataError

TEXTS = (".txt", ".rep", ".rpt")  # reports, if their words say so
_WHAT = "\0"  # stands for the word for what is looked for
_MOST_FILES = 1000  # below a folder that a table's cell names


class _Several(DataError):
    """The text matches more than one thing."""


@dataclass
class Index:
    """What lies below a folder, by every name that a table could use for it."""

    root: Path
    roots: tuple[Path, ...]  # the same, from the top and without links too
    files: Tails
    stems: Tails
    folders: Tails  # of DICOM series
    courses: Tails  # files that may be time courses
    texts: Tails  # files of text
    keys: dict[str, list[Unit]] = field(default_factory=dict)  # by series and by patient id
    within: dict[Path, list[Unit]] = field(default_factory=dict)  # series directly in a folder
    below: dict[Path, list[Unit]] = field(default_factory=dict)  # series in it or in folders of it
    lost: dict[Path, str] = field(default_factory=dict)  # why series directly in a folder cannot be read
    _known: dict[str, dict[str, Ref] | DataError] = field(default_factory=dict)

    @classmethod
    def of(cls, root: Path) -> Index:
        """Look below `root` once; DICOM files are grouped by series."""
        roots = (root, root.absolute(), root.resolve())
        below = [Tails.below(root) for _ in range(5)]
        index = cls(root, roots, below[0], below[1], below[2], below[3], below[4])
        every = _files.walk(root)
        for path in every:
            if course_io.is_course(path):
                index.courses.add(path)
            elif path.suffix.lower() in TEXTS:
                index.texts.add(path)
        paths = [p for p in every if _files.is_image(p, containers=True)]
        dicom = [p for p in paths if _files.is_dicom(p)]
        series, aside = group_series(dicom, root) if dicom else ([], [])
        index.lost = {(root / one.case).parent: one.reason for one in reversed(aside)}
        slices = {p for unit in series if len(unit.image.paths) > 1 for p in unit.image.paths}
        for path in paths:
            index.files.add(path)
            if path not in slices:  # whose numbers name no case
                index.stems.add(path, formats.stem(path))
        for unit in series:
            folder = unit.image.paths[0].parent
            index.within.setdefault(folder, []).append(unit)
            for above in (folder, *folder.parents):
                if above == root or not above.is_relative_to(root):
                    break
                index.below.setdefault(above, []).append(unit)
            for key in {k.casefold() for k in (unit.series_uid, unit.patient) if k}:
                index.keys.setdefault(key, []).append(unit)
        for folder in index.below:
            index.folders.add(folder)
        return index

    def has(self, text: str) -> bool:
        """Return whether `text` names exactly one file, folder or patient here."""
        try:
            return bool(self.find(text))
        except DataError:
            return False

    def is_unsure(self, text: str) -> bool:
        """Return whether `text` is ambiguous: it matches several files, or both a folder and a patient."""
        return not self.has(text) and isinstance(self._known[text], _Several)

    def fault(self, text: str) -> str:
        """Return the reason, in words, why `text` matches nothing; empty where it matches something."""
        try:
            self.find(text)
        except DataError as error:
            return f"{error.what} ({error.found})"
        return ""

    def find(self, text: str, *, what: str = "image") -> dict[str, Ref]:
        """Return the images that `text` means, by name ('' where there is one).

        A path is looked for from the table's folder; where nothing lies there, `Tails` says what may be meant. Raises
        DataError where nothing fits, where files of that name lie in other folders only, and where several
        files, or a folder and another patient, could be meant. `what` is the word for it in the error.
        """
        if text not in self._known:
            try:
                self._known[text] = self._find(text)
            except DataError as error:
                self._known[text] = error
        known = self._known[text]
        if isinstance(known, DataError):
            raise type(known)(known.what.replace(_WHAT, what), found=known.found, hint=known.hint)
        return known

    def find_course(self, text: str) -> Ref:
        """Return the file of a time course that `text` means, as `find` does that of an image. Raises DataError."""
        return Ref((self._one_file(text, "time course", self.courses, course_io.is_course),))

    def has_course(self, text: str) -> bool:
        """Return whether `text` names exactly one file of a time course here."""
        try:
            return bool(self.find_course(text).paths)
        except DataError:
            return False

    def find_text(self, text: str) -> Path:
        """Return the file of text that `text` names, as `find` does that of an image. Raises DataError."""
        return self._one_file(text, "text", self.texts, lambda path: path.suffix.lower() in TEXTS)

    def has_text(self, text: str) -> bool:
        """Return whether `text` names exactly one file of text here."""
        try:
            return self.find_text(text).is_file()
        except DataError:
            return False

    def _one_file(self, text: str, what: str, tails: Tails, fits: Callable[[Path], bool]) -> Path:
        """Return the one file of a sort that `text` names: in its place from the table's folder on, or by its tail."""
        named = Named.of(text, self.roots)
        if named is None:
            raise DataError(f"no {what} for '{text}'", found=f"nothing of that name below {self.root}")
        places = [self.root / named.path, *([named.path] if named.path.is_absolute() else [])]
        for path in places:
            if path.is_file() and fits(path):
                return path
        files = tails.fitting(named)
        self._one_of(text, what, files)
        if not files:
            raise DataError(f"no {what} for '{text}'", found=f"nothing of that name below {self.root}")
        return files[0]

    def _find(self, text: str) -> dict[str, Ref]:
        named, what = Named.of(text, self.roots), _WHAT
        if named is None:
            raise DataError(f"no {what} for '{text}'", found=f"nothing of that name below {self.root}")
        places = [self.root / named.path, *([named.path] if named.path.is_absolute() else [])]
        for path in places:
            if path.is_file() and _files.is_image(path, containers=True):
                return {"": Ref((path,))}
        files = self.files.fitting(named)
        self._one_of(text, what, files)
        if files:
            return {"": Ref((files[0],))}
        folders = [Path(os.path.normpath(p)) for p in places if p.is_dir()]
        inside = self._one_folder(text, what, folders)
        if not inside:
            files = self.stems.fitting(named)
            self._one_of(text, what, files)
            folders = folders or self.folders.fitting(named)
            inside = self._one_folder(text, what, folders)
        units = self.keys.get(text.strip().casefold(), [])
        strangers = [u for f in folders for u in self.below.get(f, ()) if u not in units]
        if units and strangers and not inside:
            inside = {str(k): u.image for k, u in enumerate(strangers)}
        meant = [
            (self._place(files[0]) if files else "", {"": Ref((files[0],))} if files else {}),
            (f"the folder '{named.parts[-1]}'", inside),
            (f"the patient or series '{text}'", _named(units, text)),
        ]
        return self._agreed(text, what, [m for m in meant if m[1]], named)

    def _agreed(
        self, text: str, what: str, meant: list[tuple[str, dict[str, Ref]]], named: Named
    ) -> dict[str, Ref]:
        """Return the narrowest of several matches, if it lies within each of the others. Raises DataError."""
        if not meant:
            raise DataError(f"no {what} for '{text}'", found=self._instead(named))
        narrow = min((found for _, found in meant), key=len)
        if all(set(narrow.values()) <= set(found.values()) for _, found in meant):
            return narrow
        raise _Several(
            f"'{text}' could mean several things",
            found=" and ".join(f"{label} ({self._where(found)})" for label, found in meant),
            hint="a path from the table's folder, or a series' id",
        )

    def _one_of(self, text: str, what: str, found: list[Path]) -> None:
        if len(found) > 1:
            raise _Several(
                f"several files could be the {what} '{text}'",
                found=self._listed(found),
                hint="a path from the table's folder",
            )

    def _one_folder(self, text: str, what: str, folders: list[Path]) -> dict[str, Ref]:
        """Return the contents of the only folder that is not empty. Raises DataError where several are not."""
        held = {folder: self._held(folder, text) for folder in folders}
        kept: dict[frozenset[Ref], Path] = {}
        for folder, found in held.items():
            if found:
                kept.setdefault(frozenset(found.values()), folder)
        if len(kept) > 1:
            raise _Several(
                f"several folders could be the {what} '{text}'",
                found=self._listed(list(kept.values())),
                hint="a path from the table's folder",
            )
        return held[next(iter(kept.values()))] if kept else {}

    def _held(self, folder: Path, text: str) -> dict[str, Ref]:
        """Return the series in a folder, or the only series or image below it; nothing of a folder around the data."""
        if self.root.resolve().is_relative_to(folder.resolve()):
            return {}
        if folder in self.within:
            return _named(self.within[folder], text)
        if folder in self.below:
            return _named(self.below[folder], text) if len(self.below[folder]) == 1 else {}
        only = _only_image(folder)
        return {} if only is None else {"": Ref((only,))}

    def _instead(self, named: Named) -> str:
        """Return in words which files of that name exist elsewhere."""
        for tails in (self.files, self.stems, self.folders):
            if others := tails.called(named):
                return f"{self._listed(others)}, in another folder than the one named"
        for folder, why in self.lost.items():
            if folder.name.casefold() == named.parts[-1].casefold():
                return f"files in '{self._place(folder)}' that cannot be read: {why}"
        return f"nothing of that name below {self.root}"

    def _where(self, found: dict[str, Ref]) -> str:
        paths = dict.fromkeys(r.paths[0] if len(r.paths) == 1 else r.paths[0].parent for r in found.values())
        return self._listed(list(paths))

    def _listed(self, paths: list[Path]) -> str:
        return _listed([self._place(p) for p in paths[:3]], len(paths) - 3)

    def _place(self, path: Path) -> str:
        below = path.relative_to(self.root) if path.is_relative_to(self.root) else path
        return str(below.as_posix())


def _only_image(folder: Path) -> Path | None:
    """Return the one image below a folder; None where there are more, or so many files that it is no case's folder."""
    found, seen = None, 0
    for name, _, names in os.walk(folder):
        seen += len(names)
        for image in _files.images(Path(name) / n for n in names if not n.startswith(".")):
            if found is not None:
                return None
            found = image
        if seen > _MOST_FILES:
            return None
    return found


def _listed(names: Sequence[str], more: int = 0) -> str:
    return " and ".join(f"'{n}'" for n in names) + (f" … ({len(names) + more} in all)" if more > 0 else "")


def _named(units: list[Unit], text: str) -> dict[str, Ref]:
    """Return series by their names. Raises DataError where they are of several patients."""
    patients = sorted({u.patient for u in units if u.patient is not None})
    if len(patients) > 1:
        raise DataError(
            f"'{text}' holds series of several patients", found=_listed(patients[:3], len(patients) - 3)
        )
    if len(units) == 1:
        return {"": units[0].image}
    named: dict[str, Ref] = {}
    for unit in sorted(units, key=lambda unit: -len(unit.image.paths)):
        name = unit.name or unit.modality or "series"
        key, n = name, 1
        while key in named:
            n += 1
            key = f"{name} {n}"
        named[key] = unit.image
    return named
