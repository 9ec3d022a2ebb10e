"""Pascal VOC: an XML file of boxes for each picture, and lists of pictures that are the split."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from xml.etree.ElementTree import Element

from vesalius import formats
from vesalius.cohorts import _files, _xml
from vesalius.cohorts._box_numbers import number
from vesalius.cohorts._box_pages import Drawn, Page
from vesalius.cohorts._box_settle import settle, together, unlisted, with_boxes
from vesalius.cohorts._box_ways import ROLE, Way, only_words
from vesalius.cohorts._build import as_split, some
from vesalius.cohorts._layout import Detection, Options
from vesalius.cohorts._pictures import Pictures
from vesalius.core.case import Case, Ref, Split
from vesalius.core.cohort import Cohort, SetAside
from vesalius.core.errors import DataError, FormatError
from vesalius.core.words import counted

TARGET = "boxes"
WAY = Way(form="corners", relative=False, first=1, inclusive=True)  # as its development kit writes them
_LOOKED = 8  # files that are looked into before a folder is called VOC
_MASKS = {
    "segmentationclass",
    "segmentationobject",
    "masks",
    "mask",
    "annotations",
    "trimaps",
}  # of the same names
_SHAPES = (
    "robndbox",
    "polygon",
    "quad",
    "quadrilateral",
    "ellipse",
)  # what other tools write instead of a box


def detect(root: Path) -> Detection | None:
    """Return XML files that begin with an annotation, and pictures."""
    if not root.is_dir():
        return None
    files = _files.walk(root)
    found = [p for p in files if p.suffix.lower() == ".xml"]
    looked = [p for p in found[:_LOOKED] if _is_annotation(p)]
    if not looked or 2 * len(looked) < len(found[:_LOOKED]) or not any(map(_files.is_image, files)):
        return None
    lists = _lists(files)
    also = f", and lists of pictures for {some(sorted(lists))}" if lists else ""
    return Detection(0.97, f"{counted(len(found), 'XML file')} of boxes (Pascal VOC){also}")


def read(root: Path, *, options: Options) -> Cohort:
    """Read one case per picture, with the boxes of its XML file.

    A picture without a file is not labelled; a file without an object says that there is nothing in its picture.
    Objects that are called difficult are crowds. The lists ImageSets/Main/train.txt, val.txt and test.txt are the
    split, and so are folders of these names.
    """
    told = only_words(options.columns.get(ROLE, ""))
    files = _files.walk(root)
    pictures = Pictures.below(root, _without_masks(files, root))
    ids = _files.case_ids(pictures.paths, root)
    annotations, aside, notes = _annotations(files, pictures, ids)
    taken = {one.image: one for one in annotations}
    splits, more = _splits(files, root, pictures, notes)
    aside += [SetAside(ids[path], why, fatal=True) for path, why in more.items()]
    pages = [replace(one.page, case=ids[one.image]) for one in annotations if one.image not in more]
    cases = [
        Case(id=ids[path], images={"image": Ref((path,))}, split=splits.get(path))
        for path in pictures.paths
        if path not in more
    ]
    settled = settle(pages, WAY, told, target=TARGET)
    bare = [ids[p] for p in pictures.paths if p not in taken and p not in more]
    empty = any(not page.boxes for page in pages)
    settled = together(
        settled, unlisted(bare, told, target=TARGET, empty=empty, what="no XML file", usual=False)
    )
    cohort = Cohort(
        root=root,
        layout="voc",
        cases=tuple(cases),
        set_aside=tuple(aside),
        notes=tuple(notes),
    )
    names = sorted(settled.names(), key=_files.natural)
    return with_boxes(cohort, settled, target=TARGET, labels=names, reason="XML files in Pascal VOC's format")


def _without_masks(files: Sequence[Path], root: Path) -> list[Path]:
    """Return the files that are no masks beside the pictures, by the folders that they lie in."""
    kept = [p for p in files if not _MASKS & {part.casefold() for part in p.relative_to(root).parts[:-1]}]
    return kept if any(map(_files.is_image, kept)) else list(files)


@dataclass(frozen=True, slots=True)
class _Annotation:
    image: Path
    page: Page


def _is_annotation(path: Path) -> bool:
    """Return whether an XML file begins as one of boxes does."""
    try:
        with path.open("rb") as file:
            head = file.read(4096)
    except OSError:
        return False
    return b"<annotation" in head.replace(b"\0", b"")


def _annotations(
    files: Sequence[Path], pictures: Pictures, ids: dict[Path, str]
) -> tuple[list[_Annotation], list[SetAside], list[str]]:
    """Return what every XML file says, with the picture that it is of."""
    found: dict[Path, _Annotation] = {}
    aside: list[SetAside] = []
    notes: list[str] = []
    others: list[str] = []  # whose <filename> is another name
    xmls = [p for p in files if p.suffix.lower() == ".xml" and _is_annotation(p)]
    stems = {p.stem for p in xmls}
    for path in xmls:
        try:
            root, fault = _xml.load(path), None
        except FormatError as error:
            root, fault = None, str(error)
        named = "" if root is None else (root.findtext("filename") or "").strip()
        try:
            image, why = _picture(path, named, pictures, stems)
        except DataError as error:
            image, why = None, str(error)
        if image is None:
            aside.append(SetAside(path.stem, why or fault or "an annotation without a picture"))
            continue
        if why is not None:
            fault = fault or why
        elif named and formats.stem(named.replace("\\", "/").rsplit("/", 1)[-1]) != formats.stem(image):
            others.append(path.name)
        page = Page(ids[image], Ref((image,)), file=path.name, fault=fault)
        if root is not None and fault is None:
            page = _page(root, page)
        if image in found:
            page = replace(page, fault=f"two files are of it: {found[image].page.file} and {path.name}")
        found[image] = _Annotation(image, page)
    if others:
        many = counted(len(others), "file gives its picture", "files give their pictures")
        notes.append(f"{many} another name than its own; its own counts: {some(others)}")
    return list(found.values()), aside, notes


def _picture(path: Path, named: str, pictures: Pictures, stems: set[str]) -> tuple[Path | None, str | None]:
    """Return the picture that an XML file is of, by its own name or by the one that it gives; and what is wrong."""
    own = pictures.find(path.stem, near=path.parent, word=_word(path))
    given = pictures.find(named, near=path.parent, word=_word(path)) if named else None
    if own is not None and given is not None and given != own and formats.stem(given) not in stems:
        return (
            own,
            f"{path.name} says that it is of '{named}', which is there and has no XML file: rename one of them",
        )
    if own is not None:
        return own, None
    if given is not None and formats.stem(given) not in stems:
        return given, None
    return None, f"an annotation without a picture ({named or path.stem})"


def _word(path: Path) -> str | None:
    """Return the folder that tells the parts of a data set apart, such as `train`, where an XML file lies in one."""
    return next((p.casefold() for p in reversed(path.parts[:-1]) if as_split(p)), None)


def _page(root: Element, page: Page) -> Page:
    """Return a page with what its XML says."""
    said = _said(root)
    try:
        boxes = tuple(_boxes(root))
    except DataError as error:
        return replace(page, fault=f"{page.file}: {error}")
    return replace(page, boxes=boxes, said=said)


def _said(root: Element) -> tuple[float, float] | None:
    """Return the width and height that a file gives its picture; None where it gives none."""
    width, height = (root.findtext(f"size/{name}") for name in ("width", "height"))
    if width is None or height is None:
        return None
    try:
        return number(width), number(height)
    except DataError:
        return None


def _boxes(root: Element) -> Iterator[Drawn]:
    """Return the boxes of a file's objects; parts of an object are left. Raises DataError for what is no box."""
    for k, thing in enumerate(root.findall("object"), start=1):
        where = f"object {k}"
        name, box = (thing.findtext("name") or "").strip(), thing.find("bndbox")
        if box is None:
            other = next((s for s in _SHAPES if thing.find(s) is not None), None)
            raise DataError(
                f"{where} has no <bndbox>", found=f"<{other}>" if other else None, hint="boxes alone"
            )
        if not name:
            raise DataError(f"{where} has no name")
        cells = [box.findtext(side) for side in ("xmin", "ymin", "xmax", "ymax")]
        if None in cells:
            raise DataError(f"{where} needs xmin, ymin, xmax and ymax", found=some([c.tag for c in box]))
        numbers = tuple(number(cell, what=where) for cell in cells if cell is not None)
        difficult = (thing.findtext("difficult") or "0").strip().casefold() in ("1", "1.0", "true", "yes")
        yield Drawn(" ".join(name.split()), numbers, crowd=difficult, where=where)


def _lists(files: Sequence[Path]) -> dict[str, list[Path]]:
    """Return the lists of pictures by the split that each is."""
    found: dict[str, list[Path]] = {}
    for path in files:
        folders = [p.casefold() for p in path.parts[-3:-1]]
        if (
            folders == ["imagesets", "main"]
            and path.suffix.lower() == ".txt"
            and path.stem.casefold() in _SETS
        ):
            found.setdefault(_SETS[path.stem.casefold()], []).append(path)
    if "trainval" in found and ("train" in found or "val" in found):
        del found["trainval"]  # both together
    return found


_SETS = {"train": "train", "val": "val", "valid": "val", "test": "test", "trainval": "trainval"}


def _splits(
    files: Sequence[Path], root: Path, pictures: Pictures, notes: list[str]
) -> tuple[dict[Path, Split], dict[Path, str]]:
    """Return the split of each picture, from lists or from folders, and why some pictures are in several."""
    lists = _lists(files)
    if not lists:
        return _by_folder(root, pictures), {}
    found: dict[Path, Split] = {}
    twice: dict[Path, str] = {}
    missing: list[str] = []
    for name, paths in sorted(lists.items(), key=lambda item: list(_SETS).index(item[0])):
        split = as_split("train" if name == "trainval" else name)
        for path in paths:
            for line in path.read_text(encoding="utf-8-sig", errors="replace").splitlines():
                image = _listed(line.strip(), path.parents[2], pictures)
                if image is None:
                    missing += [line.strip()] if line.strip() else []
                elif split is not None and found.setdefault(image, split) != split:
                    twice[image] = f"it stands in the lists of {found[image]} and of {split}"
    counts = Counter(found.values())
    notes.append(
        f"split by the lists in ImageSets/Main: {some([f'{split} {n}' for split, n in counts.items()])}"
    )
    if missing:
        notes.append(f"listed in ImageSets/Main, and not there: {some(missing)}")
    return found, twice


def _listed(line: str, base: Path, pictures: Pictures) -> Path | None:
    """Return the picture in a line of a list, which may end in a number that says whether a class is in it."""
    if not line:
        return None
    image = pictures.find(line, near=base)
    name, _, last = line.rpartition(" ")
    return pictures.find(name.strip(), near=base) if image is None and last in ("1", "-1", "0") else image


def _by_folder(root: Path, pictures: Pictures) -> dict[Path, Split]:
    """Return the split of each picture, where folders are called so."""
    found: dict[Path, Split] = {}
    for path in pictures.paths:
        for part in path.relative_to(root).parts[:-1]:
            if (split := as_split(part)) is not None:
                found.setdefault(path, split)
    return found if len(set(found.values())) > 1 else {}
