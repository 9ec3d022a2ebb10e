"""MPEG-2, H.264 and HEVC in DICOM: the frames of one stream, decoded in order by OpenCV's FFmpeg (LGPL).

OpenCV is the optional library `vesalius[video]`.
Source: PS3.5 8.2.5 to 8.2.8; PS3.5 annex A.4.5 to A.4.10.
"""

from __future__ import annotations

import importlib
import io
import os
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np

from vesalius.core.errors import FormatError, MissingExtra
from vesalius.core.image import Array
from vesalius.core.words import counted

SYNTAXES = tuple(
    f"1.2.840.10008.1.2.4.{k}{part}" for k in range(100, 109) for part in ("", ".1")
)  # each whole, and in fragments
_MOST_EARLY = 16  # frames


def opened(source: Any, path: Path) -> tuple[Any, Any]:
    """Return OpenCV's stream of a file by its name, or of bytes in memory, with OpenCV itself; FFmpeg says nothing.

    Raises FormatError, naming `path`, for what is no video that can be decoded, MissingExtra without OpenCV.
    """
    try:
        cv2: Any = importlib.import_module("cv2")
    except ImportError:
        raise MissingExtra("opencv-python-headless", "video") from None
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # FFmpeg's own words on standard error
    cv2.utils.logging.setLogLevel(0)
    try:
        stream = cv2.VideoCapture(source, cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, 1])
        good = stream.isOpened()
    except cv2.error:
        good = False
    if not good:
        raise FormatError(f"{path}: its pixels are no video that can be decoded")
    return stream, cv2


class Video:
    """The frames `(Y, X, 3)` of RGB of one stream of `(rows, columns)`. Raises FormatError, MissingExtra.

    Frames come quickest in order; an earlier one has the stream decoded anew. Threads may share it.
    """

    def __init__(self, data: bytes, shape: tuple[int, int], path: Path) -> None:
        self.data, self.shape, self.path = data, shape, path
        self._lock = Lock()
        self._stream: Any = None
        self._next = 0
        self._early: dict[
            int, Array
        ] = {}  # decoded on the way to a later one, which another thread asked for

    def plane(self, k: int) -> Array:
        """Return frame `k`."""
        with self._lock:
            if k in self._early:
                return self._early.pop(k)
            if self._stream is None or k < self._next:
                self._open()
            while self._next < k:
                at = self._next
                self._early[at] = self._decode()
                if len(self._early) > _MOST_EARLY:
                    del self._early[min(self._early)]
            return self._decode()

    def _open(self) -> None:
        self._early.clear()
        self._next = 0
        self._stream = None
        self._stream, _ = opened(io.BytesIO(self.data), self.path)

    def _decode(self) -> Array:
        good, frame = self._stream.read()
        if not good:
            raise FormatError(f"{self.path}: truncated", found=f"{counted(self._next, 'frame')} of video")
        if frame.shape != (*self.shape, 3):
            raise FormatError(
                f"{self.path}: its pixels are of another size than its header says",
                found=f"{frame.shape[0]} × {frame.shape[1]}, not {self.shape[0]} × {self.shape[1]}",
            )
        self._next += 1
        return np.ascontiguousarray(frame[..., ::-1])
