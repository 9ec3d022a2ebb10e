"""Marks: what an answer is known again by: its words and its numbers, each with what a difference is measured in."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

import numpy as np

from vesalius.core.image import Array, Image

CELLS = 4  # along each axis of the grid on which a field is known again
MOST = 2048  # numbers of one mark


@dataclass(frozen=True, slots=True)
class Mark:
    """A word, a number or a list of numbers of an answer, under a name that a reader understands.

    `unit` is what differences are measured in: 1 of probabilities, all voxels of counts; None says that the number has
    a unit of its own, and how widely it spreads is known elsewhere. `margin` says how far a word is from being another
    one, from 0 (a hair) to 1. `moved` says that the numbers count one thing by place, so that half of the sum of
    their differences is what lies elsewhere; of other lists the largest difference counts.
    """

    name: str
    value: str | float | tuple[float, ...]
    unit: float | None = 1.0
    margin: float | None = None
    moved: bool = False


def difference(expected: Mark, found: Mark) -> float:
    """Return how far two marks of one name lie apart, in units of the expected one; infinity where they cannot agree.

    Words are the same or infinitely far apart; so are lists of other lengths, and numbers of which one is not finite.
    """
    if isinstance(expected.value, str) or isinstance(found.value, str):
        return 0.0 if expected.value == found.value else math.inf
    one, other = (np.atleast_1d(np.asarray(m.value, dtype=np.float64)) for m in (expected, found))
    if one.shape != other.shape:
        return math.inf
    known = np.isfinite(one)
    if not np.array_equal(known, np.isfinite(other)):
        return math.inf
    apart = np.abs(one[known] - other[known])
    far = float(apart.sum() / 2 if expected.moved else apart.max(initial=0.0))
    return far / (expected.unit or 1.0)


def widest(expected: Mark, found: Mark) -> tuple[float | str, float | str]:
    """Return of two marks what differs most: the words, or the two numbers of a list that lie farthest apart."""
    one, other = expected.value, found.value
    if isinstance(one, tuple) and isinstance(other, tuple):
        if len(one) != len(other) or not one:
            return counted_numbers(one), counted_numbers(other)
        apart = np.abs(np.subtract(one, other))
        place = int(np.nanargmax(apart)) if np.isfinite(apart).any() else 0
        return one[place], other[place]
    return _plain(one), _plain(other)


def counted_numbers(value: tuple[float, ...]) -> str:
    """Return how many numbers a list has, in words."""
    return f"{len(value)} numbers"


def _plain(value: str | float | tuple[float, ...]) -> float | str:
    return counted_numbers(value) if isinstance(value, tuple) else value


def digest(text: str) -> str:
    """Return a short hash of a text that is to be known again and not to be repeated."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def cells(array: Any, *, most: int = CELLS) -> Iterator[Any]:
    """Yield the blocks of a field `(…, Z, Y, X)`, up to `most` along each of the last three axes, in order."""
    edges = []
    for n in array.shape[-3:]:
        parts = min(most, n)
        edges.append([k * n // parts for k in range(parts + 1)])
    for z in range(len(edges[0]) - 1):
        for y in range(len(edges[1]) - 1):
            for x in range(len(edges[2]) - 1):
                each = (slice(edge[k], edge[k + 1]) for edge, k in zip(edges, (z, y, x), strict=True))
                yield array[(..., *each)]


def means(name: str, field: Array) -> Mark:
    """Return a field `(C, Z, Y, X)` as the means of its blocks, where it has values; its unit is the field's spread."""
    found: list[float] = []
    for channel in field[:MOST]:
        for block in cells(channel):
            known = block[np.isfinite(block)]
            found.append(float(known.mean(dtype=np.float64)) if known.size else math.nan)
    known = field[np.isfinite(field)]
    spread = float(known.std(dtype=np.float64)) if known.size else 0.0
    largest = float(np.abs(known).max()) if known.size else 0.0
    return Mark(name, tuple(found[:MOST]), unit=spread or largest or 1.0)


def place(image: Image) -> list[Mark]:
    """Return the grid of an image and where that lies, as far as it is known."""
    grid = [Mark("grid", "×".join(map(str, image.array.shape)))]
    if image.affine is not None:
        numbers = tuple(float(x) for x in image.affine[:3].ravel())
        return [*grid, Mark("affine in mm", numbers, unit=max(map(abs, numbers)) or 1.0)]
    if image.spacing_mm is not None:
        return [*grid, Mark("spacing in mm", image.spacing_mm, unit=max(image.spacing_mm))]
    return grid


def counts(name: str, labels: Array, values: Sequence[int]) -> Mark:
    """Return label values `(Z, Y, X)` as how many voxels of each of `values` and of none lie in each block."""
    most = CELLS
    while most > 1 and (len(values) + 1) * most**3 > MOST:
        most -= 1
    found: list[float] = []
    for block in cells(labels, most=most):
        each = [int((block == value).sum()) for value in values]
        found += [*map(float, each), float(block.size - sum(each))]
    return Mark(name, tuple(found), unit=float(max(labels.size, 1)), moved=True)


def fields_of(thing: Any, name: str = "", *, left_out: Sequence[str] = ()) -> Iterator[Mark]:
    """Yield what any plain thing is known again by: the fields of dataclasses, items of mappings and of lists."""
    if isinstance(thing, bool | str):
        yield Mark(name, str(thing))
    elif isinstance(thing, int | float | np.number):
        yield Mark(name, float(thing), unit=None)
    elif isinstance(thing, np.ndarray):
        yield _array(name, thing)
    elif is_dataclass(thing) and not isinstance(thing, type):
        for field in fields(thing):
            if field.name not in left_out and field.metadata.get("stored", True):
                yield from fields_of(getattr(thing, field.name), _joined(name, field.name))
    elif isinstance(thing, Mapping):
        for key, value in thing.items():
            yield from fields_of(value, _joined(name, str(key)))
    elif isinstance(thing, list | tuple):
        for k, value in enumerate(thing):
            yield from fields_of(value, _joined(name, str(k + 1)))


def _joined(name: str, more: str) -> str:
    return f"{name} {more}".strip()


def _array(name: str, array: Array) -> Mark:
    if array.dtype.kind not in "biuf":
        return Mark(name, digest(repr(array.tolist())))
    flat = array.astype(np.float64).ravel()
    if flat.size <= MOST:
        return Mark(name, tuple(map(float, flat)), unit=spread_of(flat))
    edges = [k * flat.size // MOST for k in range(MOST)]
    sums = np.add.reduceat(flat, edges) / np.diff([*edges, flat.size])
    return Mark(name, tuple(map(float, sums)), unit=spread_of(flat))


def spread_of(numbers: Array) -> float:
    """Return how widely numbers spread: 1.5 times the median distance from the median, their deviation where that is 0.

    Of numbers that are all alike it is the number itself, and 1 where that is 0, so that it can be divided by.
    """
    known = numbers[np.isfinite(numbers)]
    if not known.size:
        return 1.0
    robust = 1.4826 * float(np.median(np.abs(known - np.median(known))))
    largest = float(np.abs(known).max())
    spread = robust or float(known.std())
    return max(spread, 1e-3 * largest) or 1.0
