"""YOLO: a text file of boxes for each picture, relative to its size, and the names of the classes in data.yaml."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from vesalius import formats
from vesalius.cohorts import _files, _yolo_names
from vesalius.cohorts._box_numbers import number
from vesalius.cohorts._box_pages import Drawn, Page
from vesalius.cohorts._box_settle import settle, together, unlisted, with_boxes
from vesalius.cohorts._box_ways import ROLE, Way, only_words
from vesalius.cohorts._build import some
from vesalius.cohorts._layout import Detection, Options
from vesalius.core.case import Case, Ref
from vesalius.core.cohort import Cohort, Question, SetAside
from vesalius.core.errors import DataError
from vesalius.core.words import counted

TARGET = "boxes"
WAY = Way(form="centre", relative=True)
_LOOKED = 12  # files that are looked into before a folder is called YOLO
_PICTURES, _LABELS = "images", "labels"


def detect(root: Path) -> Detection | None:
    """Return text files of numbers that are called as pictures are, beside these or in `labels` for `images`."""
    if not root.is_dir():
        return None
    base = _files.unwrap(root)
    files = _files.walk(base)
    pairs = _pairs(files, base)
    looked = [label for _, label in pairs if label is not None][: 4 * _LOOKED]
    seen = [_begins(path) for path in looked]
    if not any(seen) or seen.count(False):
        return None
    many = sum(label is not None for _, label in pairs)
    return Detection(0.96, f"{counted(many, 'text file')} of relative boxes (YOLO)")


def read(root: Path, *, options: Options) -> Cohort:
    """Read one case per picture, with the boxes of the text file of its name.

    An empty file says that there is nothing in its picture. A picture without a file has no boxes either, as YOLO has
    it, unless some files are empty: then it was not labelled. The split is that of data.yaml or of the folders.
    """
    told = only_words(options.columns.get(ROLE, ""))
    base = _files.unwrap(root)
    files = _files.walk(base)
    named = _yolo_names.names_of(files, base)
    pairs = _pairs(files, base)
    splits, twice = _yolo_names.splits_of([p for p, _ in pairs], named, base)
    ids = _files.case_ids([p for p, _ in pairs], base)
    seen = _Seen()
    pages, bare = [], []
    for path, label in pairs:
        if label is None:
            bare.append(ids[path])
        elif path not in twice:
            pages.append(_page(ids[path], path, label, named, seen))
    _assert_classes(seen, named)
    cases = [
        Case(id=ids[p], images={"image": Ref((p,))}, split=splits.get(p)) for p, _ in pairs if p not in twice
    ]
    settled = settle(pages, WAY, told, target=TARGET)
    empty = any(not page.boxes and page.fault is None for page in pages)
    rest = unlisted(bare, told, target=TARGET, empty=empty, what="no text file", usual=True)
    settled = together(settled, rest)
    orphans = _orphans(files, {label for _, label in pairs}, base)
    cohort = Cohort(
        root=root,
        layout="yolo",
        cases=tuple(cases),
        set_aside=(*orphans, *(SetAside(ids[p], why, fatal=True) for p, why in twice.items())),
        notes=tuple(_notes(seen, named)),
        doubts=_doubts(seen),
    )
    labels = [named.names[k] for k in sorted(named.names)]
    return with_boxes(cohort, settled, target=TARGET, labels=labels, reason="text files in YOLO's format")


@dataclass(eq=False)
class _Seen:
    """What the lines of all files have: which classes, and which hold an outline instead of a box."""

    classes: dict[int, str]
    outlines: dict[str, int]

    def __init__(self) -> None:
        self.classes, self.outlines = {}, {}


def _pairs(files: Sequence[Path], base: Path) -> list[tuple[Path, Path | None]]:
    """Return every picture with its text file: of its name in `labels` where it lies in `images`, or beside it."""
    texts = {p for p in files if p.suffix.lower() == ".txt" and not _yolo_names.is_other(p)}
    found = []
    for path in _files.images(files):
        ways = [_in_labels(path, base), path.parent / _LABELS / path.name, path]
        labels = [w.with_name(f"{formats.stem(w)}.txt") for w in ways if w is not None]
        found.append((path, next((p for p in labels if p in texts), None)))
    inside = [(p, label) for p, label in found if label is not None]
    folders = {p.parent for p, _ in inside}
    return [(p, label) for p, label in found if label is not None or p.parent in folders]


def _in_labels(path: Path, base: Path) -> Path | None:
    """Return a picture's path with the last folder `images` called `labels`."""
    parts = list(path.relative_to(base).parts)
    for k in reversed(range(len(parts) - 1)):
        if parts[k].casefold() == _PICTURES:
            parts[k] = _LABELS
            return base.joinpath(*parts)
    return None


def _begins(path: Path) -> bool | None:
    """Return whether a file's first line is a class and four numbers or more; None for an empty file."""
    try:
        text = path.read_bytes()[:4096].decode("utf-8-sig")
    except (OSError, UnicodeDecodeError):
        return False
    words = next((line.split() for line in text.splitlines() if line.strip()), None)
    if words is None:
        return None
    try:
        return (
            len(words) >= 5 and float(words[0]).is_integer() and all(float(w) == float(w) for w in words[1:5])
        )
    except ValueError:
        return False


def _page(case: str, path: Path, label: Path, named: _yolo_names.Named, seen: _Seen) -> Page:
    """Return what a text file says."""
    page = Page(case, Ref((path,)), file=label.name)
    try:
        lines = label.read_bytes().decode("utf-8-sig").splitlines()
        boxes = [
            _box(line.split(), k, label, named, seen) for k, line in enumerate(lines, start=1) if line.strip()
        ]
    except (OSError, UnicodeDecodeError) as error:
        return replace(page, fault=f"{label.name} cannot be read: {error}")
    except DataError as error:
        return replace(page, fault=f"{label.name}: {error}")
    return replace(page, boxes=tuple(boxes))


def _box(words: Sequence[str], k: int, label: Path, named: _yolo_names.Named, seen: _Seen) -> Drawn:
    """Return the box in a line: a class, the middle and the size; or a class and the points of an outline."""
    where = f"line {k}"
    numbers = [number(w, what=where) for w in words]
    if not numbers[0].is_integer():
        raise DataError(f"{where} does not begin with the number of a class", found=words[0])
    place = int(numbers[0])
    seen.classes.setdefault(place, f"{label.name}, {where}")
    name = named.names.get(place, str(place))
    if len(numbers) == 5:
        return Drawn(name, tuple(numbers[1:]), where=where)
    if len(numbers) == 6:
        raise DataError(
            f"{where} has six numbers: a prediction with its score, and no truth", hint="five numbers"
        )
    if len(numbers) < 5 or len(numbers) % 2 == 0:
        raise DataError(
            f"{where} has {counted(len(numbers), 'number')}, and a box five", found=" ".join(words)[:60]
        )
    seen.outlines[label.name] = seen.outlines.get(label.name, 0) + 1
    xs, ys = numbers[1::2], numbers[2::2]
    middle = ((min(xs) + max(xs)) / 2, (min(ys) + max(ys)) / 2)
    return Drawn(name, (*middle, max(xs) - min(xs), max(ys) - min(ys)), where=where)


def _assert_classes(seen: _Seen, named: _yolo_names.Named) -> None:
    """Raise DataError where a line has a class that the names do not."""
    strange = sorted(k for k in seen.classes if named.names and k not in named.names)
    if not strange:
        return
    last = max(named.names)
    shifted = strange == [last + 1] and 0 not in seen.classes
    raise DataError(
        f"{seen.classes[strange[0]]} has class {strange[0]}, and {named.source} names {min(named.names)} to {last}",
        found="classes counted from 1, as none is 0" if shifted else f"{len(strange)} such",
        hint="a name for each class, counted from 0"
        if not shifted
        else "a first name for class 0, which nothing has",
    )


def _notes(seen: _Seen, named: _yolo_names.Named) -> list[str]:
    notes = list(named.notes)
    if not named.names and seen.classes:
        notes.append("no data.yaml or classes.txt names the classes: they are called by their numbers")
    idle = [name for k, name in named.names.items() if k not in seen.classes]
    if idle and seen.classes:
        notes.append(f"{TARGET}: classes of which there is no box: {some(idle)}")
    return notes


def _doubts(seen: _Seen) -> tuple[Question, ...]:
    if not seen.outlines:
        return ()
    many = sum(seen.outlines.values())
    lines = counted(many, "line holds an outline", "lines hold outlines")
    what = f"{TARGET}: {lines}, of which the boxes around are taken"
    return (Question(TARGET, what, some(seen.outlines), "nothing, if boxes are wanted"),)


def _orphans(files: Sequence[Path], used: set[Path | None], base: Path) -> tuple[SetAside, ...]:
    """Return text files of boxes without a picture."""
    lost = [
        p
        for p in files
        if p.suffix.lower() == ".txt" and p not in used and not _yolo_names.is_other(p) and _begins(p)
    ]
    return tuple(
        SetAside(p.relative_to(base).as_posix(), "a text file of boxes without a picture") for p in lost
    )
