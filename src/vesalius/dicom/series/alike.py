"""What the images of one series must share to be one image: patient, study, frame of reference, size, kind of values.

The one place that says so, for files that are grouped and for those that are read together by name.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from vesalius.core.errors import FormatError
from vesalius.dicom import elements
from vesalius.dicom import parser as raw

PLURALS = {
    "series": "series",
    "size": "sizes",
    "frame of reference": "frames of reference",
    "modality": "modalities",
    "kind of object": "kinds of object",
    "photometric interpretation": "photometric interpretations",
    "kind of pixels": "kinds of pixels",
    "rescale": "kinds of rescale",
    "unit": "units",
}  # the traits, in the order in which they are compared


def assert_one_patient(files: Sequence[raw.File]) -> None:
    """Raise FormatError where images under one series UID are of several patients or studies; it repeats no id."""
    if len(files) < 2:
        return
    ids = {_plain(file.head, "PatientID") for file in files}
    issuers = {_plain(file.head, "IssuerOfPatientID") for file in files} - {""}
    if len(ids) > 1 or len(issuers) > 1:
        found = f"{len(ids)} patient ids" if len(ids) > 1 else f"{len(issuers)} issuers of the patient id"
        empty = ", one of them empty" if "" in ids and len(ids) > 1 else ""
        raise FormatError("the images of this series are of several patients", found=found + empty)
    studies = {_plain(file.head, "StudyInstanceUID") for file in files} - {""}
    if len(studies) > 1:
        raise FormatError("the images of this series are of several studies", found=f"{len(studies)} studies")


def traits(file: raw.File) -> dict[str, Any]:
    """Return what all planes of one stack share, by the word for it in messages."""
    head = file.head
    modality = elements.text(head, "Modality")
    rescale = "ModalityLUTSequence" in head, "RescaleSlope" in head
    photometric = elements.photometric(head)
    bits, palette = head.get("BitsAllocated"), head.get("RedPaletteColorLookupTableDescriptor")
    if photometric == "PALETTE COLOR" or int(head.get("SamplesPerPixel") or 1) > 1:
        deep = palette[2] if photometric == "PALETTE COLOR" and palette else bits
        photometric = f"colour of {deep} bits"
    said = elements.text(head, "RescaleType") or ("HU" if modality == "CT" and any(rescale) else None)
    return {
        "series": elements.text(head, "SeriesInstanceUID") or str(file.path),
        "size": (int(head.get("Rows") or 0), int(head.get("Columns") or 0)),
        "frame of reference": elements.text(head, "FrameOfReferenceUID"),
        "modality": modality,
        "kind of object": elements.text(head, "SOPClassUID"),
        "photometric interpretation": photometric,
        "kind of pixels": file.span.name if file.span else "PixelData",
        "rescale": rescale,
        "unit": (said, elements.text(head, "Units")),
    }


def differences(traits_of: Sequence[dict[str, Any]]) -> list[str]:
    """Return the names of the traits that differ."""
    return [name for name in (traits_of[0] if traits_of else ()) if len({t[name] for t in traits_of}) > 1]


def words(own: dict[str, Any], every: Sequence[dict[str, Any]]) -> str:
    """Return the words that tell these traits from the series' others; '' where none do."""
    said, others = [], [t for t in every if t != own]
    for name in differences(every):
        same = [t for t in others if t[name] == own[name]]
        if len(same) == len(others):
            continue
        others, value = same, own[name]
        if name == "size":
            said.append(f"{value[0]} × {value[1]}")
        elif name == "modality" and value:
            said.append(value)
        else:
            said.append(f"{name} {list(dict.fromkeys(t[name] for t in every)).index(value) + 1}")
    return ", ".join(said)


def _plain(head: Any, name: str) -> str:
    """Return an element as text without the blanks that pad it."""
    return (elements.text(head, name) or "").strip(" \0")
