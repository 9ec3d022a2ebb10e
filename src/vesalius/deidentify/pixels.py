"""Pixels of one DICOM file: comments in compressed frames, overlays in spare bits, and text burned into the image."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
from pydicom.encaps import encapsulate, generate_fragments, generate_frames
from pydicom.uid import ExplicitVRLittleEndian

from vesalius.core.image import Array
from vesalius.deidentify import _boxes, _segments, ocr
from vesalius.deidentify._read import SetAside
from vesalius.deidentify.options import Settings
from vesalius.dicom.damage import DAMAGE
from vesalius.dicom.pixels import decoded, streams
from vesalius.dicom.pixels.decoded import is_encapsulated

READ_FRAMES = (
    48  # of a longer cine, so many are read, evenly spread; a box found in one is blacked out in all
)
_STREAMS = (
    "1.2.840.10008.1.2.4.5",
    "1.2.840.10008.1.2.4.7",
    "1.2.840.10008.1.2.4.8",
    "1.2.840.10008.1.2.4.9",
    "1.2.840.10008.1.2.4.11",
    "1.2.840.10008.1.2.4.20",
)
_VIDEO = "1.2.840.10008.1.2.4.10"
_NOT_SHOWN = ("SEG", "RTDOSE", "REG", "RWV")  # labels and quantities, not pictures of anything
_SECTIONS = ("CT", "MR", "PT", "NM")
_SUSPECT = ("US", "IVUS", "ES", "SC", "OT", "XC", "RF", "XA", "OP", "BMD", "ECG", "DOC")


def clean(data: Any, settings: Settings, counts: Counter[tuple[str, str]]) -> tuple[tuple[str, ...], bool]:
    """Change the pixels in place; notes for the report, and whether all text that could be found is gone.

    Raises SetAside where the pixels were to be looked at and cannot be decoded; MissingProgram without tesseract.
    """
    if "PixelData" not in data:
        return (), False
    if is_encapsulated(data):
        _strip_frames(data, counts)
        _spare_of_frames(data, counts)
    else:
        _spare(data, counts)
    if settings.has("clean-pixels"):
        return (), _blacken(data, counts)
    said = str(data.get("BurnedInAnnotation") or "")
    if said == "YES" or (said != "NO" and str(data.get("Modality") or "") in _SUSPECT):
        return ("may show burned-in text: the option clean-pixels was not asked for",), False
    return (), False


def _strip_frames(data: Any, counts: Counter[tuple[str, str]]) -> None:
    syntax = str(data.file_meta.TransferSyntaxUID)
    if syntax.startswith(_VIDEO) and len(data.PixelData):
        _strip_film(data, counts)
    if not syntax.startswith(_STREAMS) or len(data.PixelData) == 0:
        return
    number = int(data.get("NumberOfFrames") or 1)
    frames = list(generate_frames(data.PixelData, number_of_frames=number))
    stripped = [_segments.frame(frame) for frame in frames]
    if any(new + bytes(len(new) % 2) != old for new, old in zip(stripped, frames, strict=True)):
        data.PixelData = encapsulate(stripped)
        for keyword in ("ExtendedOffsetTable", "ExtendedOffsetTableLengths"):
            if keyword in data:
                delattr(data, keyword)
        counts["comments in compressed frames", "X"] += 1


def _strip_film(data: Any, counts: Counter[tuple[str, str]]) -> None:
    """Blank what an MP4 file tells beside its frames. Raises SetAside for a damaged one."""
    whole = b"".join(list(generate_fragments(data.PixelData))[1:])
    if whole[4:8] != b"ftyp":
        return
    try:
        stripped = _boxes.film(whole)
    except ValueError as error:
        raise SetAside("a video that is damaged") from error
    if stripped != whole:
        data.PixelData = encapsulate([stripped], has_bot=False)
        counts["comments in compressed frames", "X"] += 1


def _spare(data: Any, counts: Counter[tuple[str, str]]) -> None:
    """Clear the bits that no pixel uses (retired overlays live there) and drop bytes beyond the last pixel."""
    try:
        allocated = int(data.get("BitsAllocated") or 0)
        rows, columns = int(data.get("Rows") or 0), int(data.get("Columns") or 0)
        frames, samples = int(data.get("NumberOfFrames") or 1), int(data.get("SamplesPerPixel") or 1)
    except (TypeError, ValueError):
        return
    if str(data.get("PhotometricInterpretation") or "") == "YBR_FULL_422":
        samples = 2
    expected = (rows * columns * frames * samples * allocated + 7) // 8
    expected += expected % 2
    if 0 < expected < len(data.PixelData):
        data.PixelData = bytes(data.PixelData[:expected])
        counts["bytes after the pixels", "X"] += 1
    if allocated not in (8, 16, 32) or len(data.PixelData) % (allocated // 8):
        return
    big = data.original_encoding[1] is False
    pixels = np.frombuffer(data.PixelData, np.dtype(f"{'>' if big else '<'}u{allocated // 8}"))
    used = _used(pixels, data)
    if used is not None and not np.array_equal(used, pixels):
        data.PixelData = used.astype(pixels.dtype).tobytes()
        inside = any(tag.group & 0xFF00 == 0x6000 and tag.elem == 0x0102 for tag in list(data.keys()))
        counts["overlays" if inside else "bits that no pixel uses", "X"] += 1


def _used(pixels: Array, data: Any) -> Array | None:
    """Unsigned values with their stored bits alone, the sign carried on above; None where all bits are stored."""
    try:
        allocated = int(data.get("BitsAllocated") or 0)
        stored = int(data.get("BitsStored") or allocated)
        high = max(int(data.get("HighBit") or stored - 1), stored - 1)
    except (TypeError, ValueError):
        return None
    below = high + 1 - stored
    if not 0 < stored < allocated or high >= allocated:
        return None
    up = allocated - 1 - high
    moved = pixels.astype(f"u{allocated // 8}") << up
    if data.get("PixelRepresentation"):
        moved = moved.view(f"i{allocated // 8}")
    kept: Array = (moved >> up >> below << below).view(f"u{allocated // 8}")
    return kept


def _spare_of_frames(data: Any, counts: Counter[tuple[str, str]]) -> None:
    """The same of compressed frames whose streams have room for more bits than are stored.

    Where there is something in them the pixels are stored uncompressed from then on.
    """
    syntax = str(data.file_meta.TransferSyntaxUID)
    stored, allocated = int(data.get("BitsStored") or 0), int(data.get("BitsAllocated") or 0)
    if (
        int(data.get("SamplesPerPixel") or 1) != 1
        or not 0 < stored < allocated
        or syntax not in streams.EXACT
    ):
        return
    frames = generate_frames(data.PixelData, number_of_frames=int(data.get("NumberOfFrames") or 1))
    if all((streams.precision(frame) or allocated) <= stored for frame in frames):
        return
    pixels = _frames(data)
    raw = pixels.view(f"u{pixels.itemsize}")
    used = _used(raw, data)
    if used is not None and not np.array_equal(used, raw):
        blank(data, np.zeros(pixels.shape[1:3], bool), pixels=used.view(pixels.dtype))
        counts["bits that no pixel uses", "X"] += 1


def clear_overlays(data: Any) -> frozenset[int]:
    """Return groups of overlays that were looked at and hold no text. Raises MissingProgram."""
    clear = set()
    for group in {t.group for t in list(data.keys()) if t.group & 0xFF00 == 0x6000 and t.elem == 0x3000}:
        try:
            drawn = np.asarray(data.overlay_array(group))
        except DAMAGE:
            continue
        if not any(ocr.find(plane) for plane in drawn.reshape(-1, *drawn.shape[-2:])):
            clear.add(int(group))
    return frozenset(clear)


def _blacken(data: Any, counts: Counter[tuple[str, str]]) -> bool:
    """Black out what lies outside an ultrasound's regions, and text that is read inside."""
    ocr.require()
    if str(data.file_meta.TransferSyntaxUID).startswith(_VIDEO):
        raise SetAside("a video whose burned-in text cannot be cleaned", hint="convert it to single frames")
    modality, kind = str(data.get("Modality") or ""), data.get("ImageType") or ("",)
    if modality in _NOT_SHOWN or any(int(data.get(k) or 0) < 1 for k in ("Rows", "Columns")):
        return False
    rare = modality in _SECTIONS and "ORIGINAL" in kind
    frames = _frames(data)
    boxes = [box for n in _picked(len(frames)) for box in ocr.find(_luminance(frames[n], data), rare=rare)]
    mask = np.zeros(frames.shape[1:3], bool)
    for box in boxes:
        mask[box.top : box.bottom, box.left : box.right] = True
    outside = _outside_regions(data, mask.shape)
    if outside is not None:
        counts["pixels outside the ultrasound regions", "blackened"] += 1
        mask |= outside
    if boxes:
        counts["burned-in text", "blackened"] += 1
    if mask.any():
        blank(data, mask)
    return True


def _frames(data: Any) -> Array:
    """Return pixels as `(frames, Y, X)` or `(frames, Y, X, samples)`, in the colour space that is stored."""
    try:
        return decoded.frames(data)
    except decoded.UNREADABLE as error:
        raise SetAside("its pixels cannot be decoded, so burned-in text cannot be found") from error


def _picked(number: int) -> list[int]:
    if number <= READ_FRAMES:
        return list(range(number))
    return sorted({round(k * (number - 1) / (READ_FRAMES - 1)) for k in range(READ_FRAMES)})


def _luminance(frame: Array, data: Any) -> Array:
    if frame.ndim == 2:
        return frame
    if str(data.get("PhotometricInterpretation") or "").startswith("YBR"):
        return np.asarray(frame[..., 0])
    return np.asarray(frame.max(axis=-1))


def _outside_regions(data: Any, shape: tuple[int, ...]) -> Array | None:
    """True outside every region of SequenceOfUltrasoundRegions (PS3.3 C.8.5.5); None without regions."""
    regions = data.get("SequenceOfUltrasoundRegions") or ()
    outside, seen = np.ones(shape, bool), False
    for region in regions:
        names = ("RegionLocationMinY0", "RegionLocationMaxY1", "RegionLocationMinX0", "RegionLocationMaxX1")
        if all(name in region for name in names):
            top, bottom, left, right = (int(region[name].value) for name in names)
            if bottom > top and right > left:
                outside[top : bottom + 1, left : right + 1] = False
                seen = True
    return outside if seen else None


def blank(data: Any, mask: Array, *, pixels: Array | None = None, value: Any = None) -> None:
    """Write black, or another value, under the mask into every frame; compressed ones are stored uncompressed.

    `pixels` are the frames of a grey image, where they are known or no longer those that are there.
    """
    if pixels is None and is_encapsulated(data) and decoded.has_decoder(data):
        data.decompress(as_rgb=True, generate_instance_uid=False)
    shaped = (_frames(data) if pixels is None else pixels).copy()
    if is_encapsulated(data):
        data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        data["PixelData"].VR, data["PixelData"].is_undefined_length = "OW", False
        if shaped.ndim == 4:
            data.PlanarConfiguration = 0
    shaped[:, mask] = _black(data, shaped) if value is None else value
    if str(data.get("PhotometricInterpretation")) == "YBR_FULL_422":  # pixel_array has it upsampled
        data.PhotometricInterpretation = "YBR_FULL"
    if shaped.ndim == 4 and int(data.get("PlanarConfiguration") or 0) == 1:
        shaped = shaped.transpose(0, 3, 1, 2)
    if int(data.BitsAllocated) == 1:
        raw = np.packbits(shaped.reshape(-1).astype(np.uint8), bitorder="little").tobytes()
    else:
        big = data.file_meta.TransferSyntaxUID.is_little_endian is False
        raw = shaped.astype(shaped.dtype.newbyteorder(">" if big else "<")).tobytes()
    data.PixelData = raw + b"\0" * (len(raw) % 2)


def _black(data: Any, pixels: Array) -> Any:
    """Return the stored value that is shown black; of signed values the smallest there is."""
    photometric = str(data.get("PhotometricInterpretation") or "")
    if photometric == "MONOCHROME1":
        return pixels.max() if data.get("PixelRepresentation") else (1 << int(data.BitsStored)) - 1
    if photometric.startswith("YBR"):
        half = 1 << (int(data.BitsStored) - 1)
        return np.array([0, half, half], pixels.dtype)
    return pixels.min() if data.get("PixelRepresentation") else 0
