"""Which DICOM files make one image: series by their UIDs, cut into stacks by geometry; the others with the reason.

The one place where files are grouped, for single files, folders and cohorts alike.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vesalius.core import archive
from vesalius.core.case import Ref
from vesalius.core.errors import FormatError
from vesalius.formats import _dicom_bytes as raw
from vesalius.formats import _dicom_elements as elements
from vesalius.formats import _dicom_nuclear as nuclear
from vesalius.formats import _dicom_split as splitting
from vesalius.formats._dicom_kinds import code_of, is_slide, require_image
from vesalius.formats._dicom_mosaic import is_mosaic

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

    `spare` and `left` say of each file why it is there.
    """

    series: tuple[Series, ...]
    documents: tuple[Document, ...]
    spare: tuple[tuple[Path, str], ...]
    left: tuple[tuple[Path, str], ...]


def group(paths: Iterable[Path]) -> Found:
    """Sort files into images, other objects and the rest."""
    files: dict[tuple[Any, ...], list[raw.File]] = {}
    documents: list[Document] = []
    left: list[tuple[Path, str]] = []
    spare: list[tuple[Path, str]] = []
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
                if len(listed) > 1 and "LOCALIZER" in elements.words(file.head, "ImageType"):
                    spare.append((path, "a localiser, which is there to plan the others (ImageType)"))
                    continue
                files.setdefault(_key(file), []).append(file)
        except FormatError as error:
            left.append((path, str(error)))
    found: list[Series] = []
    for members in files.values():
        try:
            with raw.reading(members[0].path):
                kept = _without_copies(members, spare)
                found += _stacks(kept)
        except FormatError as error:
            left += [(file.path, str(error)) for file in members]
    return Found(tuple(found), tuple(documents), tuple(spare), tuple(left))


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


def _key(file: raw.File) -> tuple[Any, ...]:
    head = file.head
    alone = int(head.get("NumberOfFrames") or 1) > 1 or not head.get("ImageOrientationPatient")
    return (
        elements.text(head, "SeriesInstanceUID") or str(file.path),
        int(head.get("Rows") or 0),
        int(head.get("Columns") or 0),
        int(head.get("SamplesPerPixel") or 1),
        elements.text(head, "FrameOfReferenceUID"),
        str(file.path) if alone else "",
        is_mosaic(head),
    )


def _without_copies(members: Sequence[raw.File], spare: list[tuple[Path, str]]) -> list[raw.File]:
    """Files with one instance UID and the same bytes are one file; the further ones are left, with the reason."""
    kept: dict[str, raw.File] = {}
    others: list[raw.File] = []
    for file in members:
        uid = elements.text(file.head, "SOPInstanceUID")
        first = kept.get(uid or "")
        if uid is None:
            others.append(file)
        elif first is None:
            kept[uid] = file
        elif archive.sha256(first.path) == archive.sha256(file.path):
            spare.append((file.path, f"a copy of {first.path.name}"))
        else:
            others.append(file)
    return [*kept.values(), *others]


def _stacks(members: Sequence[raw.File]) -> list[Series]:
    """The stacks of files of one series and size, or of the frames of one file."""
    first = members[0].head
    frames = int(first.get("NumberOfFrames") or 1)
    if len(members) == 1 and frames > 1:
        groups = [] if is_slide(first) else nuclear.frame_groups(first, frames)
        if groups:
            marks = [splitting.marks_of(first, group) for group in groups]
            parts = splitting.split([elements.plane(first, group) for group in groups], marks)
            if len(parts) > 1:
                return [_series([members[0]], part.name, member=part.name) for part in parts]
        return [_series(members, "")]
    if len(members) == 1:
        return [_series(members, "")]
    planes = [elements.plane(f.head, None) for f in members]
    parts = splitting.split(planes, [splitting.marks_of(f.head, None) for f in members])
    if is_mosaic(first):  # each is a volume
        return [_series([members[k]], part.name) for part in parts for k in part.members]
    return [_series([members[k] for k in part.members], part.name) for part in parts]


def _series(members: Sequence[raw.File], part: str, *, member: str | None = None) -> Series:
    head = members[0].head
    uids = (elements.text(f.head, "SOPInstanceUID") for f in members)
    return Series(
        ref=Ref(paths=tuple(sorted(f.path for f in members)), member=member),
        series_uid=elements.text(head, "SeriesInstanceUID") or str(members[0].path),
        study_uid=elements.text(head, "StudyInstanceUID"),
        patient_id=elements.text(head, "PatientID"),
        modality=elements.text(head, "Modality"),
        description=elements.text(head, "SeriesDescription"),
        number=elements.integer(head, "SeriesNumber"),
        part=part,
        sop_uids=tuple(u for u in uids if u),
    )
