"""Reports without images: a folder of text files, a case a file, for whatever is learned from words alone."""

from __future__ import annotations

from pathlib import Path

from vesalius.cohorts import _files
from vesalius.cohorts._build import as_split, class_labels
from vesalius.cohorts._class_folders import NOT_CLASSES
from vesalius.cohorts._index import TEXTS
from vesalius.cohorts._layout import Detection, Options
from vesalius.cohorts._reports import is_of_data
from vesalius.core.case import Case, Split, Target
from vesalius.core.cohort import Cohort, SetAside, TargetInfo
from vesalius.core.errors import FormatError
from vesalius.core.words import counted
from vesalius.texts.plain import is_prose, read_text

TARGET = "class"
_LOOKED = 20


def detect(root: Path) -> Detection | None:
    """Return text files of words, and no image among them."""
    paths = _texts(root)
    files = _files.walk(root)
    if not paths or any(_files.is_image(p, containers=True) for p in files):
        return None
    prose = sum(map(_is_report, paths[:_LOOKED]))
    if 2 * prose < len(paths[:_LOOKED]):
        return None
    return Detection(0.6, f"{counted(len(paths), 'text file')} of words, and no image")


def read(root: Path, *, options: Options) -> Cohort:
    """Return a case for each text file, which is its report.

    Folders are classes where each text lies in one of at least two, below or above those of a split. Files without
    words are set aside by name.
    """
    base = _files.unwrap(root)
    paths = _texts(root)
    bare = {p: p.with_suffix("") for p in paths}
    known = _files.case_ids(bare.values(), base)
    ids = {p: known[name] for p, name in bare.items()}
    classes, splits = _places(paths, base)
    cases: list[Case] = []
    aside: list[SetAside] = []
    for path in paths:
        try:
            text = read_text(path)
        except FormatError as error:
            aside.append(SetAside(ids[path], f"{error.what} ({error.found})"))
            continue
        if not is_prose(text):
            aside.append(
                SetAside(ids[path], "its report is empty" if not text else "its text holds no words")
            )
            continue
        targets: dict[str, Target] = {TARGET: classes[path]} if classes else {}
        cases.append(
            Case(ids[path], {}, reference=None, targets=targets, report=text, split=splits.get(path))
        )
    infos = {}
    if classes:
        labels = class_labels(classes.values())
        infos[TARGET] = TargetInfo(TARGET, "class", labels, "the folder a report lies in names its class")
    return Cohort(
        root=root,
        layout="reports",
        cases=tuple(cases),
        targets=infos,
        set_aside=tuple(aside),
        notes=("reports without images", "no file says which patient it is of"),
    )


def _texts(root: Path) -> list[Path]:
    """Return the text files that are meant, without those that speak of the data as a whole."""
    if root.is_file():
        return [root] if root.suffix.lower() in TEXTS else []
    return [p for p in _files.walk(root) if p.suffix.lower() in TEXTS and not is_of_data(p)]


def _is_report(path: Path) -> bool:
    try:
        return is_prose(read_text(path))
    except FormatError:
        return False


def _places(paths: list[Path], base: Path) -> tuple[dict[Path, str], dict[Path, Split]]:
    """Return each text's class and split, as its folders say them; no classes where some text lies in none."""
    folders = {p: p.relative_to(base).parts[:-1] if p.is_relative_to(base) else () for p in paths}
    splits = {p: s for p, names in folders.items() for n in names if (s := as_split(n)) is not None}
    rest = {p: [n for n in names if as_split(n) is None] for p, names in folders.items()}
    names = {own[0] for own in rest.values() if len(own) == 1}
    many = all(len(own) == 1 for own in rest.values()) and len(names) > 1 and 2 * len(names) <= len(paths)
    if not many or any(n.casefold() in NOT_CLASSES for n in names):
        return {}, splits
    return {p: own[0] for p, own in rest.items()}, splits
