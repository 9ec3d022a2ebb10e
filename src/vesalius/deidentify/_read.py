"""Reading one DICOM file to the end, with every failure one short reason that repeats nothing of the file."""

from __future__ import annotations

import re
import zlib
from pathlib import Path
from typing import Any

import pydicom
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from vesalius.core import file_io
from vesalius.core.errors import DataError
from vesalius.dicom.damage import DAMAGE

MOST_INFLATED = 1 << 28  # bytes of a deflated data set
_DEFLATED = "1.2.840.10008.1.2.1.99"
_DIRECTORY = "1.2.840.10008.1.3.10"


class SetAside(DataError):
    """A file that cannot be de-identified; `reason` is for the report and repeats nothing of the file."""

    def __init__(self, reason: str, *, hint: str | None = None) -> None:
        super().__init__(reason, hint=hint)
        self.reason = reason


# numbers, well written or not, one or many; pydicom reads others as text
_NUMBERS = re.compile(r"[\[\]\d\s.,+'eE\\-]*|nan|inf", re.IGNORECASE)


def read(path: Path) -> Any:
    """Return a file's whole data set with its file meta information. Raises SetAside."""
    try:
        _check_deflated(path)
        data = pydicom.dcmread(path, force=True)
        _parse(data.file_meta)
        _parse(data)
        return _checked(data)
    except SetAside:
        raise
    except DAMAGE as error:
        raise SetAside("damaged, or not DICOM") from error


def _checked(data: Any) -> Any:
    if len(data) == 0:
        raise SetAside("damaged, or not DICOM")
    if (
        str(data.file_meta.get("MediaStorageSOPClassUID", "")) == _DIRECTORY
        or "DirectoryRecordSequence" in data
    ):
        raise SetAside("a DICOMDIR, which lists the original names", hint="make a new one of the result")
    if not str(data.file_meta.get("TransferSyntaxUID", "") or ""):
        implicit, little = data.original_encoding
        explicit = ExplicitVRLittleEndian if little else ExplicitVRBigEndian
        data.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian if implicit else explicit
    return data


def _parse(data: Any, depth: int = 0) -> None:
    """Have every element of every depth read now; what has no value of its VR cannot be judged, and is dropped."""
    if depth > 64:
        raise SetAside("sequences nested more than 64 deep")
    for tag in list(data.keys()):
        try:
            element = data[tag]
        except (ValueError, TypeError, OverflowError):
            del data[tag]
            continue
        if element.VR == "SQ":
            for item in element.value:
                _parse(item, depth + 1)
        elif element.VR in ("DS", "IS") and not _NUMBERS.fullmatch(str(element.value or "")):
            del data[tag]


def _check_deflated(path: Path) -> None:
    with path.open("rb") as file:
        if file.read(132)[128:] != b"DICM":
            return
        meta = pydicom.filereader.read_file_meta_info(path)
        if str(meta.get("TransferSyntaxUID", "")) != _DEFLATED:
            return
        file.seek(128 + 4 + 12 + int(meta.FileMetaInformationGroupLength))
        loose, total = zlib.decompressobj(-zlib.MAX_WBITS), 0
        while not loose.eof and (fresh := loose.unconsumed_tail or file.read(file_io.CHUNK)):
            total += len(loose.decompress(fresh, file_io.CHUNK))
            if total > MOST_INFLATED:
                raise SetAside("its deflated data set grows too large")
