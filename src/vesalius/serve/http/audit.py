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
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from vesalius.core.disk import append, output_errors
from vesalius.core.errors import FormatError, OutputError

START = "0" * 64
_FIELDS = {"n", "at", "who", "what", "previous", "hash"}


@dataclass(frozen=True, slots=True)
class Tail:
    """How many lines there are, and the last one's hash."""

    count: int = 0
    hash: str = START


class Audit:
    """An open log. What is there is verified first. Raises FormatError where it was changed, OutputError."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        with output_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            torn = _cut_torn(path)
            self.tail = verify(path) if path.exists() else Tail()
            handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            self._file: IO[bytes] = os.fdopen(handle, "ab", buffering=0)
        if torn:
            self.add("service", "repaired", bytes=torn)

    def add(self, who: str, what: str, **about: str | int | float | None) -> None:
        """Write one line; on return it is on the disk. Raises OutputError.

        `about` are opaque ids, names of models, counts and sizes: never a file's name or anything out of a file.
        """
        if _FIELDS & set(about):
            raise ValueError(f"names that the log itself uses: {sorted(_FIELDS & set(about))}")
        with self._lock, output_errors(self.path):
            line = {
                "n": self.tail.count + 1,
                "at": datetime.now(UTC).isoformat(timespec="milliseconds"),
                "who": who,
                "what": what,
                **{k: v for k, v in about.items() if v is not None},
                "previous": self.tail.hash,
            }
            line["hash"] = _hash(line)
            append(self._file.fileno(), json.dumps(line, ensure_ascii=True).encode() + b"\n")
            self.tail = Tail(self.tail.count + 1, str(line["hash"]))

    def last(self, count: int) -> list[dict[str, Any]]:
        """The last lines, the newest last."""
        with self._lock, output_errors(self.path):
            size = os.fstat(self._file.fileno()).st_size
        return list(deque(read(self.path, size), maxlen=count))

    def close(self) -> None:
        """Write no more."""
        with self._lock:
            self._file.close()


def verify(path: Path) -> Tail:
    """Check every line against its hash and the one before. Raises FormatError naming the first that is wrong."""
    tail = Tail()
    for line in read(path):
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
    """The lines of the first `size` bytes, unchecked. Raises FormatError for what is no JSON object, OutputError."""
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


def _cut_torn(path: Path) -> int:
    """Remove a last line without an end: it was never on the disk whole, so nothing was answered upon it."""
    if not path.exists():
        return 0
    with path.open("rb+") as file:
        size = file.seek(0, os.SEEK_END)
        at = size
        while at > 0:
            step = min(4096, at)
            file.seek(at - step)
            end = file.read(step).rfind(b"\n")
            if end >= 0:
                at = at - step + end + 1
                break
            at -= step
        if at < size:
            file.truncate(at)
            os.fsync(file.fileno())
        return size - at
