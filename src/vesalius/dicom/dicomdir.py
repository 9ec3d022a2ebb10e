"""A DICOMDIR: the files that it lists, and which of each series are not there. PS3.3 F.3, PS3.10 8."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vesalius.core import archive
from vesalius.core.errors import FormatError

if TYPE_CHECKING:
    from vesalius.dicom.parser import File
    from vesalius.dicom.series.grouping import Found

_RECORDS = 0x00041220


@dataclass
class Listing:
    """Files that are there, and those that are not by the UID of their series ('' where none leads to them).

    `instances` are the SOP instance UIDs that the listing names of files that are not there.
    """

    there: list[Path] = field(default_factory=list)
    lost: dict[str, list[Path]] = field(default_factory=dict)
    instances: dict[Path, str] = field(default_factory=dict)


def listing(root: Path) -> Listing | None:
    """Return the files that a DICOMDIR lists; None for another file. They lie below it, whatever the listing says.

    Raises FormatError for one that is damaged.
    """
    from vesalius.dicom.parser import parse, reading

    found = Listing()
    with reading(root):
        file = parse(root)
        if "DirectoryRecordSequence" not in file.head:
            return None
        records = list(file.head.get("DirectoryRecordSequence") or ())
        series = _series_of(file, records)
        numbers: dict[Path, int] = {}
        for k, record in enumerate(records):
            if (path := _path(root, record)) is not None:
                numbers.setdefault(path, k)
        for path, k in numbers.items():
            if archive.exists(path):
                found.there.append(path)
            else:
                found.lost.setdefault(series.get(k, ""), []).append(path)
                found.instances[path] = str(records[k].get("ReferencedSOPInstanceUIDInFile") or "")
    return found


def without_short(found: Found) -> Found:
    """Return what was found, without the series of which a DICOMDIR lists files that are missing.

    A file that was moved is known by its instance UID. A DICOMDIR that is damaged is left, with the reason.
    """
    left = list(found.left)
    refused = list(found.refused)
    short: set[str] = set()
    told: set[Path] = set()
    here: set[str] | None = None
    for document in found.documents:
        if document.code != "DICOMDIR":
            continue
        try:
            listed = listing(document.path)
        except FormatError as error:
            left.append((document.path, str(error)))
            continue
        if listed is None or not listed.lost:
            continue
        here = _instances(found) if here is None else here
        name = document.path.name
        for uid, paths in listed.lost.items():
            gone = [p for p in paths if p not in told and listed.instances[p] not in here]
            told |= set(gone)
            if not uid:
                left += [(path, f"listed in {name} and not there") for path in gone]
            elif gone:
                short.add(uid)
                held = [path for s in found.series if s.series_uid == uid for path in s.ref.paths]
                refused.append((tuple(dict.fromkeys([*gone, *held])), _incomplete(gone, name)))
    series = tuple(s for s in found.series if s.series_uid not in short)
    return replace(found, series=series, left=tuple(left), refused=tuple(refused))


def _incomplete(gone: Sequence[Path], name: str) -> str:
    count = f"{len(gone)} of its files are" if len(gone) > 1 else "one of its files is"
    said = f"a series is incomplete: {count} listed in {name} and not there"
    return str(FormatError(said, hint=f"copy all of it; or take {name} away where it is out of date"))


def _instances(found: Found) -> set[str]:
    """Return the instance UIDs of all files, used or not."""
    from vesalius.dicom.parser import parse, reading

    uids = {uid for series in found.series for uid in series.sop_uids}
    others = [d.path for d in found.documents] + [path for path, _ in (*found.spare, *found.left)]
    others += [path for paths, _ in found.refused for path in paths]
    for path in others:
        try:
            with reading(path):
                uids.add(str(parse(path).head.get("SOPInstanceUID") or ""))
        except FormatError:
            continue
    return uids - {""}


def _path(root: Path, record: Any) -> Path | None:
    value = record.get("ReferencedFileID")
    parts = [value] if isinstance(value, str) else [str(v) for v in value or ()]
    if not parts or not all(p and p not in (".", "..") and not set(p) & set("/\\:") for p in parts):
        return None
    return _as_it_lies(root.parent, parts)


def _as_it_lies(folder: Path, parts: list[str]) -> Path:
    """Return the path of a file, in lower case where it was copied so from a disc."""
    path = folder.joinpath(*parts)
    lower = folder.joinpath(*(p.lower() for p in parts))
    return lower if not archive.exists(path) and archive.exists(lower) else path


def _series_of(file: File, records: list[Any]) -> dict[int, str]:
    """Return the series UID of each record that a series' record leads to, by its number: records are linked by
    offsets.
    """
    value = file.head.raw[_RECORDS].value
    with archive.open_file(file.path) as stream:
        begin = stream.read().find(value)
    numbers = {begin + int(r.seq_item_tell): k for k, r in enumerate(records) if r.seq_item_tell is not None}
    found: dict[int, str] = {}
    for record in records:
        uid = str(record.get("SeriesInstanceUID") or "")
        at = record.get("OffsetOfReferencedLowerLevelDirectoryEntity")
        while uid and at in numbers and numbers[at] not in found:
            found[numbers[at]] = uid
            at = records[numbers[at]].get("OffsetOfTheNextDirectoryRecord")
    return found
