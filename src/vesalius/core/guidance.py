"""Guidance: the strokes by which a person shows a model one object: points, boxes and scribbles that add or remove."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np

from vesalius.core.case import Prompt
from vesalius.core.errors import DataError
from vesalius.core.image import Array

Kind = Literal["point", "box", "scribble"]
Place = tuple[float, float, float]
KINDS: tuple[str, ...] = get_args(Kind)
MOST_PLACES = 4096  # of one stroke: a hand that draws for a minute gives fewer
MOST_STROKES = 1000


@dataclass(frozen=True, slots=True)
class Stroke:
    """One mark of a person on an image.

    `places` are indices `(z, y, x)` in the reference image's array, where whole numbers are the middles of voxels; a
    picture has z = 0. A point has one place, a box two opposite corners, both of which belong to it, and a scribble the
    places that its line goes through. `adds` says that the object is there, otherwise that it is not; a box that adds
    says that the object lies within it. Raises DataError.
    """

    kind: Kind
    places: tuple[Place, ...]
    adds: bool = True

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise DataError("an unknown kind of stroke", found=repr(self.kind), hint=" or ".join(KINDS))
        if not isinstance(self.adds, bool):
            raise DataError("whether a stroke adds is true or false", found=repr(self.adds))
        object.__setattr__(self, "places", tuple(_place(p) for p in self.places))
        wanted = {"point": 1, "box": 2}.get(self.kind)
        if wanted is not None and len(self.places) != wanted:
            raise DataError(
                f"a {self.kind} has {wanted} place{'s' if wanted > 1 else ''}", found=str(len(self.places))
            )
        if not 0 < len(self.places) <= MOST_PLACES:
            raise DataError(f"a scribble has 1 to {MOST_PLACES} places", found=str(len(self.places)))

    def json(self) -> dict[str, Any]:
        """Return the stroke as JSON takes it."""
        return {"kind": self.kind, "adds": self.adds, "places": [list(p) for p in self.places]}

    @classmethod
    def of(cls, found: object) -> Stroke:
        """Return a stroke of what JSON held; `adds` may be left out and is then true. Raises DataError."""
        if not isinstance(found, Mapping) or not isinstance(found.get("places"), list | tuple):
            raise DataError("a stroke has a kind and places", found=repr(found)[:80])
        if unknown := set(found) - {"kind", "adds", "places"}:
            raise DataError("a stroke has kind, adds and places", found=", ".join(sorted(map(str, unknown))))
        return cls(kind=found.get("kind", ""), places=tuple(found["places"]), adds=found.get("adds", True))

    def within(self, shape: tuple[int, int, int]) -> bool:
        """Return whether all places lie inside an image of this shape `(Z, Y, X)`."""
        return all(-0.5 <= a < n - 0.5 for place in self.places for a, n in zip(place, shape, strict=True))

    def corners(self) -> tuple[tuple[int, int, int], tuple[int, int, int]]:
        """Return the lowest voxel that the stroke touches, and the one beyond the highest."""
        voxels = np.array([_voxel(p) for p in self.places])
        low, high = voxels.min(axis=0), voxels.max(axis=0) + 1
        return (int(low[0]), int(low[1]), int(low[2])), (int(high[0]), int(high[1]), int(high[2]))

    def voxels(self) -> Array:
        """Return the voxels that the stroke marks, `(N, 3)`: its point, its line, or all within its box."""
        if self.kind == "box":
            low, high = self.corners()
            grid = np.meshgrid(*(np.arange(a, b) for a, b in zip(low, high, strict=True)), indexing="ij")
            return np.stack([g.reshape(-1) for g in grid], axis=1)
        lines = [np.array([_voxel(self.places[0])])]
        for start, end in zip(self.places, self.places[1:], strict=False):
            lines.append(_line(np.array(_voxel(start)), np.array(_voxel(end))))
        return np.unique(np.concatenate(lines), axis=0)


@dataclass(frozen=True, slots=True)
class Guidance:
    """The strokes about one object in the order in which they were made. Raises DataError where there are too many."""

    strokes: tuple[Stroke, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "strokes", tuple(self.strokes))
        if len(self.strokes) > MOST_STROKES:
            raise DataError(f"at most {MOST_STROKES} strokes about one object", found=str(len(self.strokes)))

    def added(self, stroke: Stroke) -> Guidance:
        """Return the guidance with one more stroke."""
        return Guidance((*self.strokes, stroke))

    def undone(self) -> Guidance:
        """Return the guidance without its last stroke. Raises DataError where there is none."""
        if not self.strokes:
            raise DataError("there is no stroke to undo")
        return Guidance(self.strokes[:-1])

    def json(self) -> dict[str, Any]:
        """Return the strokes as JSON takes them."""
        return {"strokes": [s.json() for s in self.strokes]}

    @classmethod
    def of(cls, found: object) -> Guidance:
        """Return the guidance of what JSON held: `{"strokes": [...]}` or the list alone. Raises DataError."""
        strokes = found.get("strokes") if isinstance(found, Mapping) else found
        if not isinstance(strokes, list | tuple):
            raise DataError("guidance is a list of strokes", found=repr(found)[:80])
        return cls(tuple(Stroke.of(s) for s in strokes))

    @classmethod
    def of_prompts(cls, prompts: Iterable[Prompt]) -> Guidance:
        """Return the strokes that a case's prompts are; their labels are left out. Raises DataError."""
        kinds: dict[str, Kind] = {"click": "point", "box": "box", "scribble": "scribble"}
        return cls(tuple(Stroke(kinds[p.kind], p.points, p.inside) for p in prompts))

    def prompts(self, label: str | None = None) -> tuple[Prompt, ...]:
        """Return the strokes as a case carries them, about a label where one is meant."""
        return tuple(
            Prompt("click" if s.kind == "point" else s.kind, s.places, label, s.adds) for s in self.strokes
        )

    def assert_within(self, shape: tuple[int, int, int]) -> None:
        """Raise DataError where a stroke lies outside of an image of this shape `(Z, Y, X)`."""
        for k, stroke in enumerate(self.strokes, start=1):
            assert_within(stroke, shape, name=f"stroke {k}")


def assert_within(stroke: Stroke, shape: tuple[int, int, int], *, name: str = "the stroke") -> None:
    """Raise DataError where a stroke lies outside of an image of this shape `(Z, Y, X)`."""
    if not stroke.within(shape):
        outside = next(p for p in stroke.places if not Stroke("point", (p,)).within(shape))
        raise DataError(
            f"{name} lies outside of the image",
            found=f"({', '.join(f'{a:g}' for a in outside)}) in an image of {' × '.join(map(str, shape))}",
            hint="indices (z, y, x) of the image's own array, from 0",
        )


def strokes_by_case(found: object) -> dict[str, Guidance]:
    """Return the guidance of each case of what JSON held: case id → strokes. Raises DataError, naming the case."""
    if not isinstance(found, Mapping):
        raise DataError("strokes are given by case id", found=type(found).__name__)
    made: dict[str, Guidance] = {}
    for case, strokes in found.items():
        try:
            made[str(case)] = Guidance.of(strokes)
        except DataError as e:
            raise DataError(f"case {case}: {e.what}", found=e.found, hint=e.hint) from e
    return made


def marks_of(strokes: Iterable[Stroke], shape: tuple[int, int, int]) -> Array:
    """Return what strokes say of each voxel `(Z, Y, X)`, int8: 1 it belongs to the object, -1 it does not, 0 nothing.

    A later stroke stands above an earlier one. A box that adds says nothing of any single voxel.
    """
    marks = np.zeros(shape, np.int8)
    for stroke in strokes:
        if stroke.kind == "box":
            if not stroke.adds:
                low, high = stroke.corners()
                marks[low[0] : high[0], low[1] : high[1], low[2] : high[2]] = -1
            continue
        z, y, x = stroke.voxels().T
        marks[z, y, x] = 1 if stroke.adds else -1
    return marks


def _place(found: object) -> Place:
    """Return three finite numbers. Raises DataError."""
    numbers = list(found) if isinstance(found, list | tuple | np.ndarray) else []
    real = all(
        isinstance(a, int | float | np.integer | np.floating) and not isinstance(a, bool) for a in numbers
    )
    if len(numbers) != 3 or not real or not all(math.isfinite(a) for a in numbers):
        raise DataError("a place is three finite numbers (z, y, x)", found=repr(found)[:80])
    z, y, x = (float(a) for a in numbers)
    return z, y, x


def _voxel(place: Place) -> tuple[int, int, int]:
    z, y, x = (math.floor(a + 0.5) for a in place)
    return z, y, x


def _line(start: Array, end: Array) -> Array:
    """Return the voxels of a straight line without gaps, both ends included, `(N, 3)`."""
    steps = int(np.abs(end - start).max()) + 1
    shares = np.linspace(0.0, 1.0, steps)[:, None]
    found: Array = np.floor(start + shares * (end - start) + 0.5).astype(np.int64)
    return found
