"""What a case is known again by, whatever its file is called: marks of its decoded pixels, and of its patient."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping

import numpy as np

from vesalius.cohorts import Decoded
from vesalius.core.course import Course
from vesalius.core.image import Array, Image
from vesalius.reliability.reports import text_hash

SHARED = 0.25  # of the cases: a channel that more of them hold (an atlas, a field of view) tells no case


class Marks:
    """An observer for `cohorts.check` that keeps some bytes of each case, by which another run knows it again.

    Of a case that has neither images nor time courses it is what its report says.

    It differs from the hash that finds exact duplicates in that a mark stays the same where a file stores the same
    values in another type, axis order or number of equal channels, as PNG, TIFF, DICOM and NIfTI do.
    """

    def __init__(self) -> None:
        self._pixels: dict[str, frozenset[str]] = {}
        self._patients: dict[str, str] = {}

    def __call__(self, decoded: Decoded) -> None:
        """Take in one case; faulty ones are passed over."""
        if decoded.fault is not None:
            return
        case = decoded.case
        pictures = frozenset(m for i in decoded.images.values() for m in picture_marks(i))
        marks = pictures.union(*(course_marks(c) for c in decoded.courses.values()))
        said = text_hash(case.report or "") if not marks else ""
        self._pixels[case.id] = marks | {said} if said else marks
        if case.patient is not None:
            self._patients[case.id] = patient_mark(case.patient)

    def pixels(self) -> Mapping[str, frozenset[str]]:
        """Return the marks of each case's pictures by case id, without those that tell no case."""
        counted = Counter(m for marks in self._pixels.values() for m in marks)
        most = max(3.0, SHARED * len(self._pixels))
        common = {mark for mark, n in counted.items() if n > most}
        return {case: (marks - common) or marks for case, marks in self._pixels.items()}

    def patients(self) -> Mapping[str, str]:
        """Return the mark of each case's patient by case id, where patients are known."""
        return self._patients


def patient_mark(patient: str) -> str:
    """Return a patient's mark; letter case and spaces around do not count."""
    return f"patient:{patient.strip().casefold()}"


def picture_marks(image: Image) -> frozenset[str]:
    """Return a mark for each channel (and time) of a picture, equal channels once.

    Constant channels only where all are.
    The same values give the same mark in any type of number, and mirrored or with exchanged axes.
    """
    channels = image.array.reshape(-1, *image.shape)  # (T · C, Z, Y, X)
    telling = [c for c in channels if c.min() != c.max()]
    return frozenset(_mark(c) for c in telling or channels)


def course_marks(course: Course) -> frozenset[str]:
    """Return a mark for each column of a time course, whatever the columns' order and type of number.

    Constant columns only where all are.
    """
    columns = [np.ascontiguousarray(c, np.float32) for c in course.values.T]
    telling = [c for c in columns if len(np.unique(c[np.isfinite(c)])) > 1]
    return frozenset(
        hashlib.blake2b(b"course" + c.tobytes(), digest_size=16).hexdigest() for c in telling or columns
    )


def _mark(channel: Array) -> str:
    """Return a hash of how much of which value lies in each plane across each of the axes `(Z, Y, X)`.

    Values are mixed to 64 bits and added up modulo 2^64, which no order of adding changes.
    """
    z, y, x = (np.zeros(n, dtype=np.uint64) for n in channel.shape)
    for k, plane in enumerate(channel):
        mixed = _mixed(plane)  # (Y, X)
        rows = mixed.sum(axis=1)
        z[k : k + 1] = rows.sum(keepdims=True)
        y += rows
        x += mixed.sum(axis=0)
    profiles = sorted(min(p.tobytes(), p[::-1].tobytes()) for p in (z, y, x))
    return hashlib.blake2b(b"|".join(profiles), digest_size=16).hexdigest()


def _mixed(plane: Array) -> Array:
    with np.errstate(over="ignore"):
        values = np.ascontiguousarray(plane, dtype=np.float32) + np.float32(0)  # no negative zero
    mixed = values.view(np.uint32).astype(np.uint64)
    mixed += np.uint64(0x9E3779B97F4A7C15)
    for factor, shift in ((0xBF58476D1CE4E5B9, 30), (0x94D049BB133111EB, 27)):  # splitmix64 (Steele 2014)
        mixed ^= mixed >> np.uint64(shift)
        mixed *= np.uint64(factor)
    mixed ^= mixed >> np.uint64(31)
    return mixed
