"""Uploads: the files of a multipart body, written to disk as they come, under names of our own; bounded in all ways.

What a client calls a file is kept as a label, to be shown, and is never part of a path. Zips are opened into the same
folder, one deep, within the same bounds.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, Any

from fastapi import Request
from fastapi.concurrency import run_in_threadpool
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from vesalius import formats
from vesalius.core import archive, registry
from vesalius.core.disk import output_errors
from vesalius.core.errors import FormatError, OutputError
from vesalius.serve.http.limits import Bounds
from vesalius.serve.http.problems import Problem

_FIELD_BYTES = 1 << 16
_HEADER_BYTES = 1 << 13
_PARTS = 64  # fields that are no files
_APART = (".mhd", ".nhdr")  # headers whose pixels lie in another file
_CHUNK = 1 << 20
_ANEW = "zip the files anew, without a password"
Room = Callable[[int], None]  # raises Problem 429 where so many bytes more are not taken


@dataclass(frozen=True, slots=True)
class Received:
    """One file: the field it came in, what the client calls it, and where it lies."""

    field: str
    label: str
    path: Path
    size: int


@dataclass(frozen=True, slots=True)
class Form:
    """What a multipart body held."""

    files: tuple[Received, ...]
    fields: Mapping[str, str]


@dataclass(slots=True)
class _Part:
    name: str
    filename: str | None
    data: bytearray = field(default_factory=bytearray)


async def receive(request: Request, folder: Path, bounds: Bounds, room: Room) -> Form:
    """Read a multipart body, its files into `folder`; `room` is asked before each piece is written.

    Raises Problem 415, 400, 413, 429; OutputError for a full disk.
    """
    kind, options = parse_options_header(request.headers.get("content-type"))
    boundary = options.get(b"boundary")
    if kind != b"multipart/form-data" or not boundary:
        raise Problem(415, "the body must be multipart/form-data", found=kind.decode("latin-1") or None)
    reader = _Reader(folder, bounds)
    try:
        parser = MultipartParser(boundary, reader.callbacks())
        async for data in request.stream():
            await run_in_threadpool(room, len(data))
            with output_errors(folder):
                parser.write(data)
        parser.finalize()
        if not reader.ended:
            raise Problem(400, "a multipart body that ends too early")
    except (FormParserError, UnicodeDecodeError) as error:
        raise Problem(400, "a damaged multipart body", found=str(error)[:200]) from error
    finally:
        reader.close()
    return Form(tuple(reader.files), reader.fields)


class _Reader:
    """Takes the parser's events."""

    def __init__(self, folder: Path, bounds: Bounds) -> None:
        self.folder, self.bounds = folder, bounds
        self.files: list[Received] = []
        self.fields: dict[str, str] = {}
        self.ended = False
        self._headers: dict[str, bytes] = {}
        self._key, self._value = bytearray(), bytearray()
        self._part: _Part | None = None
        self._out: IO[bytes] | None = None
        self._path = folder
        self._size = 0

    def callbacks(self) -> Any:
        return {
            "on_part_begin": self._begin,
            "on_header_field": lambda data, a, b: self._more(self._key, data[a:b]),
            "on_header_value": lambda data, a, b: self._more(self._value, data[a:b]),
            "on_header_end": self._header,
            "on_headers_finished": self._open,
            "on_part_data": self._data,
            "on_part_end": self._end,
            "on_end": self._last,
        }

    def close(self) -> None:
        if self._out is not None:
            self._out.close()
            self._out = None

    def _begin(self) -> None:
        self._headers = {}

    def _more(self, to: bytearray, data: bytes) -> None:
        to += data
        if len(to) > _HEADER_BYTES or len(self._headers) > 16:
            raise Problem(400, "a part with too much of a header")

    def _header(self) -> None:
        self._headers[bytes(self._key).decode("latin-1").lower()] = bytes(self._value)
        self._key, self._value = bytearray(), bytearray()

    def _open(self) -> None:
        _, options = parse_options_header(self._headers.get("content-disposition", b"").decode("latin-1"))
        name = options.get(b"name", b"").decode("utf-8", "replace")
        raw = options.get(b"filename")
        self._part = _Part(name, None if raw is None else _named(raw))
        if self._part.filename is None:
            if len(self.fields) >= _PARTS:
                raise Problem(400, "too many fields")
            return
        if len(self.files) >= self.bounds.files:
            raise Problem(
                413, "too many files", hint=f"at most {self.bounds.files:,} an upload, or a zip of them"
            )
        self._path = stored_path(self.folder, len(self.files), label(self._part.filename))
        self._out, self._size = self._path.open("xb"), 0

    def _data(self, data: bytes, start: int, end: int) -> None:
        if self._out is not None:
            self._out.write(data[start:end])
            self._size += end - start
        elif self._part is not None:
            self._part.data += data[start:end]
            if len(self._part.data) > _FIELD_BYTES:
                raise Problem(413, f"the field '{self._part.name[:40]}' is too long")

    def _end(self) -> None:
        part, self._part = self._part, None
        if part is None:
            return
        if part.filename is None:
            self.fields[part.name] = part.data.decode("utf-8")
            return
        self.close()
        self.files.append(Received(part.name, label(part.filename), self._path, self._size))

    def _last(self) -> None:
        self.ended = True


def _named(raw: bytes) -> str:
    """Return a file's name from what a form sends, where only a quotation mark and ends of lines are written with %.

    Source: the HTML standard, "Multipart form data".
    """
    escaped = {"%22": '"', "%0D": "\r", "%0A": "\n"}
    return re.sub("%(?:22|0D|0A)", lambda found: escaped[found[0]], raw.decode("utf-8", "replace"))


def label(name: str) -> str:
    """Return a client's name of a file, fit to be shown: its last component, shortened, without control characters."""
    return _shown(re.split(r"[/\\]", name)[-1]) or "file"


def _shown(text: str) -> str:
    """Return the text without control characters; of a long one the beginning and the end."""
    clean = "".join(c for c in text if c.isprintable()).strip()
    return clean if len(clean) <= 120 else f"{clean[:105]}…{clean[-14:]}"


def suffix(name: str) -> str:
    """Return the known suffix of a label, in lower case; empty where it has none that is read."""
    lower = name.lower()
    known = (*formats.known_suffixes(), ".zip")
    return next((s for s in known if lower.endswith(s) and s not in _APART), "")


def stored_path(folder: Path, k: int, name: str) -> Path:
    """Return where the k-th file of a folder goes, whatever a client calls it."""
    return folder / f"{k:06d}{suffix(name)}"


def with_suffix(item: Received) -> Received:
    """Return the file under a suffix of its format where the client's name had none; DICOM needs none."""
    if item.path.suffix:
        return item
    with item.path.open("rb") as file:
        start = file.read(4)
    found = ".zip" if start == b"PK\x03\x04" else ""
    if not found:
        name = formats.by_content(item.path)
        said = registry.literals("formats", name)["SUFFIXES"] if name else ()
        found = "" if name in (None, "dicom") else next((s for s in said if s not in _APART), "")
    if not found:
        return item
    moved = item.path.with_name(item.path.name + found)
    item.path.rename(moved)
    return replace(item, path=moved)


def unpack(
    files: tuple[Received, ...], folder: Path, bounds: Bounds, room: Room
) -> tuple[list[Received], list[tuple[str, str]]]:
    """Return the files with those in zips in their place, the zips gone; and what of zips is left out, with the reason.

    A damaged zip is left out whole: of a series in it, some slices might be missing. Raises Problem 413.
    """
    found: list[Received] = []
    strays: list[tuple[str, str]] = []
    count, total = len(files), 0
    for item in map(with_suffix, files):
        if item.path.suffix != ".zip":
            found.append(item)
            continue
        begun: list[Path] = []
        try:
            inside, out = _members(item, bounds)
            if count + len(inside) > bounds.files:
                raise Problem(
                    413, "a zip of too many files", found=f"{len(inside):,}", hint=f"at most {bounds.files:,}"
                )
            unpacked = []
            for path in inside:
                name = label(path.name)
                begun.append(stored_path(folder, count, name if suffix(name) != ".zip" else ""))
                count += 1
                total = _extract(path, begun[-1], total, bounds.expanded_bytes, room)
                unpacked.append((name, begun[-1]))
        except FormatError as error:
            strays.append((item.label, str(error)))
            for goal in begun:
                goal.unlink(missing_ok=True)
            item.path.unlink()
            continue
        strays += [(item.label, f"leads out of its zip, and is not followed: {_shown(name)}") for name in out]
        if not inside and not out:
            strays.append((item.label, "a zip without a file that is read"))
        found += [with_suffix(Received(item.field, n, goal, goal.stat().st_size)) for n, goal in unpacked]
        item.path.unlink()
    return found, strays


def _members(item: Received, bounds: Bounds) -> tuple[tuple[Path, ...], tuple[str, ...]]:
    """Return the files in a zip, and the names that lead out of it.

    Raises Problem 413; FormatError for a damaged one.
    """
    if not item.size:
        raise FormatError("an empty file")
    most = bounds.expanded_bytes
    try:
        if archive.directory_bytes(item.path) > bounds.files * 256:
            raise Problem(413, "a zip of too many files", hint=f"at most {bounds.files:,}")
        claimed = archive.claimed_bytes(item.path)
        if claimed > most:
            raise Problem(
                413, "a zip that unpacks to too much", found=f"{claimed:,} bytes", hint=f"at most {most:,}"
            )
        return archive.members(item.path), archive.strays(item.path)
    except (OSError, FormatError) as error:
        raise FormatError("not a zip that can be read, it is cut short or damaged", hint=_ANEW) from error


def _extract(path: Path, goal: Path, total: int, most: int, room: Room) -> int:
    """Copy one file out of its archive; returns the total of bytes so far.

    Raises Problem 413, FormatError for what is damaged, encrypted or of another size than said.
    """
    before = total
    try:
        with archive.open_file(path) as source, goal.open("xb") as out:
            while data := source.read(_CHUNK):
                total += len(data)
                if total > most:
                    raise Problem(413, "a zip that unpacks to too much", hint=f"at most {most:,} bytes")
                room(len(data))
                with output_errors(goal):
                    out.write(data)
        if total - before != archive.size(path):
            raise FormatError("of another size than its zip claims")
    except (Problem, OutputError):
        raise
    except (*archive.DAMAGE, OSError, FormatError) as error:
        what = f"a zip of which {label(path.name)} cannot be taken, it is damaged or encrypted"
        raise FormatError(what, hint=_ANEW) from error
    return total
