"""DICOM files: the data set, the file meta information and the pixels of one file, read, cleaned and written anew."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import UID

from vesalius.core.disk import write_with
from vesalius.core.version import VERSION
from vesalius.deidentify import _structured, pixels
from vesalius.deidentify._read import SetAside, read
from vesalius.deidentify._subject import subject_of, text_of, who_is
from vesalius.deidentify._table import EDITION
from vesalius.deidentify.dataset import Walk
from vesalius.deidentify.key import Key
from vesalius.deidentify.options import Settings
from vesalius.dicom.damage import DAMAGE

IMPLEMENTATION = "2.25.251098731164209716459016713250987152613"  # one random UID for this software
_NO_PATIENT = ("1.2.840.10008.5.1.4.38.1", "1.2.840.10008.5.1.4.39.1", "1.2.840.10008.5.1.4.43.1")
EMPTY_PDF = (
    b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n"
    b"2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n"
    b"3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 72 72]>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n"
)

Face = Callable[[Any], bool]  # blanks the face in a data set's pixels; whether it did


@dataclass(frozen=True)
class Done:
    """What was written where (below the output folder), what was done, and what a person should know."""

    out: PurePosixPath
    counts: Counter[tuple[str, str]]
    notes: tuple[str, ...] = ()


def deidentify(
    path: Path,
    out: Path,
    *,
    key: Key,
    settings: Settings,
    face: Face | None = None,
    taken: Callable[[PurePosixPath], bool],
) -> Done:
    """Write the de-identified file below `out`, under names made from the key. Raises SetAside, OutputError.

    `taken` says whether a name has been given to another file of this run.
    """
    data = read(path)
    try:
        target = _place(data, path, key, taken)
        walk, notes = clean(data, key=key, settings=settings, face=face)
    except SetAside:
        raise
    except DAMAGE as error:
        raise SetAside("holds values that cannot be read") from error

    def write(temporary: Path) -> None:
        try:
            data.save_as(temporary, enforce_file_format="MediaStorageSOPClassUID" in data.file_meta)
        except DAMAGE as error:
            if isinstance(error, OSError):
                raise
            raise SetAside(
                "holds values that cannot be written, or has a transfer syntax that cannot be written"
            ) from error

    write_with(out / target, write)
    return Done(target, walk.counts, notes)


def clean(
    data: Any, *, key: Key, settings: Settings, face: Face | None = None
) -> tuple[Walk, tuple[str, ...]]:
    """De-identify a data set that is wholly in memory, in place; what was done, and notes."""
    sop_class = str(data.get("SOPClassUID") or "")
    subject = subject_of(data, key, settings)
    walk = Walk(key, settings, subject, sop_class, keep_items=_structured.refers_by_place(data))
    if settings.has("clean-graphics"):
        walk.clear_overlays = pixels.clear_overlays(data)
    pdf = str(data.get("MIMETypeOfEncapsulatedDocument") or "") == "application/pdf"
    notes, blanked = pixels.clean(data, settings, walk.counts)
    if "MOSAIC" in str(data.get("ImageType") or ""):
        notes = (
            *notes,
            "a mosaic: what says which way its slices go stands in a private element, and has gone",
        )
    defaced = face(data) if face is not None else False
    walk.apply(data)
    if pdf and "EncapsulatedDocument" in data:
        data.EncapsulatedDocument = EMPTY_PDF + b" " * (len(EMPTY_PDF) % 2)
        if "EncapsulatedDocumentLength" in data:
            data.EncapsulatedDocumentLength = len(EMPTY_PDF)
    if sop_class not in _NO_PATIENT:
        _mark(data, settings, pixels_cleaned=blanked, defaced=defaced)
    _meta(data, key)
    return walk, notes


def _mark(data: Any, settings: Settings, *, pixels_cleaned: bool, defaced: bool) -> None:
    """Say in the data set that it was de-identified, and how (PS3.15 E.1.1, E.3)."""
    data.PatientIdentityRemoved = "YES"
    data.DeidentificationMethod = [f"Vesalius {VERSION}", f"DICOM PS3.15 {EDITION} Annex E"]
    data.DeidentificationMethodCodeSequence = Sequence(
        _code(*code) for code in settings.codes(pixels=pixels_cleaned, face=defaced)
    )
    data.LongitudinalTemporalInformationModified = settings.temporal
    if pixels_cleaned:
        data.BurnedInAnnotation = "NO"
    if defaced:
        data.RecognizableVisualFeatures = "NO"


def _code(value: str, meaning: str) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, "DCM", meaning
    return item


def _meta(data: Any, key: Key) -> None:
    """New file meta information: nothing but what must be there; the preamble is zeros."""
    meta = FileMetaDataset()
    meta.FileMetaInformationVersion = b"\0\1"
    if "SOPClassUID" in data and "SOPInstanceUID" in data:
        meta.MediaStorageSOPClassUID = data.SOPClassUID
        meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID
    meta.TransferSyntaxUID = data.file_meta.TransferSyntaxUID
    meta.ImplementationClassUID = UID(IMPLEMENTATION)
    meta.ImplementationVersionName = "VESALIUS"
    data.file_meta = meta
    data.preamble = b"\0" * 128


def folder_of(data: Any, key: Key) -> PurePosixPath:
    """Return patient / study / series, each a keyed pseudonym of what the original said."""
    return PurePosixPath(
        f"patient-{key.pseudonym('patient', who_is(data))}",
        f"study-{key.pseudonym('study', text_of(data, 'StudyInstanceUID'), digits=8)}",
        f"series-{key.pseudonym('series', text_of(data, 'SeriesInstanceUID'), digits=8)}",
    )


def _place(data: Any, path: Path, key: Key, taken: Callable[[PurePosixPath], bool]) -> PurePosixPath:
    """Return where a copy lies: its folder and instance.dcm, a keyed pseudonym, too."""
    folder = folder_of(data, key)
    stem = key.pseudonym("instance", text_of(data, "SOPInstanceUID") or str(path), digits=16)
    found = folder / f"{stem}.dcm"
    return folder / f"{stem}-{key.pseudonym('path', str(path), digits=8)}.dcm" if taken(found) else found
