"""Reading encapsulated STL and OBJ (PS3.3 A.85): the document's bytes, its unit, and the study that it belongs to."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from vesalius.core.errors import FormatError
from vesalius.core.image import Source
from vesalius.dicom import elements
from vesalius.dicom import parser as raw

KINDS = {"1.2.840.10008.5.1.4.1.1.104.3": "stl", "1.2.840.10008.5.1.4.1.1.104.4": "obj"}
UNITS_MM = {"um": 1e-3, "mm": 1.0, "cm": 10.0, "m": 1000.0, "[in_i]": 25.4, "[ft_i]": 304.8}


@dataclass(frozen=True)
class Document:
    """A mesh's document: `stl` or `obj`, its bytes, how many mm its unit has, and its source."""

    kind: str
    data: bytes
    mm: float
    source: Source


def document(path: Path) -> Document:
    """Return the mesh's document in a DICOM file. Raises FormatError where there is none, or its unit is not known."""
    with raw.reading(path):
        head = raw.parse(path).head
        kind = KINDS.get(str(head.get("SOPClassUID") or ""))
        if kind is None:
            raise FormatError(f"{path}: not an encapsulated STL or OBJ", found=str(head.get("SOPClassUID")))
        data = bytes(head.get("EncapsulatedDocument") or b"")
        length = head.get("EncapsulatedDocumentLength")
        if length is not None and not len(data) - 1 <= int(length) <= len(data):
            raise FormatError(
                f"{path}: its document is not as long as it says",
                found=f"{len(data):,} bytes, {int(length):,} said",
            )
        units = list(head.get("MeasurementUnitsCodeSequence") or ())
        said = str(units[0].get("CodeValue") or "") if units else ""
        if said not in UNITS_MM:
            raise FormatError(
                f"{path}: the unit of its mesh is not known", found=said or "none", hint="mm, cm, m, um"
            )
        source = Source(
            study_uid=elements.text(head, "StudyInstanceUID"),
            frame_of_reference_uid=elements.text(head, "FrameOfReferenceUID"),
        )
        return Document(kind, data if length is None else data[: int(length)], UNITS_MM[said], source)
