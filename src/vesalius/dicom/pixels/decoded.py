"""The pixels of a pydicom data set as they are stored, decoded so that damage is an error, not a panic.

For callers that hold a data set; images are read frame by frame by `pixels/frames.py`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from pydicom.encaps import generate_frames
from pydicom.pixels.utils import pixel_array

from vesalius.core.errors import FormatError
from vesalius.core.image import Array
from vesalius.dicom.damage import DAMAGE
from vesalius.dicom.pixels import streams

UNREADABLE: tuple[type[Exception], ...] = (*DAMAGE, RuntimeError, FormatError)  # what comes of damage


def is_encapsulated(data: Any) -> bool:
    """Return whether the pixels are compressed, in fragments, also for a transfer syntax unknown to pydicom."""
    return bool("PixelData" in data and data["PixelData"].is_undefined_length)


def frames(data: Any) -> Array:
    """Return `(frames, Y, X)` or `(frames, Y, X, samples)`, as stored. Raises what is UNREADABLE."""
    if is_encapsulated(data):
        if not has_decoder(data):
            return _by_imagecodecs(data)
        number, shape = int(data.get("NumberOfFrames") or 1), (int(data.Rows), int(data.Columns))
        for frame in generate_frames(data.PixelData, number_of_frames=number):
            streams.check(frame, shape, str(data.file_meta.TransferSyntaxUID), "a frame")
    pixels = np.asarray(pixel_array(data, raw=True))
    return pixels if int(data.get("NumberOfFrames") or 1) > 1 else pixels[None]


def has_decoder(data: Any) -> bool:
    """Return whether pydicom decodes this syntax; False for run lengths, whose decoder panics on damage."""
    syntax = str(data.file_meta.TransferSyntaxUID)
    return syntax != streams.RLE and bool(streams.plugins(syntax))


def _by_imagecodecs(data: Any) -> Array:
    """Return frames that pydicom has no decoder for here, such as lossless JPEG.

    Raises FormatError, or as decoders do.
    """
    syntax, rows, columns = str(data.file_meta.TransferSyntaxUID), int(data.Rows), int(data.Columns)
    decode, nbytes = streams.decoder(syntax), int(data.BitsAllocated) // 8
    samples = int(data.get("SamplesPerPixel") or 1)
    shape = (rows, columns, *((samples,) if samples > 1 else ()))
    if (decode is None and syntax != streams.RLE) or nbytes < 1:
        raise FormatError("no decoder is installed for it", found=syntax)
    found = []
    for frame in generate_frames(data.PixelData, number_of_frames=int(data.get("NumberOfFrames") or 1)):
        if decode is None:
            found.append(streams.rle(frame, rows * columns, samples, nbytes, "a frame").reshape(shape))
        else:
            streams.check(frame, (rows, columns), syntax, "a frame")
            found.append(decode(frame))
    pixels = np.stack(found).astype(f"u{nbytes}", copy=False)
    if pixels.shape[1:] != shape:
        raise FormatError("pixels of another shape than said", found=str(pixels.shape))
    return pixels.view(f"i{pixels.itemsize}") if data.get("PixelRepresentation") else pixels
