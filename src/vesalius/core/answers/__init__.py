"""Answers, the narrow waist: whatever the task, a model ends in one of these, and all else dispatches on it.

One file holds the dataclass of one kind of answer, and is named after it in lower case: `Scores` is in `scores.py`.
What is done with answers of that kind is in the file of the same name in `vesalius/answers/`. Another package adds a
kind by an entry point in each of the groups `vesalius.core.answers` and `vesalius.answers`. A file may hold a literal
`DICOM = "dicom_seg"`: the format that writes this kind to a `.dcm` path; without it that is `dicom_sr`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, ClassVar, Literal

from vesalius.core.case import Ref
from vesalius.core.doubt import Doubt
from vesalius.core.errors import UnknownName
from vesalius.core.image import Array, Image, Source
from vesalius.core.promise import Promise
from vesalius.core.registry import lookup, names
from vesalius.core.shown import Shown, about, short, size
from vesalius.core.weighed import Weighed


@dataclass(frozen=True, eq=False, kw_only=True)
class Answer(Shown):
    """What every answer carries: whose it is, of which image, by which bundle, and its named parts.

    `by` is what that bundle is called where its results are named; it is never written down. `outside` says in what
    the image differs from those that the bundle learned from, a sentence each; None where nobody knows. `doubt` is how
    far several opinions about the case are from one another, `promise` what a calibration promises of it,
    `weighed` how much each source of the case counted, of a model that joins several, and `withheld` says why it must
    not be taken for a result; None where there is no such thing. `on` is the image that it
    is about, or where that lies, for who looks at the answer; it is never written down, and None where an answer was
    not just made of one image.
    """

    case_id: str = ""
    source: Source = field(default_factory=Source)
    bundle: str = ""
    by: str = field(default="", compare=False, repr=False, metadata={"stored": False})
    parts: Mapping[str, Answer] = field(default_factory=dict)
    outside: tuple[str, ...] | None = None
    doubt: Doubt | None = field(default=None, metadata={"stored": "where given"})
    promise: Promise | None = field(default=None, metadata={"stored": "where given"})
    weighed: Weighed | None = field(default=None, metadata={"stored": "where given"})
    withheld: str | None = field(default=None, metadata={"stored": "where given"})
    on: Ref | Image | None = field(default=None, compare=False, repr=False, metadata={"stored": False})

    def _words(self) -> Iterable[str]:
        yield about(self.case_id)
        if self.withheld:
            yield f"withheld: {short(self.withheld)}"
        yield from self._says()
        if self.promise is not None:
            yield f"{self.promise.share}: {self.promise.text}"
        if self.outside:
            yield f"outside: {short(self.outside[0])}" + (
                f" and {len(self.outside) - 1} more" if len(self.outside) > 1 else ""
            )
        if self.doubt is not None:
            yield f"doubt by {self.doubt.way}"
        if self.weighed is not None:
            yield from (f"{name}: {text}" for name, text in self.weighed.said().items())
        if self.parts:
            yield f"parts: {', '.join(self.parts)}"

    def _says(self) -> Iterable[str]:
        """Return what an answer of this kind says, piece by piece, for its short text; by default its own fields."""
        shared = {f.name for f in fields(Answer)}
        for item in fields(self):
            if item.name not in shared:
                yield f"{item.name}={short(getattr(self, item.name))}"

    def show(self, path: Path | str | None = None, *, on: Path | str | Image | None = None) -> Path | None:
        """Show the answer on its image, as `Shown.show` says; `on` is that image, or its file, where it is not known.

        An answer knows its image while the process lives that made it, if it was made of one image or of files.
        """
        if on is not None:
            seen = on if isinstance(on, Image) else Ref((Path(on),))
            return replace(self, on=seen).show(path)
        return super().show(path)


@dataclass(frozen=True, eq=False, kw_only=True)
class ImageAnswer(Answer):
    """An answer that is an image; `holds` says what its pixels are: label values, measured values, or a picture."""

    holds: ClassVar[Literal["labels", "values", "picture"]] = "values"
    image: Image

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        return self.image.__array__(dtype, copy)

    def _says(self) -> Iterable[str]:
        yield size(self.image.array.shape if self.image.array.shape[0] > 1 else self.image.array.shape[1:])
        yield from self._holds()

    def _holds(self) -> Iterable[str]:
        """Return what the image holds, for the short text."""
        return ()


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
