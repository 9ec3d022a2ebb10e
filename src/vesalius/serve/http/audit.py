"""The audit log: who did what when, as lines of JSON, each with the hash of the one before; no patient's data in it.

A line's `hash` is the SHA-256 of the line without it, `previous` included, so that no line can be changed, removed or
put in between without all that follow being written anew. That the last lines are there at all, only a copy of the
last hash elsewhere can show: it is in the metrics and in the answer of `/api/audit`.
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, TypedDict

from vesalius.core.disk import append, held, output_errors, write_bytes
from vesalius.core.errors import FormatError, OutputError
from vesalius.core.words import counted

START = "0" * 64


class Details(TypedDict, total=False):
    """What a line may say beside who did what: opaque ids, names of models, counts and sizes.

    Never a client's name of a file, nor anything out of a file. `file` is the service's own name of a result, `model`,
    `models` and `guard` begin hashes of bundles, `route` is a path as the service calls it, `doubt` a registered way,
    `earlier` the study of the visit that a case is compared with, `edit` the id of a changed report, `server` the host
    of a language model, `place` the number of a case in an index, `found` how many cases like another were found,
    `case` the key of a case of an annotation project, and `reading` the id of what was saved of it.
    """

    study: str
    job: str
    model: str
    models: str
    guard: str
    version: str
    file: str
    route: str
    status: int
    cases: int
    files: int
    folders: int
    frames: int
    strokes: int
    answered: int
    times: int
    others: int
    bytes: int
    sha256: str
    server: str
    accept_mismatch: int
    doubt: str
    earlier: str
    edit: str
    place: int
    found: int
    case: str
    reading: str


@dataclass(frozen=True, slots=True)
class Tail:
    """How many lines there are, and the last one's hash."""

    count: int = 0
    hash: str = START


class Audit:
    """An open log, kept to this process. What is there is verified first; `mended` says what was set aside of it.

    Raises FormatError where it was changed, OutputError where it cannot be written or another process writes it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.mended: str | None = None
        self._lock = threading.Lock()
        with ExitStack() as stack, output_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            self._file: IO[bytes] = stack.enter_context(os.fdopen(handle, "ab", buffering=0))
            stack.enter_context(held(path))
            whole = _whole(path)
            self.tail = verify(path, whole)
            if whole < path.stat().st_size:
                self._set_aside(whole)
            self._open = stack.pop_all()

    def _set_aside(self, whole: int) -> None:
        """Keep the bytes behind the last whole line in a file beside, and write that down."""
        with self.path.open("rb") as file:
            file.seek(whole)
            torn = file.read()
        aside = self.path.with_name(f"{self.path.name}.torn-{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}")
        write_bytes(aside, torn)
        aside.chmod(0o600)
        self._file.truncate(whole)
        said: Details = {"bytes": len(torn), "sha256": hashlib.sha256(torn).hexdigest()}
        self.add("service", "repaired", said)
        self.mended = f"the last line of {self.path} was never finished: its "
        self.mended += f"{counted(len(torn), 'byte is', 'bytes are')} in {aside.name}"

    def add(self, who: str, what: str, details: Details | None = None) -> None:
        """Write one line; on return it is on the disk. Raises OutputError."""
        with self._lock, output_errors(self.path):
            line = {
                "n": self.tail.count + 1,
                "at": datetime.now(UTC).isoformat(timespec="milliseconds"),
                "who": who,
                "what": what,
                **(details or {}),
                "previous": self.tail.hash,
            }
            line["hash"] = _hash(line)
            append(self._file.fileno(), json.dumps(line, ensure_ascii=True).encode() + b"\n")
            self.tail = Tail(self.tail.count + 1, str(line["hash"]))

    def last(self, count: int) -> list[dict[str, Any]]:
        """Return the last lines, the newest last."""
        with self._lock, output_errors(self.path):
            size = os.fstat(self._file.fileno()).st_size
        return list(deque(read(self.path, size), maxlen=count))

    def close(self) -> None:
        """Write no more."""
        with self._lock:
            self._open.close()


def check(path: Path) -> Tail:
    """Verify a log that nobody writes. Raises FormatError, for a last line that is not finished too; OutputError."""
    tail = verify(path, whole := _whole(path))
    more = path.stat().st_size - whole
    if more:
        raise FormatError(
            f"{path}: the line after line {tail.count} was never finished",
            found=f"{counted(more, 'byte')} of it",
            hint="a service that starts upon the log sets them aside, and says so in it",
        )
    return tail


def verify(path: Path, size: int | None = None) -> Tail:
    """Check every line of the first `size` bytes against its hash and the one before.

    Raises FormatError naming the first that is wrong, OutputError.
    """
    tail = Tail()
    for line in read(path, size):
        n = tail.count + 1
        said = line.pop("hash", None)
        if line.get("n") != n or line.get("previous") != tail.hash or said != _hash(line):
            raise FormatError(
                f"{path}: line {n} of the audit log was changed, or one before it removed",
                hint="keep the file as it is, find out why, and let the service begin another",
            )
        tail = Tail(n, str(said))
    return tail


def read(path: Path, size: int | None = None) -> Iterator[dict[str, Any]]:
    """Yield the lines of the first `size` bytes, unchecked.

    Raises FormatError for what is no JSON object, OutputError.
    """
    try:
        with path.open("rb") as file:
            for n, raw in enumerate(file, start=1):
                if size is not None and file.tell() > size:
                    return
                try:
                    line = json.loads(raw)
                except ValueError:
                    line = None
                if not isinstance(line, dict):
                    raise FormatError(f"{path}: line {n} is no line of an audit log")
                yield line
    except OSError as error:
        raise OutputError(f"{path} cannot be read", found=error.strerror) from error


def _hash(line: Mapping[str, Any]) -> str:
    text = json.dumps(line, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _whole(path: Path) -> int:
    """Bytes up to the end of the last whole line; what comes after was never on the disk whole, nor answered upon."""
    try:
        with path.open("rb") as file:
            at = file.seek(0, os.SEEK_END)
            while at > 0:
                step = min(4096, at)
                file.seek(at - step)
                end = file.read(step).rfind(b"\n")
                if end >= 0:
                    return at - step + end + 1
                at -= step
    except OSError as error:
        raise OutputError(f"{path} cannot be read", found=error.strerror) from error
    return 0
