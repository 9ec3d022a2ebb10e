"""Answers, the narrow waist: whatever the task, a model ends in one of these, and all else dispatches on it.

One file holds the dataclass of one kind of answer, and is named after it in lower case: `Scores` is in `scores.py`.
What is done with answers of that kind is in the file of the same name in `vesalius/answers/`. Another package adds a
kind by an entry point in each of the groups `vesalius.core.answers` and `vesalius.answers`. A file may hold a literal
`DICOM = "dicom_seg"`: the format that writes this kind to a `.dcm` path; without it that is `dicom_sr`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from vesalius.core.errors import UnknownName
from vesalius.core.image import Image, Source
from vesalius.core.registry import lookup, names


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
class ImageAnswer(Answer):
    """An answer that is an image; `holds` says what its pixels are: label values, measured values, or a picture."""

    holds: ClassVar[Literal["labels", "values", "picture"]] = "values"
    image: Image


def kind_of(name: str) -> type[Answer]:
    """Return the class of that name (`Mask`), found by its file. Raises UnknownName."""
    stem = name.lower()
    kind = next((v for k, v in vars(lookup("core.answers", stem)).items() if k.lower() == stem), None)
    if not (isinstance(kind, type) and issubclass(kind, Answer)):
        raise UnknownName("kind of answer", name, names("core.answers"))
    return kind


def kinds() -> tuple[type[Answer], ...]:
    """Return every kind of answer."""
    return tuple(kind_of(stem) for stem in names("core.answers"))
