"""Video: mp4, mov and AVI as cines `(T, C, 1, Y, X)` of 8 bits, decoded by OpenCV's FFmpeg where it is installed.

A video whose red, green and blue are equal in every pixel of every frame, but for what a codec rounds (8 of 255), is
grey, as ultrasound machines save it: the mean of the three. Times are those of the frames where these lie unevenly, and
else follow from the frame rate. What the file says of how it is to be turned is applied. OpenCV is the optional library
`vesalius[video]`. Containers are walked before anything is decoded (boxes of ISO/IEC 14496-12, chunks of RIFF), so
that a file that was cut short is known as such, and fewer frames than the file counts are refused, too.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import BinaryIO

import numpy as np

from vesalius.core import file_io
from vesalius.core.case import Ref
from vesalius.core.channels import COLOURS
from vesalius.core.errors import FormatError
from vesalius.core.header import Header
from vesalius.core.image import Array, Image
from vesalius.core.words import counted
from vesalius.dicom.pixels.video import opened

SUFFIXES = (".mp4", ".m4v", ".mov", ".avi")
MAGIC = (
    (8, b"AVI LIST"),
    (4, b"ftypisom"),
    (4, b"ftypiso2"),
    (4, b"ftypmp4"),
    (4, b"ftypM4V"),
    (4, b"ftypqt"),
    (4, b"ftypavc1"),
)
HOLDS = "Image"
WRITES = ()

MOST_BYTES = 1 << 32  # of all frames in colour
_ROUNDED = 8  # by which channels of a grey video differ after it was coded in blue and red differences
_UNEVEN = 0.2  # of the median interval, by which intervals of an even video may differ


def header(ref: Ref) -> Header:
    """Return what `read` would: whether all frames are grey is not known before they are decoded."""
    image = read(ref)
    return Header(
        shape=image.shape,
        dtype=image.array.dtype.name,
        channels=int(image.array.shape[-4]),
        frames=1 if image.times_s is None else len(image.times_s),
        times_s=image.times_s,
        items=1 if image.times_s is None else len(image.times_s),
    )


def read(ref: Ref) -> Image:
    """Read all frames with their times in seconds from the first; one frame as a picture where the Ref has its index.

    Raises FormatError for a file that was cut short, holds no frames, too many, or says no frame rate, MissingExtra
    where OpenCV is not installed.
    """
    path = file_io.one_file(ref)
    _assert_whole(path)
    frames, times = _decoded(path)
    if ref.index is not None:
        if not 0 <= ref.index < len(frames):
            raise FormatError(f"{ref}: no such frame", found=counted(len(frames), "frame"))
        return Image(array=frames[ref.index], channels=COLOURS if frames.shape[1] == 3 else ())
    return Image(array=frames, times_s=times, channels=COLOURS if frames.shape[1] == 3 else ())


def _decoded(path: Path) -> tuple[Array, tuple[float, ...]]:
    """Return the frames `(T, C, 1, Y, X)` of uint8 and their times in seconds."""
    stream, cv2 = opened(str(path), path)
    said = int(stream.get(cv2.CAP_PROP_FRAME_COUNT))
    size = int(stream.get(cv2.CAP_PROP_FRAME_HEIGHT)) * int(stream.get(cv2.CAP_PROP_FRAME_WIDTH))
    if said * size * 3 > MOST_BYTES:
        raise FormatError(
            f"{path}: too large for a video", found=f"{counted(said, 'frame')} of {size:,} pixels"
        )
    rate = float(stream.get(cv2.CAP_PROP_FPS))
    planes: list[Array] = []
    stamps: list[float] = []
    grey = True
    while True:
        good, frame = stream.read()
        if not good:
            break
        frame = frame if frame.ndim == 3 else np.repeat(frame[..., None], 3, axis=-1)
        stamps.append(float(stream.get(cv2.CAP_PROP_POS_MSEC)) / 1000)
        grey = grey and int(np.ptp(frame, axis=-1).max()) <= _ROUNDED
        planes.append(frame[..., ::-1])
        if len(planes) * frame.size > MOST_BYTES:
            raise FormatError(
                f"{path}: too large for a video", found=f"more than {counted(len(planes), 'frame')}"
            )
    if not planes:
        raise FormatError(f"{path}: no frame of it can be decoded")
    if len(planes) < said:
        raise FormatError(f"{path}: truncated or damaged", found=f"{len(planes)} of {counted(said, 'frame')}")
    if len({p.shape for p in planes}) > 1:
        raise FormatError(
            f"{path}: frames of several sizes", found=str(sorted({p.shape[:2] for p in planes})[:3])
        )
    array = np.stack([_mean(p) if grey else p for p in planes])  # (T, Y, X, C)
    array = np.ascontiguousarray(np.moveaxis(array, -1, 1)[:, :, None])
    return array, _times(path, len(planes), rate, stamps)


def _mean(plane: Array) -> Array:
    """Return the rounded mean of the channels of `(Y, X, 3)`, `(Y, X, 1)`; that of equal ones is their value."""
    total = plane.sum(axis=-1, keepdims=True, dtype=np.uint16)
    mean: Array = ((total + 1) // 3).astype(np.uint8)
    return mean


def _times(path: Path, frames: int, rate: float, stamps: list[float]) -> tuple[float, ...]:
    """Return when each frame is shown, from the first on. Raises FormatError where the file does not say it."""
    gaps = np.diff(stamps)
    if len(gaps) and (gaps > 0).all():
        middle = float(np.median(gaps))
        if float(np.abs(gaps - middle).max()) > _UNEVEN * middle:
            return tuple(round(s - stamps[0], 6) for s in stamps)
    if not np.isfinite(rate) or not 0 < rate < 100_000:
        raise FormatError(f"{path}: the file says no frame rate", found=f"{rate:g}")
    return tuple(k / rate for k in range(frames))


def _assert_whole(path: Path) -> None:
    """Raise FormatError unless the parts that a container names lie in the file as long as they say to be."""
    size = path.stat().st_size
    with path.open("rb") as file:
        start = file.read(12)
        if start[:4] == b"RIFF" and start[8:12] == b"AVI ":
            _assert_riff(file, path, size)
        elif len(start) == 12 and start[4:8] in (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip"):
            _assert_boxes(file, path, size)
        else:
            raise FormatError(f"{path}: damaged, or not a video", found="first bytes of no AVI, mp4 or mov")


def _assert_riff(file: BinaryIO, path: Path, size: int) -> None:
    at = 0
    while at + 8 <= size:  # one after the other where an AVI is longer than 1 GB
        file.seek(at)
        name, length = struct.unpack("<4sI", file.read(8))
        if name != b"RIFF":
            return
        if at + 8 + length > size:
            raise FormatError(f"{path}: truncated", found=f"{size:,} of {at + 8 + length:,} bytes")
        at += 8 + length + length % 2


def _assert_boxes(file: BinaryIO, path: Path, size: int) -> None:
    at, names = 0, set()
    while at + 8 <= size:
        file.seek(at)
        length, name = struct.unpack(">I4s", file.read(8))
        if length == 1:
            large = file.read(8)
            length = struct.unpack(">Q", large)[0] if len(large) == 8 else 0
            if length < 16:
                raise FormatError(f"{path}: damaged", found=f"a box of {length} bytes at {at:,}")
        elif length == 0:  # to the end of the file
            length = size - at
        elif length < 8:
            raise FormatError(f"{path}: damaged", found=f"a box of {length} bytes at {at:,}")
        names.add(name)
        if at + length > size:
            raise FormatError(f"{path}: truncated", found=f"{size:,} of {at + length:,} bytes")
        at += length
    if b"moov" not in names:
        raise FormatError(f"{path}: truncated", found="no index of its frames (moov)")
