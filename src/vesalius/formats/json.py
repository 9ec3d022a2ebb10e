"""JSON: any answer with its parts, and back again, bit for bit."""

from __future__ import annotations

from pathlib import Path

from vesalius.core import encoding, file_io
from vesalius.core.answers import Answer
from vesalius.core.case import Ref
from vesalius.core.errors import FormatError, OutputError
from vesalius.core.header import Header
from vesalius.core.image import Image

SUFFIXES = (".json",)
MAGIC = ()
HOLDS = "Answer"
MARKS_WITHHELD = True  # a reader of the file sees that an answer is withheld, and why
WRITES = ("Answer",)


def header(ref: Ref) -> Header:
    """Raise FormatError, as answers have no one shape."""
    raise FormatError(f"{ref}: holds an answer, not pixels", hint="formats.read_answer")


def read(ref: Ref) -> Answer:
    """Read the answer that `write` wrote. Raises FormatError for other JSON and for later versions."""
    path = file_io.one_file(ref)
    with file_io.typed_errors(ref):
        try:
            answer = encoding.from_text(path.read_text(encoding="utf-8"))
        except FormatError as error:
            raise FormatError(f"{ref}: {error.what}", found=error.found, hint=error.hint) from error
        if not isinstance(answer, Answer):
            raise FormatError(f"{ref}: not an answer", found=type(answer).__name__)
        return answer


def write(thing: Image | Answer, path: Path, *, source: Image | None = None) -> None:
    """Write an answer, indented, its kind first. Raises OutputError for what JSON cannot hold."""
    try:
        text = encoding.as_text(thing)
    except (TypeError, ValueError) as error:
        raise OutputError(f"{path}: cannot be stored as JSON", found=str(error)) from error
    with file_io.atomic(path) as file:
        file.write(text.encode("utf-8") + b"\n")
