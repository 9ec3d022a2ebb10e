"""Which DICOM files make one image: series by their UIDs, cut into stacks by geometry; the others with the reason.

The one place where files are grouped, for single files, folders and cohorts alike.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vesalius.core import archive
from vesalius.core.case import Ref
from vesalius.core.errors import FormatError
from vesalius.dicom import elements
from vesalius.dicom import parser as raw
from vesalius.dicom.kinds import code_of, is_slide, require_image
from vesalius.dicom.series import alike, nuclear
from vesalius.dicom.series import split as splitting
from vesalius.dicom.series.copies import assert_same, twins
from vesalius.dicom.series.missing import Piece, assert_whole, unplaced
from vesalius.dicom.series.mosaic import assert_placed, is_mosaic

_SERIES_UID = (
    re.compile(  # (0020,000E) right after (0020,000D), as an object's own are and those of others are not
        rb"\x20\0\x0d\0.{4}[0-9. \0]{0,64}\x20\0\x0e\0.{4}([0-9.]{3,64})"
        rb"|\0\x20\0\x0d.{4}[0-9. \0]{0,64}\0\x20\0\x0e.{4}([0-9.]{3,64})",
        re.DOTALL,
    )
)
_SPEAKING = ("SEG", "RTSTRUCT", "SR", "KO")  # whose references are looked for


@dataclass(frozen=True)
class Series:
    """Files (or frames of one file) that are read as one image, and what names them.

    `part` says which of its series' stacks it is (`echo time 2.5`); it is '' where there is one.
    """

    ref: Ref
    series_uid: str
    study_uid: str | None
    patient_id: str | None
    modality: str | None
    description: str | None
    number: int | None
    part: str = ""
    sop_uids: tuple[str, ...] = ()


@dataclass(frozen=True)
class Document:
    """A file that is no image, as far as its header says: a segmentation, a structure set, a report …"""

    path: Path
    code: str
    study_uid: str | None
    patient_id: str | None
    description: str | None
    of_series: frozenset[str]  # the series, and the instances, that it speaks of
    of_sops: frozenset[str]


@dataclass(frozen=True)
class Found:
    """What lies among files: images, other objects, what nobody needs (localisers, copies) and what cannot be read.

    `spare` and `left` say of each file why it is there, `refused` of the files of each series, or of a stack of it,
    that would be read wrongly.
    """

    series: tuple[Series, ...]
    documents: tuple[Document, ...]
    spare: tuple[tuple[Path, str], ...]
    left: tuple[tuple[Path, str], ...]
    refused: tuple[tuple[tuple[Path, ...], str], ...] = ()


def group(paths: Iterable[Path]) -> Found:
    """Sort files into images, other objects and the rest."""
    series: dict[str, list[raw.File]] = {}
    damaged: dict[str, list[tuple[Path, str]]] = {}
    documents: list[Document] = []
    left: list[tuple[Path, str]] = []
    spare: list[tuple[Path, str]] = []
    refused: list[tuple[tuple[Path, ...], str]] = []
    listed = list(paths)
    for path in listed:
        try:
            with raw.reading(path):
                file = raw.parse(path)
                code = code_of(file.head)
                if code is not None:
                    documents.append(_document(path, code, file.head))
                    continue
                require_image(path, file.head)
                _look(file)
                series.setdefault(alike.traits(file)["series"], []).append(file)
        except FormatError as error:
            damaged.setdefault(_series_of_damaged(path) or "", []).append((path, str(error)))
    found: list[Series] = []
    for uid, members in series.items():
        try:
            with raw.reading(members[0].path):
                alike.assert_one_patient(members)
                kept = _without_copies(members, spare)
                if len(listed) > 1:
                    kept = _without_localisers(kept, spare)
                found += _images(kept, damaged.get(uid, []), refused)
        except FormatError as error:
            refused.append((tuple(file.path for file in members), str(error)))
    gone = {path for paths, _ in refused for path in paths}
    left += [(path, said) for files in damaged.values() for path, said in files if path not in gone]
    return Found(tuple(found), tuple(documents), tuple(spare), tuple(left), tuple(refused))


def _look(file: raw.File) -> None:
    """Raise here what is damaged in a file's own header, so that it is this file's fault and not its series'."""
    raw.assert_pixels(file)
    elements.plane(file.head, elements.sole_group(file.head))
    elements.rescale(file.head, None)
    splitting.marks_of(file.head, None)


def _series_of_damaged(path: Path) -> str | None:
    """Return the series UID that a file says near its beginning, however damaged the rest of it is; None where none
    is.
    """
    try:
        with archive.open_file(path) as stream:
            start = stream.read(1 << 15)
    except (OSError, FormatError):
        return None
    found = _SERIES_UID.search(start)
    return None if found is None else (found[1] or found[2]).decode()


def _document(path: Path, code: str, head: Any) -> Document:
    series_uids: set[str] = set()
    sops: set[str] = set()
    if code in _SPEAKING:
        _referenced(head.dataset, series_uids, sops)
    return Document(
        path,
        code,
        elements.text(head, "StudyInstanceUID"),
        elements.text(head, "PatientID"),
        elements.text(head, "SeriesDescription"),
        frozenset(series_uids),
        frozenset(sops),
    )


def _referenced(data: Any, series_uids: set[str], sops: set[str]) -> None:
    """Every series and instance UID in the sequences of a data set, to a depth."""
    waiting = [(data, 0)]
    while waiting:
        here, depth = waiting.pop()
        for element in here:
            if element.VR == "SQ" and depth < raw.DEEPEST:
                waiting += [(item, depth + 1) for item in element.value]
            elif depth and element.keyword == "SeriesInstanceUID":
                series_uids.add(str(element.value))
            elif element.keyword == "ReferencedSOPInstanceUID":
                sops.add(str(element.value))


def _without_localisers(members: Sequence[raw.File], spare: list[tuple[Path, str]]) -> list[raw.File]:
    """Localisers are left, with the reason."""
    scouts = {f.path for f in members if "LOCALIZER" in elements.words(f.head, "ImageType")}
    spare += [
        (f.path, "a localiser, which is there to plan the others (ImageType)")
        for f in members
        if f.path in scouts
    ]
    return [f for f in members if f.path not in scouts]


def _without_copies(members: Sequence[raw.File], spare: list[tuple[Path, str]]) -> list[raw.File]:
    """Files of one image are one file, under one instance UID or two; the further ones are left, with the reason.

    Raises FormatError where one UID stands for different images.
    """
    kept: dict[str, raw.File] = {}
    others: list[raw.File] = []
    copies = []
    for file in members:
        uid = elements.text(file.head, "SOPInstanceUID")
        first = kept.get(uid or "")
        if uid is None:
            others.append(file)
        elif first is None:
            kept[uid] = file
        else:
            if archive.sha256(first.path) != archive.sha256(file.path):
                assert_same(first, file)
            copies.append((file.path, f"a copy of {first.path.name}"))
    spare += copies
    listed = [*kept.values(), *others]
    again = twins(listed)
    spare += [
        (listed[k].path, f"a copy of {listed[first].path.name}, under another instance UID")
        for k, first in again.items()
    ]
    return [file for k, file in enumerate(listed) if k not in again]


def _images(
    members: Sequence[raw.File],
    damaged: Sequence[tuple[Path, str]],
    refused: list[tuple[tuple[Path, ...], str]],
) -> list[Series]:
    """Return the images among the files of one series. Raises FormatError where it would be read short, or wrongly."""
    found: list[Series] = []
    groups: dict[tuple[Any, ...], list[raw.File]] = {}
    every = []
    for file in members:
        traits = alike.traits(file)
        several = int(file.head.get("NumberOfFrames") or 1) > 1
        alone = several or elements.plane(file.head, elements.sole_group(file.head)).orientation is None
        key = (*traits.values(), str(file.path) if alone else "", is_mosaic(file.head))
        groups.setdefault(key, []).append(file)
        every.append(traits)
    pieces: list[Piece] = []
    for files in groups.values():
        if int(files[0].head.get("NumberOfFrames") or 1) > 1:
            try:
                with raw.reading(files[0].path):
                    found += _of_frames(files[0], refused)
            except FormatError as error:
                refused.append(((files[0].path,), str(error)))
        elif is_mosaic(files[0].head):
            found += _of_mosaics(files, refused)
        else:
            pieces += _pieces(files)
    assert_whole(pieces)
    lost = unplaced(pieces)
    refused += [(tuple(f.path for f in files), reason) for files, reason in lost]
    gone = {f.path for files, _ in lost for f in files}
    for piece in (p for p in pieces if p.files[0].path not in gone):
        words = " ".join(w for w in (alike.words(piece.traits, every), piece.part.name) if w)
        paths = tuple(f.path for f in piece.files)
        if piece.part.lacks:
            refused.append((paths, _short(piece.part)))
        elif damaged and len(paths) > 1:
            said = FormatError(
                "a file of this series is damaged, and the others would be read without it",
                found=damaged[0][1],
            )
            refused.append(((*(path for path, _ in damaged), *paths), str(said)))
        else:
            found.append(_series(piece.files, words if len(pieces) > 1 else ""))
    return found


def _pieces(files: Sequence[raw.File]) -> list[Piece]:
    """Return the stacks of single planes that have their traits in common."""
    planes, parts = splitting.of_heads([f.head for f in files])
    traits = alike.traits(files[0])
    return [Piece([files[k] for k in p.members], [planes[k] for k in p.members], p, traits) for p in parts]


def _of_mosaics(files: Sequence[raw.File], refused: list[tuple[tuple[Path, ...], str]]) -> list[Series]:
    """Return a volume for each mosaic, named by what tells it from the others of its series."""
    sound = []
    for file in files:
        try:
            with raw.reading(file.path):
                assert_placed(file.head)
            sound.append(file)
        except FormatError as error:
            refused.append(((file.path,), str(error)))
    _, parts = splitting.of_heads([f.head for f in sound])
    return [_series([sound[k]], part.name if len(files) > 1 else "") for part in parts for k in part.members]


def _of_frames(file: raw.File, refused: list[tuple[tuple[Path, ...], str]]) -> list[Series]:
    """Return the stacks of a file's frames."""
    frames = int(file.head.get("NumberOfFrames") or 1)
    groups = [] if is_slide(file.head) else nuclear.frame_groups(file.head, frames)
    planes = [elements.plane(file.head, group) for group in groups]
    if not all(plane.placed for plane in planes):  # where some are, reading says so
        return [_series([file], "")]
    parts = splitting.split(planes, [splitting.marks_of(file.head, group) for group in groups])
    traits = alike.traits(file)
    assert_whole([Piece([file], [planes[k] for k in p.members], p, traits) for p in parts])
    refused += [((file.path,), _short(part)) for part in parts if part.lacks]
    if len(parts) < 2:
        return [_series([file], "")]
    return [_series([file], part.name, member=part.name) for part in parts if not part.lacks]


def _short(part: splitting.Part) -> str:
    """Return the reason why a part is not read that lacks slices which its siblings have."""
    error = FormatError(
        f"slices of '{part.name}' are missing",
        found=f"none at {part.lacks} places where the others of its series have one",
    )
    return str(error)


def _series(members: Sequence[raw.File], part: str, *, member: str | None = None) -> Series:
    head = members[0].head
    uids = (elements.text(f.head, "SOPInstanceUID") for f in members)
    return Series(
        ref=Ref(paths=tuple(sorted(f.path for f in members)), member=member, part=part),
        series_uid=elements.text(head, "SeriesInstanceUID") or str(members[0].path),
        study_uid=elements.text(head, "StudyInstanceUID"),
        patient_id=elements.text(head, "PatientID"),
        modality=elements.text(head, "Modality"),
        description=elements.text(head, "SeriesDescription"),
        number=elements.integer(head, "SeriesNumber"),
        part=part,
        sop_uids=tuple(u for u in uids if u),
    )
