"""Text in pictures, found by tesseract (the program, not a binding): boxes of the lines that it reads."""

from __future__ import annotations

import io
import os
import re
import shutil
import subprocess
from dataclasses import dataclass

import numpy as np
from PIL import Image as Picture
from scipy import ndimage

from vesalius.core.errors import MissingProgram
from vesalius.core.image import Array

SURE = 60.0  # per cent: such a word is text, and so is all that stands in its line, however badly it was read
SURE_IF_LONG = 35.0  # … or of four letters and more
STRICTER = 25.0  # per cent more where text is rare, and edges of anatomy are many
ENLARGED_TO = 1600  # pixels of the longer side: tesseract reads letters of some 20 pixels and more
BLUR = 6.0  # pixels: more than a letter's stroke, less than what letters stand on
FAINTEST = 4.0
_BLOCK = 96
_PAD = 12
_SECONDS = 120


@dataclass(frozen=True)
class Box:
    """Pixels `top` to `bottom` and `left` to `right`, ends excluded."""

    top: int
    bottom: int
    left: int
    right: int


def require() -> str:
    """Return where tesseract is. Raises MissingProgram."""
    found = shutil.which("tesseract")
    if found is None:
        raise MissingProgram("tesseract", "tesseract-ocr")
    return found


def find(plane: Array, *, rare: bool = False) -> list[Box]:
    """Return boxes around text in a grey plane `(Y, X)` of any range. Raises MissingProgram.

    `rare` asks for surer words: for a cross-section as the scanner made it, which seldom has text in it.
    """
    program = require()
    grey = _grey(plane)
    if grey is None:
        return []
    rows, columns = grey.shape
    scale = max(1, min(4, ENLARGED_TO // max(rows, columns)))
    # letters are as a rule the brightest thing there is; alone they are read where anatomy confuses
    bright = np.where(grey >= 235, 0, 255).astype(np.uint8)
    views = [255 - grey, bright] if np.median(grey) < 128 else [grey, bright]
    boxes = [b for view in views for b in _read(program, view, scale, STRICTER if rare else 0.0)]
    if not rare:
        boxes += [b for view in _faint(grey) for b in _read(program, view, scale, STRICTER)]
    boxes = [_original(box, scale, grey.shape) for box in boxes]
    return _lines(boxes, grey.shape)


def _faint(grey: Array) -> list[Array]:
    """Return what is a little brighter, and what a little darker, than what is around it: letters that others
    outshine.
    """
    values = grey.astype(np.float32)
    rest = ndimage.gaussian_filter(values, 0.7) - ndimage.gaussian_filter(values, BLUR)
    limit = np.maximum(FAINTEST, 4 * 1.4826 * _about(np.abs(rest)))  # of 255, and four times the noise there
    return [np.where(sign * rest > limit, 0, 255).astype(np.uint8) for sign in (1, -1)]


def _about(values: Array) -> Array:
    """Return the median of each square of `_BLOCK` pixels, the largest of its own and its neighbours', at every
    pixel.
    """
    rows, columns = values.shape
    whole = np.pad(values, ((0, -rows % _BLOCK), (0, -columns % _BLOCK)), mode="symmetric")
    squares = whole.reshape(whole.shape[0] // _BLOCK, _BLOCK, whole.shape[1] // _BLOCK, _BLOCK)
    medians = ndimage.maximum_filter(np.median(squares, axis=(1, 3)), 3)
    return np.asarray(medians.repeat(_BLOCK, 0).repeat(_BLOCK, 1)[:rows, :columns])


def _grey(plane: Array) -> Array | None:
    values = plane.astype(np.float32)
    low, high = float(values.min()), float(values.max())
    if not high > low:
        return None
    return ((values - low) * (255.0 / (high - low))).astype(np.uint8)


def _read(program: str, view: Array, scale: int, more: float) -> list[Box]:
    picture = Picture.fromarray(np.pad(view, _PAD, constant_values=255))
    picture = picture.resize((picture.width * scale, picture.height * scale), Picture.Resampling.BICUBIC)
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", compress_level=1, dpi=(150, 150))
    done = subprocess.run(
        [program, "stdin", "stdout", "--psm", "11", "tsv"],
        input=buffer.getvalue(),
        capture_output=True,
        timeout=_SECONDS,
        check=True,
        env={**os.environ, "OMP_THREAD_LIMIT": "1"},
    )
    return _words(done.stdout.decode("utf-8", "replace"), more)


def _words(table: str, more: float) -> list[Box]:
    """Return boxes of tesseract's words, line by line; only lines that hold a word which is surely one."""
    lines: dict[tuple[str, ...], list[tuple[Box, bool]]] = {}
    for row in table.splitlines()[1:]:
        cells = row.split("\t")
        letters = len(re.findall(r"\w", cells[11])) if len(cells) > 11 else 0
        if not letters:
            continue
        left, top, width, height = (int(cell) for cell in cells[6:10])
        if height >= width * 4:  # a column of edges, not a word
            continue
        sure = letters > 1 and float(cells[10]) >= (SURE_IF_LONG if letters > 3 else SURE) + more
        lines.setdefault(tuple(cells[1:5]), []).append((Box(top, top + height, left, left + width), sure))
    return [box for words in lines.values() if any(sure for _, sure in words) for box, _ in words]


def _original(box: Box, scale: int, shape: tuple[int, ...]) -> Box:
    """Return the box in the plane's own pixels, with a margin of a third of its height, and of a letter at either
    end.
    """
    height = (box.bottom - box.top) // scale
    margin, letter = max(2, height // 3), max(2, 2 * height // 3)
    top, bottom = box.top // scale - _PAD - margin, -(-box.bottom // scale) - _PAD + margin
    left, right = box.left // scale - _PAD - letter, -(-box.right // scale) - _PAD + letter
    return Box(max(top, 0), min(bottom, shape[0]), max(left, 0), min(right, shape[1]))


def _lines(boxes: list[Box], shape: tuple[int, ...]) -> list[Box]:
    """Return words of one line joined, so that a word between them that was not read goes as well."""
    merged: list[Box] = []
    for box in sorted(boxes, key=lambda b: (b.left, b.top)):
        for k, other in enumerate(merged):
            height = max(box.bottom - box.top, other.bottom - other.top)
            overlap = min(box.bottom, other.bottom) - max(box.top, other.top)
            if (
                overlap * 2 > min(box.bottom - box.top, other.bottom - other.top)
                and box.left - other.right < 2 * height
            ):
                merged[k] = Box(
                    min(box.top, other.top),
                    max(box.bottom, other.bottom),
                    other.left,
                    max(box.right, other.right),
                )
                break
        else:
            merged.append(box)
    return merged
