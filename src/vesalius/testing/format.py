"""What a file format promises: its literals, its functions, that what it writes is read back, one error for junk."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from vesalius import formats
from vesalius.core import encoding, registry
from vesalius.core.answers import Answer, ImageAnswer, kinds
from vesalius.core.errors import FormatError, OutputError
from vesalius.core.image import Array, Image
from vesalius.testing.promise import promised, require, workplace

PIXELS = np.arange(30, dtype=np.uint8).reshape(1, 1, 5, 6)
LOSSY = 8  # grey values by which a format that loses something may be off
JUNK = (b"", b"\0", b"\0" * 4096, bytes(range(256)) * 8)


@dataclass(frozen=True)
class FormatTrial:
    """A format under test: its registered name, and a folder to write into.

    `answers` are small answers of the kinds that it writes, to be tried with.
    """

    name: str
    folder: Path
    answers: tuple[Answer, ...] = ()

    @cached_property
    def text(self) -> dict[str, Any]:
        """The literals of its file."""
        return registry.literals("formats", registry.stem_of("formats", self.name))

    @cached_property
    def module(self) -> ModuleType:
        """Its module."""
        return registry.lookup("formats", self.name)

    @property
    def fitting(self) -> list[Answer]:
        """The answers of kinds that it writes. Raises AssertionError where it writes answers alone, and none fits."""
        writes = self.text["WRITES"]
        found = [a for a in self.answers if any(kind.__name__ in writes for kind in type(a).__mro__)]
        told = (
            f"{self} writes {', '.join(writes)}: give check_format a small answer of one of these (answers=)"
        )
        require(found or "Image" in writes, told)
        return found

    def __str__(self) -> str:
        return f"format {self.name}"


def check_format(name: str, *, folder: Path | str | None = None, answers: tuple[Answer, ...] = ()) -> None:
    """Raise AssertionError, in a sentence, at the first promise that the registered format `name` breaks.

    `answers` are small answers of kinds that it writes; they are needed where it writes no images. It works in
    `folder`, or in a temporary one. Raises UnknownName.
    """
    with workplace(folder) as place:
        trial = FormatTrial(name, place, answers)
        for promise in FORMAT_PROMISES:
            promise(trial)


def describes_itself(trial: FormatTrial) -> None:
    """Require the literals that are read without importing the file."""
    text = trial.text
    suffixes = text.get("SUFFIXES", ())
    proper = suffixes and all(s.startswith(".") and s == s.lower() for s in suffixes)
    require(proper, f"{trial}: SUFFIXES begin with a point and are in lower case, not {suffixes!r}")
    magic = text.get("MAGIC", None)
    pairs = magic is not None and all(isinstance(o, int) and isinstance(b, bytes) for o, b in magic)
    require(pairs, f"{trial}: MAGIC holds pairs of an offset and bytes, not {magic!r}")
    holds = text.get("HOLDS")
    require(holds in ("Image", "Answer"), f"{trial}: HOLDS is Image or Answer, not {holds!r}")
    known = {"Image", "Answer", "ImageAnswer", *(kind.__name__ for kind in kinds())}
    strange = sorted(set(text.get("WRITES", ("nothing",))) - known)
    require(not strange, f"{trial}: WRITES names kinds of answers or Image, not {', '.join(strange)}")
    require(registry.names("formats")[trial.name], f"{trial} is described in its first docstring line")


def tells_its_files_from_another_formats(trial: FormatTrial) -> None:
    """Require that a format which shares another's files says whose, and by which codes they are told apart."""
    of = trial.text.get("OF")
    if of is None:
        return
    require(of in registry.names("formats"), f"{trial}: OF names a format, not {of!r}")
    require(trial.text.get("CODES"), f"{trial}: CODES say which of {of}'s files are its own")
    require(hasattr(registry.lookup("formats", of), "code"), f"{trial}: format {of} has a function `code`")


def has_suffixes_of_its_own(trial: FormatTrial) -> None:
    """Require that no other format claims one of its suffixes."""
    for name in registry.names("formats"):
        if name != trial.name:
            shared = set(trial.text["SUFFIXES"]) & set(registry.literals("formats", name)["SUFFIXES"])
            require(not shared, f"{trial}: its suffix {', '.join(sorted(shared))} is that of format {name}")


def has_its_functions(trial: FormatTrial) -> None:
    """Require `read(ref)`, `header(ref)` and, where it writes, `write(thing, path, *, source)`, all documented."""
    wanted = {"read": ["ref"], "header": ["ref"]}
    if trial.text["WRITES"]:
        wanted["write"] = ["thing", "path", "source"]
    for name, parameters in wanted.items():
        function = getattr(trial.module, name, None)
        require(function is not None, f"{trial} has a function `{name}`")
        found = inspect.signature(function).parameters  # type: ignore[arg-type]
        require(list(found) == parameters, f"{trial}: `{name}` takes {parameters}, not {list(found)}")
        require(function.__doc__, f"{trial}: `{name}` has a docstring")
        if "source" in found:
            kind = found["source"].kind
            require(kind is inspect.Parameter.KEYWORD_ONLY, f"{trial}: `source` is given by name only")


def gives_back_what_it_writes(trial: FormatTrial) -> None:
    """Require that images and answers are read back as they were written, for each suffix.

    What it cannot write, or not without the study of a source, must be refused and leave no file.
    """
    for suffix in trial.text["SUFFIXES"]:
        folder = trial.folder / f"of{suffix}"
        folder.mkdir()
        path = folder / f"x{suffix}"
        if "source" in trial.text.get("NEEDS", ()):
            for answer in trial.fitting:
                _is_refused(trial, answer, path, because="study of their source")
        elif not trial.text["WRITES"] or suffix in trial.text.get("READ_ONLY", ()):
            _is_refused(trial, Image(array=PIXELS), path)
        elif trial.text["HOLDS"] == "Answer":
            for answer in trial.fitting:
                _gives_an_answer_back(trial, answer, path)
        else:
            _gives_images_back(trial, path, off=LOSSY if suffix in trial.text.get("LOSSY", ()) else 0)


def refuses_junk_in_one_error(trial: FormatTrial) -> None:
    """Require that damaged files end in a FormatError which names the file."""
    read = formats.read_answer if trial.text["HOLDS"] == "Answer" else formats.read
    for suffix in trial.text["SUFFIXES"]:
        path = trial.folder / f"junk{suffix}"
        for junk in JUNK:
            path.write_bytes(junk)
            what = f"{trial}: {len(junk)} bytes of junk in a {suffix} are refused with a FormatError"
            with promised(what):
                try:
                    read(path)
                except FormatError as error:
                    require("junk" in str(error), f"{trial}: its error names the file, not only: {error}")
                    continue
            raise AssertionError(f"{what}, but they were read")


def _is_refused(trial: FormatTrial, thing: Image | Answer, path: Path, *, because: str = "") -> None:
    try:
        formats.write(thing, path)
    except OutputError as error:
        require(because in str(error), f"{trial}: its error speaks of the {because}, not only: {error}")
        require(not list(path.parent.iterdir()), f"{trial}: nothing is left of what could not be written")
        return
    raise AssertionError(f"{trial}: it says that it cannot write {path.name}, so that this is refused")


def _gives_an_answer_back(trial: FormatTrial, answer: Answer, path: Path) -> None:
    back = formats.read_answer(formats.write(answer, path))
    same = encoding.as_text(back) == encoding.as_text(answer)
    require(same, f"{trial}: {type(answer).__name__} is read back as it was written to {path.name}")
    _is_alone(trial, path)


def _gives_images_back(trial: FormatTrial, path: Path, *, off: int) -> None:
    """`off` is by how many grey values a picture may differ; where it may, no labels are written.

    Of answers those of one plane are tried, which every format of images holds.
    """
    _gives_pixels_back(trial, Image(array=PIXELS), PIXELS, path, off=off)
    back = formats.read_mask(path)
    nowhere = back.affine is None and back.spacing_mm is None
    require(nowhere, f"{trial}: an image without a geometry gets none, not {back.spacing_mm} mm")
    for answer in trial.fitting if not off else ():
        if isinstance(answer, ImageAnswer) and answer.holds == "labels" and answer.image.is_2d:
            _gives_pixels_back(trial, answer, answer.image.array, path)


def _gives_pixels_back(
    trial: FormatTrial, thing: Image | Answer, pixels: Array, path: Path, *, off: int = 0
) -> None:
    written = formats.write(thing, path)
    require(formats.sniff(written) == trial.name, f"{trial}: {path.name} is known by its content")
    require(formats.stem(written) == "x", f"{trial}: {path.name} without its suffix is x")
    back, head, shape = formats.read_mask(written), formats.header(written), pixels.shape[1:]
    require(back.shape == head.shape == shape, f"{trial}: shape {shape} is kept, not {back.shape}")
    found = int(np.abs(back.array.astype(int) - pixels).max())
    require(found <= off, f"{trial}: what is read back is off by {off} at most, not by {found}")
    _is_alone(trial, path)


def _is_alone(trial: FormatTrial, path: Path) -> None:
    found = [p.name for p in path.parent.iterdir()]
    require(found == [path.name], f"{trial}: one file is written, not {', '.join(found)}")


FORMAT_PROMISES: tuple[Callable[[FormatTrial], None], ...] = (
    describes_itself,
    tells_its_files_from_another_formats,
    has_suffixes_of_its_own,
    has_its_functions,
    gives_back_what_it_writes,
    refuses_junk_in_one_error,
)
