"""What the verbs of shape models give back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vesalius.core.answers.surface import Surface
from vesalius.core.image import Array
from vesalius.shapes.models.completing import Completion
from vesalius.shapes.models.model import ShapeModel
from vesalius.shapes.models.scoring import Unusual


@dataclass(frozen=True, eq=False)
class Shaped:
    """A shape model that was learned: the `model`, where it and its `page` lie, who was left out and why, and notes."""

    model: ShapeModel
    path: Path
    page: Path
    left_out: Mapping[str, str]
    notes: tuple[str, ...]
    document: Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class Completed:
    """A completed surface: the `completion`, and its `mask` `(Z, Y, X)` where a mask was given.

    `unusual` says how unusual it is, and is None where a part is missing. `files` are what was written, by what
    they hold.
    """

    completion: Completion
    mask: Array | None
    unusual: Unusual | None
    files: Mapping[str, Path]
    document: Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class Morphed:
    """Anatomies that were drawn from a model: their `surfaces`, and the files that were written."""

    surfaces: tuple[Surface, ...]
    files: tuple[Path, ...]
