"""DICOM images: one file, or the files of one single-frame series, sorted by geometry; affine in LPS.

The modality's rescale is applied (CT in HU); windows, presentation and MONOCHROME1 are kept as `display` and never
applied. Compressed transfer syntaxes go through pydicom's decoders. A multi-frame object is a volume only if its
functional groups place each frame; otherwise the Ref's index picks one frame. Source: PS3.3 C.7.6.2, C.7.6.3, C.11.1.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from pydicom.errors import BytesLengthException, InvalidDicomError
from pydicom.pixels.processing import apply_color_lut, apply_modality_lut
from pydicom.pixels.utils import pixel_array

from vesalius.core.case import Ref
from vesalius.core.errors import FormatError
from vesalius.core.image import Array, Image, Source
from vesalius.formats import _dicom_elements as elements
from vesalius.formats import _files
from vesalius.formats._dicom_geometry import stack
from vesalius.formats._dicom_writer import write as write
from vesalius.formats._header import Header

SUFFIXES = (".dcm", ".dicom", ".ima")
MAGIC = ((128, b"DICM"),)
HOLDS = "Image"
WRITES = ("Mask", "Map", "Scores", "Value", "Boxes", "Text")
NEEDS = ("source",)

MOST_BYTES = 1 << 32  # of one file's decoded pixels
_MOST_INFLATED = 1 << 28  # of a deflated data set
_DEFLATED = "1.2.840.10008.1.2.1.99"
_NOT_IMAGES = ("SEG", "RTSTRUCT", "RTDOSE", "RTPLAN", "SR", "PR", "KO", "REG")
_DAMAGE = (BytesLengthException, InvalidDicomError)
_COLOURS = ("red", "green", "blue")


@dataclass(frozen=True)
class Series:
    """Files of one series that may be read together, and what names them."""

    ref: Ref
    series_uid: str
    study_uid: str | None
    patient_id: str | None
    modality: str | None
    description: str | None
    number: int | None


def series(paths: Iterable[Path]) -> tuple[tuple[Series, ...], tuple[tuple[Path, str], ...]]:
    """Group files into series, and say of each other file why it is not among them.

    Files of one series that differ in orientation or size (localisers) form series of their own.
    """
    groups: dict[tuple[Any, ...], list[tuple[Path, Any]]] = {}
    left: list[tuple[Path, str]] = []
    for path in paths:
        try:
            head = _head(path)
            with _files.typed_errors(path, *_DAMAGE):
                orientation = tuple(
                    round(float(v), 2) + 0.0 for v in head.get("ImageOrientationPatient") or ()
                )
                alone = str(path) if int(head.get("NumberOfFrames") or 1) > 1 or not orientation else ""
                uid = str(head.get("SeriesInstanceUID") or path)
                key = (uid, orientation, int(head.Rows), int(head.Columns), alone)
        except FormatError as error:
            left.append((path, str(error)))
            continue
        groups.setdefault(key, []).append((path, head))
    found = []
    for (uid, *_), files in groups.items():
        head = files[0][1]
        found.append(
            Series(
                ref=Ref(paths=tuple(sorted(p for p, _ in files))),
                series_uid=uid,
                study_uid=elements.text(head, "StudyInstanceUID"),
                patient_id=elements.text(head, "PatientID"),
                modality=elements.text(head, "Modality"),
                description=elements.text(head, "SeriesDescription"),
                number=elements.integer(head, "SeriesNumber"),
            )
        )
    return tuple(found), tuple(left)


def header(ref: Ref) -> Header:
    """Shape and geometry from the data elements, without decoding pixels."""
    with _files.typed_errors(ref, *_DAMAGE):
        loaded = _Stack(ref)
        channels = 3 if loaded.colour else 1
        image = loaded.image(np.broadcast_to(np.zeros((), loaded.dtype), (channels, *loaded.shape)))
        return Header(
            shape=loaded.shape,
            dtype=loaded.dtype.name,
            channels=channels,
            items=loaded.frames,
            affine=image.affine,
            spacing_mm=image.spacing_mm,
            spacing_at=image.spacing_at,
            modality=image.modality,
        )


def read(ref: Ref) -> Image:
    """Read a plane, a series or a placed multi-frame object as `(1 or 3, Z, Y, X)`.

    Values after the modality's rescale: int16 or int32 where that is exact, otherwise float32.
    Raises FormatError for all that is damaged, unplaced, uneven or not an image.
    """
    with _files.typed_errors(ref, *_DAMAGE):
        loaded = _Stack(ref)
        return loaded.image(loaded.pixels())


class _Stack:
    """The headers of a Ref's planes, in spatial order, and what follows from them."""

    def __init__(self, ref: Ref) -> None:
        self.ref = ref
        self.heads = [_head(path) for path in ref.paths]
        first = self.heads[0]
        self.frames = int(first.get("NumberOfFrames") or 1)
        self.groups = elements.functional_groups(first, self.frames)
        many = len(self.heads) > 1
        if many and any(int(h.get("NumberOfFrames") or 1) > 1 for h in self.heads):
            raise FormatError(f"{ref}: several multi-frame files", hint="one reference for each file")
        self._check_alike()
        if many:
            planes = [elements.plane(head, None) for head in self.heads]
        elif self.frames == 1:
            planes = [elements.plane(first, None)]
        elif ref.index is not None:
            if not 0 <= ref.index < self.frames:
                raise FormatError(f"{ref}: no such frame", found=f"{self.frames} frames")
            planes = [elements.plane(first, self.groups[ref.index] if self.groups else None)]
        elif not self.groups:
            hint = "one frame by the reference's index"
            raise FormatError(
                f"{ref}: frames without a place in space", found=f"{self.frames} frames", hint=hint
            )
        else:
            planes = [elements.plane(first, group) for group in self.groups]
        self.order, self.affine, self.spacing = stack(planes)
        self.spacing_at = planes[0].spacing_at
        self.shape = (len(planes), int(first.Rows), int(first.Columns))
        self.colour = (
            int(first.get("SamplesPerPixel") or 1) == 3 or elements.photometric(first) == "PALETTE COLOR"
        )
        self.dtype = self._dtype()

    def _check_alike(self) -> None:
        def kind(head: Any) -> tuple[Any, ...]:
            series_uid = str(head.get("SeriesInstanceUID", ""))
            return series_uid, int(head.Rows), int(head.Columns), int(head.get("SamplesPerPixel") or 1)

        kinds = {kind(head) for head in self.heads}
        if len(kinds) > 1:
            raise FormatError(f"{self.ref}: files of several series or sizes", found=f"{len(kinds)} kinds")
        _, rows, columns, samples = kinds.pop()
        if rows < 1 or columns < 1:
            raise FormatError(f"{self.ref}: an image without pixels", found=f"{rows} × {columns}")
        bits = int(self.heads[0].get("BitsAllocated") or 8)
        if rows * columns * samples * self.frames * max(bits, 8) // 8 > MOST_BYTES:
            raise FormatError(
                f"{self.ref}: its header claims too much", found=f"{self.frames} × {rows} × {columns}"
            )

    def _rescales(self) -> list[tuple[float, float]]:
        """Slope and intercept of each plane, in the planes' own order."""
        if len(self.heads) > 1 or not self.groups:
            return [elements.rescale(head, None) for head in self.heads]
        picked = self.groups if self.ref.index is None else [self.groups[self.ref.index]]
        return [elements.rescale(self.heads[0], group) for group in picked]

    def _dtype(self) -> np.dtype[Any]:
        first = self.heads[0]
        if self.colour:
            deep = int(first.BitsAllocated) > 8
            if elements.photometric(first) == "PALETTE COLOR":
                deep = int(first.RedPaletteColorLookupTableDescriptor[2]) > 8
            return np.dtype(np.uint16 if deep else np.uint8)
        if "FloatPixelData" in first:
            return np.dtype(np.float32)
        if "DoubleFloatPixelData" in first:
            return np.dtype(np.float64)
        if "ModalityLUTSequence" in first:
            return np.dtype(np.float32)
        rescales = self._rescales()
        if any(slope != 1 or inter != int(inter) for slope, inter in rescales):
            return np.dtype(np.float32)
        bits = max(int(h.get("BitsStored") or h.BitsAllocated) for h in self.heads)
        signed = any(int(h.get("PixelRepresentation") or 0) for h in self.heads)
        low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
        low, high = low + int(min(i for _, i in rescales)), high + int(max(i for _, i in rescales))
        for kind in (np.uint8, np.int16, np.uint16, np.int32):
            if np.iinfo(kind).min <= low and high <= np.iinfo(kind).max:
                return np.dtype(kind)
        return np.dtype(np.float64)

    def pixels(self) -> Array:
        out = np.empty((3 if self.colour else 1, *self.shape), self.dtype)
        rescales = self._rescales()
        if len(self.heads) == 1 and self.frames > 1:
            data = _dataset(self.ref.paths[0], self.ref)
            for z, k in enumerate(self.order):
                frame = k if self.ref.index is None else self.ref.index
                self._place(out, z, data, frame, rescales[k if len(rescales) > 1 else 0])
            return out
        for z, k in enumerate(self.order):
            self._place(out, z, _dataset(self.ref.paths[k], self.ref), None, rescales[k])
        return out

    def _place(self, out: Array, z: int, data: Any, frame: int | None, rescale: tuple[float, float]) -> None:
        plane = self._decode(data, frame)
        if elements.photometric(data) == "PALETTE COLOR":
            plane = apply_color_lut(plane, data)[..., :3]
        if plane.shape[:2] != self.shape[1:]:
            raise FormatError(f"{self.ref}: pixels of another shape than said", found=str(plane.shape))
        if self.colour:
            out[:, z] = plane.transpose(2, 0, 1)
            return
        if "ModalityLUTSequence" in data:
            out[0, z] = apply_modality_lut(plane, data)
            return
        slope, inter = rescale
        if (slope, inter) == (1.0, 0.0):
            out[0, z] = plane
        elif out.dtype.kind in "iu":
            out[0, z] = plane.astype(np.int64) + int(inter)
        else:
            out[0, z] = plane * np.float64(slope) + inter

    def _decode(self, data: Any, frame: int | None) -> Array:
        try:
            return np.asarray(pixel_array(data, index=frame))
        except RuntimeError as error:
            if "missing dependencies" not in str(error):
                raise
            syntax = data.file_meta.TransferSyntaxUID.name
            hint = "pip install python-gdcm, or decompress it first (gdcmconv, dcmdjpeg)"
            raise FormatError(
                f"{self.ref}: no decoder is installed for it", found=syntax, hint=hint
            ) from error

    def image(self, array: Array) -> Image:
        first = self.heads[0]
        placed_at = self.spacing_at if self.spacing is not None else None
        image = Image(array=array, affine=self.affine, spacing_mm=self.spacing, spacing_at=placed_at)
        uids = (
            [elements.text(self.heads[k], "SOPInstanceUID") for k in self.order]
            if len(self.heads) > 1
            else []
        )
        uids = uids or [elements.text(first, "SOPInstanceUID")]
        return replace(
            image,
            unit=self._unit(),
            modality=elements.text(first, "Modality"),
            channels=_COLOURS if self.colour else (),
            display=elements.display(first),
            source=Source(
                study_uid=elements.text(first, "StudyInstanceUID"),
                series_uid=elements.text(first, "SeriesInstanceUID"),
                frame_of_reference_uid=elements.text(first, "FrameOfReferenceUID"),
                sop_uids=tuple(uid for uid in uids if uid),
            ),
        )

    def _unit(self) -> str | None:
        first = self.heads[0]
        said = elements.text(first, "RescaleType")
        rescaled = "RescaleSlope" in first or bool(self.groups)
        return (
            "HU"
            if said == "HU" or (said is None and elements.text(first, "Modality") == "CT" and rescaled)
            else None
        )


def _head(path: Path) -> Any:
    """A data set up to its pixels; they are known to be there and to be an image's. Raises FormatError."""
    with _files.typed_errors(path, *_DAMAGE):
        _check_deflated(path)
        head = pydicom.dcmread(path, stop_before_pixels=True)
        modality = elements.text(head, "Modality") or "unknown modality"
        if modality in _NOT_IMAGES or "Rows" not in head or "Columns" not in head:
            raise FormatError(f"{path}: a DICOM object without an image", found=modality)
        return head


def _dataset(path: Path, ref: Ref) -> Any:
    data = pydicom.dcmread(path)
    if not any(name in data for name in ("PixelData", "FloatPixelData", "DoubleFloatPixelData")):
        raise FormatError(f"{ref}: a DICOM image without its pixels", found=path.name)
    return data


def _check_deflated(path: Path) -> None:
    """Refuse a deflated data set that grows beyond reason, before pydicom inflates it whole."""
    meta = pydicom.filereader.read_file_meta_info(path)
    if str(meta.get("TransferSyntaxUID", "")) != _DEFLATED:
        return
    loose, total = zlib.decompressobj(-zlib.MAX_WBITS), 0
    with path.open("rb") as file:
        pydicom.filereader.read_preamble(file, False)
        file.seek(128 + 4 + 12 + int(meta.FileMetaInformationGroupLength))
        while not loose.eof and (fresh := loose.unconsumed_tail or file.read(_files.CHUNK)):
            total += len(loose.decompress(fresh, _files.CHUNK))
            if total > _MOST_INFLATED:
                raise FormatError(
                    f"{path}: its deflated data set grows too large", found=f"over {total:,} bytes"
                )
