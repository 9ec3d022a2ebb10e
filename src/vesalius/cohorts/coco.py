"""COCO: JSON files that list pictures, categories and the boxes of their things, one file for each split."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from vesalius.cohorts import _coco_json, _files
from vesalius.cohorts._box_numbers import number
from vesalius.cohorts._box_pages import Drawn, Page
from vesalius.cohorts._box_settle import settle, with_boxes
from vesalius.cohorts._box_ways import ROLE, Way, only_words
from vesalius.cohorts._build import as_split, some
from vesalius.cohorts._coco_json import Document, Picture
from vesalius.cohorts._layout import Detection, Options
from vesalius.cohorts._outlined import with_outlines
from vesalius.cohorts._pictures import Pictures
from vesalius.cohorts.targets import contract as kinds
from vesalius.cohorts.targets.contract import Outlined
from vesalius.core.case import Case, Ref, Split
from vesalius.core.cohort import Cohort, Question, SetAside
from vesalius.core.errors import DataError
from vesalius.core.words import counted

TARGET = "boxes"
WAY = Way(form="size", relative=False, first=0, inclusive=False)
_FOLDERS = ("annotations", "annotation", "labels")  # where files of annotations lie beside the pictures
_PATIENT = re.compile(r"(patient|subject)[ _.-]?(id|name|nr|number)?", re.I)
_MAIN = "instances"  # how the files of boxes are called where others of the same pictures lie beside them


def detect(root: Path) -> Detection | None:
    """Return JSON files of pictures and annotations."""
    found = [p for p in _candidates(root) if _coco_json.looks_like(p)]
    if not found:
        return None
    return Detection(
        0.975, f"{counted(len(found), 'JSON file')} of annotations (COCO): {some(p.name for p in found)}"
    )


def read(root: Path, *, options: Options) -> Cohort:
    """Read one case per picture that a file lists, with its boxes; one without an annotation has none.

    Files called train, val and test, or in folders of these names, are the split. Pictures of a file without any list
    of annotations are not labelled. Annotations with `iscrowd` are crowds.
    """
    told = only_words(options.columns.get(ROLE, ""))
    outlined = kinds.of_outlines(options.target)
    chosen = _chosen([p for p in _candidates(root) if _coco_json.looks_like(p)], root)
    pictures = Pictures.below(_top(root))
    documents = {_coco_json.load(p, outlines=outlined is not None): split for p, split in chosen.items()}
    taken, aside = _taken(documents, pictures)
    ids = _files.case_ids(taken, _top(root))
    good = {path: one for path, one in taken.items() if one.leaks is None}
    aside += [SetAside(ids[path], one.leaks, fatal=True) for path, one in taken.items() if one.leaks]
    cases = [
        Case(id=ids[path], images={"image": one.page.image}, patient=one.patient, split=one.split)
        for path, one in good.items()
    ]
    if not cases and aside:
        raise DataError(
            "no picture that the annotations list is there",
            found=f"'{aside[0].case}': {aside[0].reason}",
            hint="the folder that holds both the pictures and the annotations",
        )
    pages = [replace(p.page, case=ids[path]) for path, p in good.items() if p.annotated or p.page.fault]
    settled = settle(pages, WAY, told, target=TARGET)
    notes, doubts = _said(documents, pictures, taken)
    cohort = Cohort(
        root=root,
        layout="coco",
        cases=tuple(cases),
        set_aside=tuple(aside),
        notes=tuple(notes),
        doubts=tuple(doubts),
    )
    labels = list(dict.fromkeys(name for d in documents for name in d.categories.values()))
    reason = f"annotations in {some([d.path.name for d in documents])} in COCO's format"
    cohort = with_boxes(cohort, settled, target=TARGET, labels=labels, reason=reason)
    held = {ids[path]: one.outlines for path, one in good.items() if one.annotated}
    return cohort if outlined is None else with_outlines(cohort, outlined, held, reason=reason)


@dataclass(frozen=True, slots=True)
class _Taken:
    """What the files say of one picture; `leaks` says that it stands in several splits."""

    path: Path
    page: Page
    split: Split | None
    patient: str | None
    annotated: bool
    outlines: tuple[Outlined, ...] = ()
    leaks: str | None = None


def _candidates(root: Path) -> list[Path]:
    """Return JSON files at a path, or in a folder, in one of annotations below it, or in the folder of a split."""
    if root.is_file():
        return [root] if root.suffix.lower() == ".json" else []
    base = _files.unwrap(root)
    folders = [
        base,
        *(f for f in _files.subfolders(base) if f.name.casefold() in _FOLDERS or as_split(f.name)),
    ]
    return [p for f in folders for p in sorted(f.iterdir()) if p.suffix.lower() == ".json" and p.is_file()]


def _top(root: Path) -> Path:
    """Return the folder below which the pictures of a file or a folder of annotations lie."""
    if root.is_dir():
        return _files.unwrap(root)
    return root.parent.parent if root.parent.name.casefold() in _FOLDERS else root.parent


def _chosen(found: Sequence[Path], root: Path) -> dict[Path, Split | None]:
    """Return the files to read, each with its split. Raises DataError where it is not clear which are meant."""
    if not found:
        raise DataError(
            f"no JSON of annotations in {root}", hint="a file with images, annotations and categories"
        )
    if len(found) == 1:
        return {found[0]: None if root.is_file() else _split_of(found[0])}
    main = [p for p in found if _MAIN in p.stem.casefold()]
    files = main if main and len(main) < len(found) else list(found)
    splits = {p: _split_of(p) for p in files}
    if len(set(splits.values())) < len(files) or None in splits.values():
        raise DataError(
            f"several files of annotations in {root} could be meant",
            found=some([p.relative_to(_top(root)).as_posix() for p in files]),
            hint="the path of one of them, or names that end in train, val and test",
        )
    return dict(splits)


def _split_of(path: Path) -> Split | None:
    """Return the split that a file is of, by a word of its name or by its folder's."""
    words = [w for w in re.split(r"[^A-Za-z]+", path.stem) if w]
    found = [s for w in (*reversed(words), path.parent.name) if (s := as_split(w)) is not None]
    return found[0] if found else None


def _said(
    documents: Iterable[Document], pictures: Pictures, taken: Mapping[Path, _Taken]
) -> tuple[list[str], list[Question]]:
    """Return what is to be said of files, and of what in them leads nowhere."""
    notes, doubts = list[str](), list[Question]()
    for document in documents:
        notes += document.notes
        if document.strangers:
            many = counted(document.strangers, "annotation is", "annotations are")
            what = f"{TARGET}: {many} of pictures that {document.path.name} does not list, and left out"
            found = f"beside {counted(len(document.pictures), 'picture')} that it lists"
            doubts.append(Question(TARGET, what, found, "look for these pictures"))
        if not document.annotated:
            notes.append(
                f"{document.path.name} has no list of annotations: its pictures are kept for prediction"
            )
    without = len(set(pictures.paths) - set(taken))
    if without:
        notes.append(
            f"{counted(without, 'picture is', 'pictures are')} in no file of annotations, and not used"
        )
    held = {
        d.categories[_coco_json.as_key(r.get("category_id"))]
        for d in documents
        for rows in d.annotations.values()
        for r in rows
    }
    idle = dict.fromkeys(n for d in documents for n in d.categories.values() if n not in held)
    if idle:
        notes.append(f"{TARGET}: categories of which there is no box: {some(idle)}")
    return notes, doubts


def _taken(
    documents: Mapping[Document, Split | None], pictures: Pictures
) -> tuple[dict[Path, _Taken], list[SetAside]]:
    """Return what the files say of each picture that is there, and the pictures that are not."""
    taken: dict[Path, _Taken] = {}
    aside: list[SetAside] = []
    for document, split in documents.items():
        for picture in document.pictures.values():
            try:
                one = _read(document, picture, split, pictures)
            except DataError as error:
                aside.append(SetAside(picture.name, str(error)))
                continue
            before = taken.get(one.path)
            taken[one.path] = one if before is None else _both(before, one)
    return taken, aside


def _read(document: Document, picture: Picture, split: Split | None, pictures: Pictures) -> _Taken:
    """Return what a file says of one picture. Raises DataError where it is not there or could be one of several."""
    path = pictures.find(picture.name, near=document.path.parent, word=_split_of(document.path))
    if path is None:
        raise DataError(f"listed in {document.path.name}, but not there")
    fault, boxes = None, tuple[Drawn, ...]()
    if picture.key in document.twice:
        fault = f"several pictures of {document.path.name} have the id {picture.key}"
    else:
        try:
            boxes = tuple(_boxes(document, document.annotations.get(picture.key, ())))
        except DataError as error:
            fault = f"{document.path.name}: {error}"
    page = Page(
        picture.name, Ref((path,)), boxes, f"{document.path.name}, {picture.name}", picture.said, fault
    )
    rows = document.annotations.get(picture.key, ()) if fault is None else ()
    outlines = tuple(_coco_json.outlined(document, row) for row in rows if row.get("segmentation"))
    patient = next(
        (str(v) for k, v in picture.more.items() if _PATIENT.fullmatch(k) and v not in (None, "")), None
    )
    return _Taken(path, page, split, patient, document.annotated, outlines)


def _boxes(document: Document, rows: Sequence[Mapping[str, Any]]) -> Iterator[Drawn]:
    """Return the boxes of annotations. Raises DataError for one without a box."""
    for row in rows:
        where = f"annotation {_coco_json.as_key(row.get('id'))}"
        given = row.get("bbox")
        corners = _around(row.get("segmentation")) if given is None else given
        if not isinstance(corners, list) or len(corners) != 4:
            found = "no bbox" if given is None else f"bbox {str(given)[:60]}"
            raise DataError(f"{where} has no box of four numbers", found=found)
        numbers = tuple(number(v, what=where) for v in corners)
        label = document.categories[_coco_json.as_key(row.get("category_id"))]
        yield Drawn(label, numbers, crowd=_coco_json.is_crowd(row), where=where)


def _around(outline: Any) -> list[float] | None:
    """Return the box `x, y, w, h` around polygons, where an annotation has no box; None for what are no polygons."""
    if (
        not isinstance(outline, list)
        or not outline
        or not all(isinstance(p, list) and len(p) >= 6 for p in outline)
    ):
        return None
    xs = [number(v) for polygon in outline for v in polygon[0::2]]
    ys = [number(v) for polygon in outline for v in polygon[1::2]]
    return [min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys)]


def _both(one: _Taken, other: _Taken) -> _Taken:
    """Return what two entries of one picture say together."""
    if one.split != other.split:
        return replace(one, leaks=f"it stands in the files of {one.split} and of {other.split}")
    boxes = tuple(dict.fromkeys((*one.page.boxes, *other.page.boxes)))
    fault = one.page.fault or other.page.fault
    return replace(
        one,
        page=replace(one.page, boxes=boxes, fault=fault),
        annotated=one.annotated or other.annotated,
        outlines=tuple(dict.fromkeys((*one.outlines, *other.outlines))),
    )
