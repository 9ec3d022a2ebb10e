"""The type of a DICOM object, by its SOP class or else its modality; objects without an image get a name."""

from __future__ import annotations

import functools
from typing import Any

from pydicom.uid import UID

from vesalius.core.errors import FormatError, NotAnImage
from vesalius.dicom import elements
from vesalius.dicom.series.nuclear import VIEWS

_NAMES = {
    "SEG": ("Segmentation Storage", "Label Map Segmentation Storage", "1.2.840.10008.5.1.4.1.1.66.7"),
    "RTSTRUCT": ("RT Structure Set Storage",),
    "RTPLAN": ("RT Plan Storage", "RT Ion Plan Storage", "RT Brachy Treatment Record Storage"),
    "RTRECORD": ("RT Beams Treatment Record Storage", "RT Treatment Summary Record Storage"),
    "REG": ("Spatial Registration Storage", "Deformable Spatial Registration Storage"),
    "FID": ("Spatial Fiducials Storage",),
    "KO": ("Key Object Selection Document Storage",),
    "RWV": ("Real World Value Mapping Storage",),
    "RAW": ("Raw Data Storage",),
    "MRS": ("MR Spectroscopy Storage",),
    "PALETTE": ("Color Palette Storage",),
    "DICOMDIR": ("Media Storage Directory Storage",),
    "ANN": ("Microscopy Bulk Simple Annotations Storage",),
}  # fmt: skip
_CODES = {name: code for code, names in _NAMES.items() for name in names}
_WORDS = {
    "SEG": "segmentation",
    "RTSTRUCT": "radiotherapy structure set",
    "RTPLAN": "radiotherapy plan",
    "RTRECORD": "radiotherapy treatment record",
    "REG": "spatial registration",
    "FID": "set of fiducials",
    "KO": "key object selection",
    "RWV": "real world value mapping",
    "RAW": "raw data object",
    "MRS": "spectrum",
    "PALETTE": "colour palette",
    "DICOMDIR": "directory of other files",
    "ANN": "set of annotations",
    "SR": "structured report",
    "PR": "presentation state",
    "WAVEFORM": "waveform",
    "DOC": "document",
    "SURFACE": "surface mesh",
}
_ENDINGS = (
    ("SR Storage", "SR"),
    ("SR Document Storage", "SR"),
    ("Presentation State Storage", "PR"),
    ("Waveform Storage", "WAVEFORM"),
    ("Report Storage", "SR"),
    ("Log Storage", "SR"),
)
_SLICES = tuple(
    f"{kind}{name} Image Storage"
    for kind in ("", "Enhanced ", "Legacy Converted Enhanced ")
    for name in ("CT", "MR", "PET", "Positron Emission Tomography")
)
_MADE_BY = (  # how the names of classes begin that are made by one modality alone
    ("CT ", "CT"), ("Enhanced CT ", "CT"), ("Legacy Converted Enhanced CT ", "CT"),
    ("MR ", "MR"), ("Enhanced MR ", "MR"), ("Legacy Converted Enhanced MR ", "MR"),
    ("Positron Emission Tomography ", "PT"), ("Enhanced PET ", "PT"), ("Legacy Converted Enhanced PET ", "PT"),
    ("Ultrasound ", "US"), ("Enhanced US ", "US"), ("Nuclear Medicine ", "NM"), ("Computed Radiography ", "CR"),
    ("Digital X-Ray ", "DX"), ("Digital Mammography X-Ray ", "MG"), ("Breast Tomosynthesis ", "MG"),
    ("X-Ray Angiographic ", "XA"), ("Enhanced XA ", "XA"), ("X-Ray Radiofluoroscopic ", "RF"), ("Enhanced XRF ", "RF"),
    ("Ophthalmic Photography ", "OP"), ("Ophthalmic Tomography ", "OPT"), ("VL Whole Slide Microscopy ", "SM"),
)  # fmt: skip
_HINTS = {
    "SEG": "formats.read_mask",
    "RTSTRUCT": "formats.read_mask, with the image's files beside it",
    "SR": "formats.read_answer",
    "SURFACE": "vesalius mesh, or formats.read_answer",
    "DICOMDIR": "the folder that it lies in",
}


def code_of(head: Any) -> str | None:
    """Return a word for an object that is not an image (`SEG`, `SR`, `RTSTRUCT` …); None for one that is or may be."""
    found = _by_class(str(head.get("SOPClassUID") or ""))
    if found is None and "DirectoryRecordSequence" in head:
        found = "DICOMDIR"
    if found is None and "Rows" not in head:
        modality = str(head.get("Modality") or "")
        found = modality if modality in _WORDS else None
    return found


@functools.lru_cache(maxsize=256)
def _by_class(uid: str) -> str | None:
    name = UID(uid).name
    found = _CODES.get(name) or next((code for end, code in _ENDINGS if name.endswith(end)), None)
    if found is None and name.startswith("Encapsulated"):
        found = "SURFACE" if name.split()[1] in ("STL", "OBJ", "MTL") else "DOC"
    return found


def modality_of(head: Any) -> str | None:
    """Return an object's Modality; where it is missing, that which alone makes objects of its class, or None."""
    said = elements.text(head, "Modality")
    if said is not None:
        return said
    name = UID(str(head.get("SOPClassUID") or "")).name
    return next((code for begin, code in _MADE_BY if name.startswith(begin)), None)


def require_image(where: object, head: Any) -> None:
    """Raise NotAnImage, saying what it is; FormatError where nothing says so and there are no rows of pixels.

    And FormatError for what holds slices, and would be read as one picture or as a volume that is short of some.
    """
    code = code_of(head)
    if code is not None:
        raise NotAnImage(where, holds=_WORDS[code], code=code, hint=_HINTS.get(code))
    if "Rows" not in head or "Columns" not in head:
        name = UID(str(head.get("SOPClassUID") or "")).name or str(
            head.get("Modality") or "nothing that says what"
        )
        raise FormatError(f"{where}: a DICOM object without an image", found=name)
    parts = elements.integer(head, "InConcatenationTotalNumber")
    if "ConcatenationUID" in head and parts != 1:
        raise FormatError(
            f"{where}: a part of an image that was cut into several files (a concatenation)",
            found=f"part {elements.integer(head, 'InConcatenationNumber') or '?'} of {parts or '?'}",
            hint="the whole, as one multi-frame object",
        )


def is_slice(head: Any) -> bool:
    """Return whether a single-frame image is a slice of a volume: by its class, or by its modality if that is unknown.

    Radiographs, ultrasound, photographs, planar nuclear medicine and screen shots are pictures. So are colours, which
    a scanner does not measure.
    """
    if int(head.get("SamplesPerPixel") or 1) > 1:
        return False
    uid = UID(str(head.get("SOPClassUID") or ""))
    if uid.name in _SLICES or (uid.name != str(uid) and uid):
        return uid.name in _SLICES
    return str(head.get("Modality") or "") in ("CT", "MR", "PT")


def is_slide(head: Any) -> bool:
    """Return whether frames are tiles of one large picture, as of a slide under the microscope (PS3.3 C.8.12.4)."""
    return bool(head.get("TotalPixelMatrixColumns"))


def unplaced(where: object, head: Any, frames: int) -> FormatError:
    """Return the error for frames that are neither slices nor times, which says what they are."""
    found, hint = f"{frames} frames", "one frame by the reference's index"
    if is_slide(head):
        size = f"{head.get('TotalPixelMatrixColumns')} × {head.get('TotalPixelMatrixRows')} pixels"
        return FormatError(
            f"{where}: tiles of a whole-slide picture, which are neither slices nor times",
            found=f"{frames} tiles of {size}",
            hint="one tile by the reference's index, or a region saved as a picture (OpenSlide, wsidicom)",
        )
    vectors = [name for name in VIEWS if head.get(name) not in (None, "")]
    if vectors:
        return FormatError(
            f"{where}: views of a nuclear medicine study, which are neither slices nor times",
            found=f"{found} by {', '.join(vectors)}",
            hint="its reconstruction, or one view by the reference's index",
        )
    return FormatError(f"{where}: frames without a place in space or a time", found=found, hint=hint)
