"""Answers, the narrow waist: whatever the task, a model ends in one of these, and all else dispatches on it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from vesalius.core.case import Box
from vesalius.core.cohort import Label
from vesalius.core.image import Array, Image, Source, Triple


@dataclass(frozen=True, eq=False, kw_only=True)
class Answer:
    """What every answer carries: whose it is, of which image, by which bundle, and its named parts.

    `by` is what that bundle is called where its results are named; it is never written down. `outside` says in what
    the image differs from those that the bundle learned from, a sentence each; None where nobody knows.
    """

    case_id: str = ""
    source: Source = field(default_factory=Source)
    bundle: str = ""
    by: str = field(default="", compare=False, repr=False, metadata={"stored": False})
    parts: Mapping[str, Answer] = field(default_factory=dict)
    outside: tuple[str, ...] | None = None


@dataclass(frozen=True, eq=False, kw_only=True)
class Scores(Answer):
    """A probability for each label. `exclusive` ones sum to one; `threshold` was fixed on validation data."""

    labels: tuple[Label, ...]
    p: Array  # (K,) float64 in [0, 1]
    kind: Literal["exclusive", "multilabel", "ordinal"] = "exclusive"
    positive: str | None = None
    thresholds: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, eq=False, kw_only=True)
class Value(Answer):
    """One number with its unit."""

    x: float
    unit: str | None = None


@dataclass(frozen=True, eq=False, kw_only=True)
class Mask(Answer):
    """Labels on the grid of the reference image, in its geometry and with the data's own label values.

    `image.array` is `(1, Z, Y, X)` of integers; where labels may overlap it is `(K, Z, Y, X)` of bits, one
    plane a label, and `overlapping` is True.
    """

    image: Image
    labels: tuple[Label, ...]
    overlapping: bool = False


@dataclass(frozen=True, eq=False, kw_only=True)
class Map(Answer):
    """A float field on the reference image's grid: a quantity and its unit."""

    image: Image
    quantity: str
    unit: str | None = None


@dataclass(frozen=True, eq=False, kw_only=True)
class Boxes(Answer):
    """Boxes in index coordinates of the reference image, with a label and a probability each."""

    boxes: tuple[Box, ...]
    p: Array  # (N,)
    labels: tuple[Label, ...]


@dataclass(frozen=True, eq=False, kw_only=True)
class Curve(Answer):
    """Survival over time, one curve for each arm (a single arm is named 'all')."""

    times_days: Array  # (T,)
    survival: Mapping[str, Array]  # arm → (T,) in [0, 1], not increasing


@dataclass(frozen=True, eq=False, kw_only=True)
class Text(Answer):
    """A text in named sections."""

    sections: Mapping[str, str]


@dataclass(frozen=True, eq=False, kw_only=True)
class Ranking(Answer):
    """Other cases by distance, nearest first."""

    case_ids: tuple[str, ...]
    distances: Array  # (N,)


@dataclass(frozen=True, eq=False, kw_only=True)
class Picture(Answer):
    """An image made by a model."""

    image: Image


@dataclass(frozen=True, eq=False, kw_only=True)
class Surface(Answer):
    """A triangle mesh in LPS millimetres."""

    vertices_mm: Array  # (V, 3)
    faces: Array  # (F, 3) integers
    spacing_mm: Triple | None = None


KINDS: tuple[type[Answer], ...] = (Scores, Value, Mask, Map, Boxes, Curve, Text, Ranking, Picture, Surface)
