"""Pictures: what is not pixels left out of PNG, JPEG, TIFF, GIF, BMP and WebP; burned-in text blacked out on demand."""

from __future__ import annotations

import io
import struct
from collections import Counter
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from PIL import Image as Pil
from PIL import ImageOps, UnidentifiedImageError

from vesalius.core import exif, file_io
from vesalius.core.disk import write_bytes
from vesalius.core.image import Array
from vesalius.deidentify import _chunks, _segments, _tiff, ocr
from vesalius.deidentify._read import SetAside
from vesalius.deidentify.dicom import Done
from vesalius.deidentify.options import Settings

_LARGEST = 1 << 31
_DAMAGE: tuple[type[Exception], ...] = (*file_io.DAMAGE, Pil.DecompressionBombError, UnidentifiedImageError)


def deidentify(path: Path, out: Path, target: PurePosixPath, *, settings: Settings) -> Done:
    """Write the copy; its pixels are bit for bit those of the original unless text was blacked out.

    What a picture is, its first bytes say. Raises SetAside, OutputError, MissingProgram.
    """
    if path.stat().st_size > _LARGEST:
        raise SetAside("too large for a picture")
    counts: Counter[tuple[str, str]] = Counter()
    data = path.read_bytes()
    try:
        clean = strip(data)
        with Pil.open(io.BytesIO(clean)) as picture:
            picture.load()
    except _DAMAGE as error:
        raise SetAside("damaged, or not a picture of a known kind") from error
    if len(clean) < len(data):
        counts["everything but pixels", "X"] += 1
    notes: tuple[str, ...] = ("may show burned-in text: the option clean-pixels was not asked for",)
    if settings.has("clean-pixels"):
        clean, notes = _blacken(clean, counts), ()
    write_bytes(out / target, clean)
    return Done(target, counts, notes)


def strip(data: bytes) -> bytes:
    """Return the same picture without comments, EXIF, profiles, thumbnails, private tags and bytes after its end.

    The orientation that EXIF gives it stays, and nothing else of EXIF, so that it is seen as before and fits its mask.
    Raises ValueError for what is none of the six kinds, or damaged.
    """
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return _chunks.png(data, _exif_of(data))
    if data.startswith(b"\xff\xd8"):
        clean, exif = _segments.jpeg(data), _exif_of(data)
        if exif:
            exif = b"Exif\0\0" + exif
            clean = clean[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + clean[2:]
        return clean
    if data[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        return _tiff.rewrite(data)
    if data[:6] in (b"GIF87a", b"GIF89a"):
        return _chunks.gif(data)
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return _chunks.webp(data, _exif_of(data))
    if data.startswith(b"BM"):
        return _bmp(data)
    raise ValueError("no known kind of picture")


def _exif_of(data: bytes) -> bytes:
    """EXIF that holds a picture's orientation and nothing else; empty where it has none."""
    with Pil.open(io.BytesIO(data)) as picture:
        tag = exif.orientation(picture)
    if tag is None:
        return b""
    return b"II*\0\x08\0\0\0\x01\0" + struct.pack("<HHIHH", exif.TAG, 3, 1, tag, 0) + b"\0\0\0\0"


def _bmp(data: bytes) -> bytes:
    with Pil.open(io.BytesIO(data)) as picture:
        buffer = io.BytesIO()
        picture.save(buffer, "BMP")
    return buffer.getvalue()


def _blacken(data: bytes, counts: Counter[tuple[str, str]]) -> bytes:
    """Return text blacked out; the picture is then written anew (JPEG at quality 95), its pages all kept."""
    with Pil.open(io.BytesIO(data)) as picture:
        kind = str(picture.format)
        pages = []
        found = False
        for n in range(getattr(picture, "n_frames", 1)):
            picture.seek(n)
            page = ImageOps.exif_transpose(picture)
            boxes = ocr.find(_grey(page))
            found = found or bool(boxes)
            for box in boxes:
                page.paste(_black(page), (box.left, box.top, box.right, box.bottom))
            pages.append(page.copy())
    if not found:
        return data
    counts["burned-in text", "blackened"] += 1
    buffer = io.BytesIO()
    options: dict[str, Any] = {"quality": 95, "subsampling": 0} if kind == "JPEG" else {}
    if kind == "WEBP":
        options = {"lossless": True}
    if len(pages) > 1:
        options |= {"save_all": True, "append_images": pages[1:]}
    pages[0].info.clear()
    pages[0].save(buffer, kind, **options)
    return buffer.getvalue()


def _grey(page: Pil.Image) -> Array:
    if page.mode in ("RGB", "RGBA", "CMYK", "YCbCr", "P", "PA", "LA"):
        return np.asarray(np.asarray(page.convert("RGB"), np.float32).max(axis=-1))
    return np.asarray(page, np.float32)


def _black(page: Pil.Image) -> int | tuple[int, ...]:
    bands = len(page.getbands())
    if page.mode in ("P", "PA"):
        colours = np.asarray(page.getpalette(), int).reshape(-1, 3).sum(axis=1)
        return int(colours.argmin())
    if page.mode == "CMYK":
        return (0, 0, 0, 255)
    if page.mode == "YCbCr":
        return (0, 128, 128)
    if page.mode in ("RGBA", "LA"):
        return (*(0,) * (bands - 1), 255)
    return 0 if bands == 1 else (0,) * bands
