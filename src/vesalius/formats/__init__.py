"""Formats: one file = one file format; pixels and answers in from files and out to them.

A format's file declares, as literals that are read without importing it:

    SUFFIXES = (".nii", ".nii.gz")       what its files are called
    MAGIC = ((344, b"n+1"), …)           (offset, bytes) pairs, any of which marks its content
    HOLDS = "Image"                      what `read` returns: "Image" or "Answer"
    WRITES = ("Image", "ImageAnswer")    what `write` takes (names of types; `Mask` and `Map` are ImageAnswers)
    NEEDS = ("source",)                  only where it writes into the study of a DICOM source, and not without one
    READ_ONLY = (".mhd",)                suffixes that are not written
    LOSSY = (".jpg",)                    suffixes under which grey values may change a little, so that no answer is

and has `read(ref) -> Image`, `header(ref) -> Header` and `write(thing, path, *, source=None)`; a format whose
pixels need another reading when they are labels also has `read_mask(ref) -> Image`, and `labels(path)` where its files
name them. A format that shares another's files, and is told from it by what is in them, says `OF = "dicom"` and
`CODES = ("SEG",)`: the other's `code(path)`.
"""

from __future__ import annotations

import functools
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Literal, cast

from vesalius.core import archive, grids, registry
from vesalius.core.answers import Answer, ImageAnswer
from vesalius.core.case import InstanceMask, Ref
from vesalius.core.cohort import Label
from vesalius.core.errors import FormatError, GeometryError, OutputError
from vesalius.core.file_io import as_ref, one_file, pixels, typed_errors
from vesalius.core.header import Header
from vesalius.core.image import Image
from vesalius.core.masks import COLOURS, as_colours, as_labels, blurred, recoded
from vesalius.formats._given import as_array, image_of
from vesalius.formats._outlines import drawn

__all__ = [
    "COLOURS",
    "Header",
    "as_array",
    "blurred",
    "by_content",
    "header",
    "image_of",
    "known_suffixes",
    "labels",
    "read",
    "read_answer",
    "read_colours",
    "read_ids",
    "read_mask",
    "recoded",
    "sniff",
    "stem",
    "write",
]

Holds = Literal["Image", "Answer"]


@functools.cache
def known_suffixes(*, holds: Holds | None = "Image") -> tuple[str, ...]:
    """Return every suffix that is read as images (or as answers; None for both), longest first, in lower case."""
    found = [suffix for name in _names(holds) for suffix in registry.literals("formats", name)["SUFFIXES"]]
    return tuple(sorted(set(found), key=lambda suffix: (-len(suffix), suffix)))


def sniff(path: Path | str) -> str:
    """Return the registered name of a file's format: by its suffix, otherwise by its first bytes.

    The file is opened only if its suffix says nothing. Raises FormatError naming what is read.
    """
    path = Path(path)
    lower = path.name.lower()
    for suffix in known_suffixes(holds=None):
        if lower.endswith(suffix):
            return next(n for n in _names(None) if suffix in registry.literals("formats", n)["SUFFIXES"])
    name = by_content(path)
    if name is None:
        raise FormatError(
            f"{path}: not a format that can be read",
            found=f"suffix '{path.suffix}'" if path.suffix else "no suffix and unknown first bytes",
            hint=f"one of {' '.join(known_suffixes())}",
        )
    return name


def stem(path: Path | str) -> str:
    """Return a file's name without its known suffix: `scan.nii.gz` → `scan`; an unknown suffix stays."""
    name = Path(path).name
    for suffix in known_suffixes(holds=None):
        if name.lower().endswith(suffix) and len(name) > len(suffix):
            return name[: -len(suffix)]
    return name


def header(ref: Ref | Path | str) -> Header:
    """Return the shape, type and geometry, without decoding pixels where the format allows it. Raises FormatError."""
    ref = as_ref(ref)
    module = _module(ref)
    with typed_errors(ref):
        return cast(Header, module.header(ref))


def read(ref: Ref | Path | str) -> Image:
    """Read one image: `(C, Z, Y, X)` in the file's own type (float where it stores a scaling), affine in LPS.

    Non-finite pixels are returned as they are; naming them is the reliability room's work.
    Raises FormatError for anything that cannot be read whole and checked.
    """
    ref = as_ref(ref)
    module = _module(ref)
    with typed_errors(ref):
        image = cast(Image, module.read(ref))
    if image.source.series_uid is not None:  # where the rest of its headers stands, for who writes DICOM back
        source = replace(image.source, files=ref.paths, member=ref.member, index=ref.index, part=ref.part)
        return replace(image, source=source)
    return image


def read_mask(ref: Ref | Path | str) -> Image:
    """Read labels: `(1, Z, Y, X)` of integers in the smallest type, with the file's own label values.

    Palette pictures give their indexes; colour pictures one value a colour (0xRRGGBB) unless all channels are
    equal; floats must be whole numbers. Raises FormatError.
    """
    ref = as_ref(ref)
    module = _module(ref)
    with typed_errors(ref):
        image = module.read_mask(ref) if hasattr(module, "read_mask") else module.read(ref)
        return as_labels(image, ref)


def read_ids(mask: InstanceMask) -> Image:
    """Return the ids of a mask of instances, `(1, Z, Y, X)` of whole numbers from 0 on. Raises FormatError, DataError.

    A colour picture gives one id a colour.
    """
    ids = mask.ids
    found = read_mask(ids) if isinstance(ids, Ref) else ids if isinstance(ids, Image) else drawn(ids)
    if found.array.shape[0] != 1 or found.array.dtype.kind not in "iub":
        raise FormatError(
            f"{ids if isinstance(ids, Ref) else 'the mask'}: ids are whole numbers in one channel",
            found=f"{found.array.shape[0]} channels of {found.array.dtype}",
        )
    if found.array.dtype.kind == "i" and int(found.array.min()) < 0:
        raise FormatError("ids of things count from 1, and 0 is the background", found=str(found.array.min()))
    return found


def labels(path: Path | str) -> tuple[Label, ...]:
    """Return the labels that a file of labels names itself, by their values in `read_mask`; none for most formats.

    Raises FormatError.
    """
    path = Path(path)
    module = registry.lookup("formats", _kind(sniff(path), path))
    with typed_errors(as_ref(path)):
        return cast("tuple[Label, ...]", module.labels(path) if hasattr(module, "labels") else ())


def read_colours(ref: Ref | Path | str) -> Image | None:
    """Read a picture as one value a colour, 0xRRGGBB, also where a palette has them; None of what is no picture.

    Raises FormatError.
    """
    return as_colours(read(ref))


def read_answer(path: Path | str) -> Answer:
    """Read an Answer back from the file that `write` made of it. Raises FormatError."""
    ref = as_ref(path)
    path = one_file(ref)
    name = _kind(sniff(path), path)
    if registry.literals("formats", name).get("HOLDS") != "Answer":
        raise FormatError(f"{ref}: holds an image, not an answer", hint="formats.read")
    with typed_errors(ref):
        return cast(Answer, registry.lookup("formats", name).read(ref))


def write(thing: Image | Answer, path: Path | str, *, source: Image | None = None) -> Path:
    """Write an image or an answer in the format that the path's suffix names; whole or not at all.

    `source` is the image the answer was made from: pixels without geometry of their own take its geometry.
    An existing file is replaced. Raises OutputError (full disk, read-only folder, a format that does not
    take such a thing), GeometryError if `source` has another shape, FormatError for an unknown suffix.
    """
    path = Path(path)
    require_holds(path, type(thing))
    if isinstance(thing, Answer) and thing.withheld is not None:
        _require_marked(path, thing.withheld)
    if path.is_dir():
        raise OutputError(f"{path} is a folder")
    registry.lookup("formats", sniff(path)).write(_placed(thing, source), path, source=source)
    return path


def _require_marked(path: Path, why: str) -> None:
    """Raise OutputError unless a path's format says of an answer that it is withheld: nobody may take it for a result.

    Its file then has the literal `MARKS_WITHHELD = True`.
    """
    if not marks_withheld(path):
        marks = [n for n in _writable() if registry.literals("formats", n).get("MARKS_WITHHELD")]
        suffixes = " ".join(registry.literals("formats", n)["SUFFIXES"][0] for n in marks)
        raise OutputError(
            "the answer is withheld and is not written as a result", found=why, hint=f"one of {suffixes}"
        )


def is_plain(path: Path | str) -> bool:
    """Return whether a file at this path holds an image alone, so that what else an answer says stands elsewhere."""
    said = registry.literals("formats", sniff(path))
    return said.get("HOLDS", "Image") == "Image" and "ImageAnswer" in said.get("WRITES", ())


def marks_withheld(path: Path) -> bool:
    """Return whether a file at this path says of an answer that it is withheld."""
    return bool(registry.literals("formats", sniff(path)).get("MARKS_WITHHELD"))


def require_suffix(name: str) -> None:
    """Raise OutputError unless a format that is written has the suffix with which `name` ends."""
    if not any(name.lower().endswith(s) for s in known_suffixes(holds=None)):
        shown = " ".join(s for n in _writable() for s in registry.literals("formats", n)["SUFFIXES"])
        raise OutputError(f"{name}: no format with this suffix can be written", hint=f"one of {shown}")


def require_holds(path: Path | str, kind: type[Image | Answer]) -> None:
    """Raise OutputError unless a format with the path's suffix takes things of this kind, as its `WRITES` says."""
    require_suffix(Path(path).name)
    name, kinds = sniff(path), {one.__name__ for one in kind.__mro__}
    if not kinds & set(registry.literals("formats", name).get("WRITES", ())):
        fits = [n for n in _writable() if kinds & set(registry.literals("formats", n)["WRITES"])]
        suffixes = " ".join(registry.literals("formats", n)["SUFFIXES"][0] for n in fits)
        raise OutputError(
            f"{path}: {name} files do not hold a {kind.__name__}", hint=f"one of {suffixes}" if fits else None
        )


def _writable() -> list[str]:
    return [n for n in _names(None) if registry.literals("formats", n).get("WRITES")]


def _placed(thing: Image | Answer, source: Image | None) -> Image | Answer:
    if source is None or not isinstance(thing, Image | ImageAnswer):
        return thing
    image = pixels(thing)
    if image.shape != source.shape:
        raise GeometryError(
            "the written image and its source have different shapes", found=grids.difference(image, source)
        )
    if image.affine is not None or image.spacing_mm is not None:
        return thing
    placed = replace(image, affine=source.affine, spacing_mm=source.spacing_mm, spacing_at=source.spacing_at)
    if isinstance(thing, Image):
        return placed
    return replace(thing, image=placed)


def _module(ref: Ref) -> ModuleType:
    if not ref.paths:
        raise FormatError("an empty reference: no file named")
    for path in ref.paths:
        if not archive.exists(path):
            raise FormatError(f"{path}: no such file" if not path.exists() else f"{path} is not a file")
    name = sniff(ref.paths[0])
    if registry.literals("formats", name).get("HOLDS", "Image") != "Image":
        raise FormatError(f"{ref}: holds an answer, not pixels", hint="formats.read_answer")
    kind = _kind(name, ref.paths[0])
    if registry.literals("formats", kind).get("HOLDS", "Image") == "Image":
        name = kind  # of an answer the format itself says what it is
    return registry.lookup("formats", name)


@functools.cache
def _kinds(name: str) -> dict[str, str]:
    """Return the formats that share the files of the format `name`, by their codes."""
    said = {n: registry.literals("formats", n) for n in _names(None)}
    return {code: n for n, words in said.items() if words.get("OF") == name for code in words["CODES"]}


def _kind(name: str, path: Path) -> str:
    """Return the format that reads this file, among those that share the files of the format `name`."""
    kinds = _kinds(name)
    if not kinds or not archive.exists(path):
        return name
    with typed_errors(path):
        return kinds.get(registry.lookup("formats", name).code(path) or "", name)


def _names(holds: Holds | None) -> list[str]:
    every = list(registry.stems("formats"))
    return [
        n for n in every if holds is None or registry.literals("formats", n).get("HOLDS", "Image") == holds
    ]


def by_content(path: Path) -> str | None:
    """Return the registered name of a file's format by its first bytes alone, or None. Raises FormatError."""
    if not archive.exists(path):
        return None
    try:
        with archive.open_file(path) as file:
            start = file.read(512)
    except OSError as error:
        raise FormatError(f"{path}: cannot be opened", found=error.strerror) from error
    for name in _names(None):
        for offset, magic in registry.literals("formats", name).get("MAGIC", ()):
            if start[offset : offset + len(magic)] == magic:
                return name
    return None
