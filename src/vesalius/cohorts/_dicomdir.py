"""A DICOMDIR: the files that it lists, and which of each series are not there. PS3.3 F.3, PS3.10 8."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vesalius.core.cohort import SetAside

if TYPE_CHECKING:
    from vesalius.formats._dicom_bytes import File
    from vesalius.formats._dicom_series import Found

_RECORDS = 0x00041220


@dataclass
class Listing:
    """Files that are there, and those that are not by the UID of their series ('' where none leads to them)."""

    there: list[Path] = field(default_factory=list)
    lost: dict[str, list[Path]] = field(default_factory=dict)


def listing(root: Path) -> Listing | None:
    """What a DICOMDIR lists, None for another file. Files lie below it, whatever the listing says.

    Raises FormatError for one that is damaged.
    """
    from vesalius.formats._dicom_bytes import parse, reading

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
    found = Listing()
    for path, k in numbers.items():
        if path.is_file():
            found.there.append(path)
        else:
            found.lost.setdefault(series.get(k, ""), []).append(path)
    return found


def complete(found: Found, lost: dict[str, list[Path]], name: str) -> tuple[Found, list[SetAside]]:
    """What was found without the series of which files are missing, and these set aside, each once."""
    aside = [SetAside(p.name, f"listed in {name} and not there") for p in lost.get("", ())]
    short = {s.series_uid for s in found.series} & lost.keys()
    for uid, paths in lost.items():
        if uid:
            count = f"{len(paths)} of its files are" if len(paths) > 1 else "one of its files is"
            aside.append(
                SetAside(paths[0].name, f"a series is incomplete: {count} listed in {name} and not there")
            )
    return replace(found, series=tuple(s for s in found.series if s.series_uid not in short)), aside


def _path(root: Path, record: Any) -> Path | None:
    value = record.get("ReferencedFileID")
    parts = [value] if isinstance(value, str) else [str(v) for v in value or ()]
    if not parts or not all(p and p not in (".", "..") and not set(p) & set("/\\:") for p in parts):
        return None
    return _as_it_lies(root.parent, parts)


def _as_it_lies(folder: Path, parts: list[str]) -> Path:
    """The path of a file, in lower case where it was copied so from a disc."""
    path = folder.joinpath(*parts)
    lower = folder.joinpath(*(p.lower() for p in parts))
    return lower if not path.is_file() and lower.is_file() else path


def _series_of(file: File, records: list[Any]) -> dict[int, str]:
    """The series UID of each record that a series' record leads to, by its number: records are linked by offsets."""
    value = file.head.raw[_RECORDS].value
    begin = file.path.read_bytes().find(value)
    numbers = {begin + int(r.seq_item_tell): k for k, r in enumerate(records) if r.seq_item_tell is not None}
    found: dict[int, str] = {}
    for record in records:
        uid = str(record.get("SeriesInstanceUID") or "")
        at = record.get("OffsetOfReferencedLowerLevelDirectoryEntity")
        while uid and at in numbers and numbers[at] not in found:
            found[numbers[at]] = uid
            at = records[numbers[at]].get("OffsetOfTheNextDirectoryRecord")
    return found
