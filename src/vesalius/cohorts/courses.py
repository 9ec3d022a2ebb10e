"""Files of time courses without a table that names them: in class folders, in one folder, or a single file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from vesalius.cohorts import _files
from vesalius.cohorts._build import class_labels, some
from vesalius.cohorts._class_folders import NOT_CLASSES, class_folders, of_patients
from vesalius.cohorts._courses import with_courses_read
from vesalius.cohorts._layout import Detection, Options
from vesalius.core import course_io
from vesalius.core.case import Case, Ref, Split, Target
from vesalius.core.cohort import Cohort, TargetInfo
from vesalius.core.errors import DataError
from vesalius.core.words import counted

TARGET, NAME = "class", "course"
_LOOKED = 12  # files that are read to see whether they are time courses


def detect(root: Path) -> Detection | None:
    """Return tables of numbers with a column of times, where there are no images; class folders of them are surer."""
    if root.is_file():
        timed = root.suffix.lower() in course_io.TABLES and _is_timed(root)
        return Detection(0.62, "a table of numbers whose times rise, in a unit") if timed else None
    base = _files.unwrap(root)
    if any(_files.is_image(p, containers=True) for p in _files.walk(base)):
        return None
    folders, _ = class_folders(base)
    found = {f.name: _tables(f.folder) for f in folders}
    filled = {name: paths for name, paths in found.items() if paths}
    every = [p for paths in filled.values() for p in paths]
    if (
        len(filled) > 1
        and not _files.find_tables(base)
        and not any(n.casefold() in NOT_CLASSES for n in filled)
    ):
        if all(map(_is_course, every[:: max(1, len(every) // _LOOKED)])):
            text = f"{len(filled)} folders ({some(sorted(filled, key=_files.natural))}) of tables of numbers"
            return Detection(0.8, f"{text}, time courses")
        return None
    here = _tables(base)
    if len(here) > 1 and all(map(_is_timed, here[:: max(1, len(here) // _LOOKED)])):
        return Detection(0.3, f"{counted(len(here), 'table')} of numbers whose times rise, without targets")
    return None


def read(root: Path, *, options: Options) -> Cohort:
    """Read one case a file, tables and arrays of npy; its folder is its class, or its patient where it is called so.

    Raises DataError where there is no such file.
    """
    base = _files.unwrap(root) if root.is_dir() else root.parent
    folders, _ = class_folders(base) if root.is_dir() else ([], [])
    rows: list[tuple[Path, str | None, Split | None]] = []
    for folder in folders:
        rows += [(path, folder.name, folder.split) for path in _tables(folder.folder, arrays=True)]
    named = bool(rows)
    if not named:
        files = (root,) if root.is_file() else tuple(_tables(base, arrays=True))
        rows = [(path, None, None) for path in files if course_io.is_course(path)]
    if not rows:
        raise DataError(
            f"no time courses in {root}", hint=f"files of {' '.join(course_io.SUFFIXES)}, or another --layout"
        )
    ids = _ids([path for path, _, _ in rows], base)
    patients = named and of_patients({name for _, name, _ in rows if name is not None})
    cases = [_case(ids[path], path, name, split, patients) for path, name, split in rows]
    notes = ["time courses without an image, a case a file"]
    infos: dict[str, TargetInfo] = {}
    if patients:
        notes.append("the folder that a time course lies in names its patient")
    elif named:
        labels = class_labels(name for _, name, _ in rows if name is not None)
        infos[TARGET] = TargetInfo(
            TARGET, "class", labels, "the folder that a time course lies in names its class"
        )
    cohort = Cohort(root=root, layout="courses", cases=tuple(cases), targets=infos, notes=tuple(notes))
    return with_courses_read(cohort, options)


def _case(name: str, path: Path, folder: str | None, split: Split | None, patients: bool) -> Case:
    targets: dict[str, Target] = {TARGET: folder} if folder is not None and not patients else {}
    case = Case(id=name, images={}, reference=None, targets=targets, split=split)
    return replace(case, courses={NAME: Ref((path,))}, patient=folder if patients else None)


def _tables(folder: Path, *, arrays: bool = False) -> list[Path]:
    suffixes = course_io.SUFFIXES if arrays else course_io.TABLES
    return [p for p in _files.walk(folder) if p.name.lower().endswith(suffixes)] if folder.is_dir() else []


def _ids(paths: list[Path], base: Path) -> dict[Path, str]:
    """Return a short unique name for each file: its stem, or its place below the base where stems repeat."""
    counts: dict[str, int] = {}
    for path in paths:
        counts[path.stem] = counts.get(path.stem, 0) + 1
    short = {
        p: p.stem if counts[p.stem] == 1 else "_".join(p.relative_to(base).with_suffix("").parts)
        for p in paths
    }
    twice = len(set(short.values())) < len(paths)
    return {p: f"{n}_{p.suffix[1:]}" for p, n in short.items()} if twice else short


def _is_course(path: Path) -> bool:
    try:
        course_io.read(Ref((path,)))
    except DataError:
        return False
    return True


def _is_timed(path: Path) -> bool:
    """Return whether a table is a time course whose times rise in a unit that their column says."""
    try:
        found = course_io.read(Ref((path,)))
    except DataError:
        return False
    course = found.course
    named = any("times are in '" in text and "taken as" not in text for text in found.said)
    return named and course.timed and course.times[0] < course.times[-1] and not course.parents
