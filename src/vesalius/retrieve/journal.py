"""A journal of vectors that are being made: each case on the disk once it is known, so that a killed run goes on.

FOLDER/part/
  begin.json   of which bundle's vectors, and of what
  vectors.f32  vectors of single precision, one after the other
  cases.jsonl  a line for each of them: what is kept of the case, and a digest of its vector

A line is written after its vector. What a crash left of a line, or of a vector without one, is cut off.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np

from vesalius.core.disk import output_errors, write_text
from vesalius.core.errors import DataError, OutputError
from vesalius.core.image import Array
from vesalius.core.index import Entry
from vesalius.core.index_file import ROWS, Part, entry_json, entry_of

FOLDER = "part"
_BEGIN, _VECTORS, _CASES = "begin.json", "vectors.f32", "cases.jsonl"


class Journal:
    """Vectors of cases in a folder, added one by one and read again in parts; `width` is how long each vector is."""

    def __init__(self, folder: Path, begin: Mapping[str, Any]) -> None:
        self.folder, self.begin = folder / FOLDER, dict(begin)
        self.entries: list[Entry] = []
        self.width = 0
        self._vectors: IO[bytes] | None = None
        self._cases: IO[bytes] | None = None

    @property
    def there(self) -> bool:
        """Return whether a journal was begun."""
        return (self.folder / _BEGIN).is_file()

    @property
    def fits(self) -> bool:
        """Return whether a journal was begun of the same bundle, data and choices."""
        if not self.there:
            return False
        found: bool = json.loads((self.folder / _BEGIN).read_text(encoding="utf-8")) == self.begin
        return found

    def open(self, *, resume: bool) -> None:
        """Begin, or with `resume` go on with what is there.

        Raises OutputError where the journal is of another bundle or other choices, or cannot be written.
        """
        with output_errors(self.folder):
            if resume and self.there:
                if not self.fits:
                    told = json.loads((self.folder / _BEGIN).read_text(encoding="utf-8"))
                    other = ", ".join(k for k in self.begin if told.get(k) != self.begin[k])
                    raise OutputError(
                        f"what was begun in {self.folder.parent} is another index",
                        found=f"another {other}",
                        hint="the same command, or another -o",
                    )
                self._mend()
            else:
                shutil.rmtree(self.folder, ignore_errors=True)
                self.folder.mkdir(parents=True)
                write_text(self.folder / _BEGIN, json.dumps(self.begin) + "\n")
            self._vectors = (self.folder / _VECTORS).open("ab")
            self._cases = (self.folder / _CASES).open("ab")

    def add(self, entry: Entry, vector: Array) -> None:
        """Add a case. Raises DataError where its vector is of another length or not finite, OutputError."""
        held = np.ascontiguousarray(vector, np.float32)
        if held.ndim != 1 or (self.width and len(held) != self.width):
            raise DataError(
                f"case {entry.case} has another number of features than the cases before it",
                found=f"{held.shape} for {self.width}",
            )
        if not np.isfinite(held).all():
            raise DataError(f"case {entry.case} has features that are not finite")
        data = held.tobytes()
        line = json.dumps({**entry_json(entry), "digest": _digest(data), "width": len(held)}) + "\n"
        if self._vectors is None or self._cases is None:
            raise OutputError(f"{self.folder} is not open")
        with output_errors(self.folder):
            for file, part in ((self._vectors, data), (self._cases, line.encode())):
                file.write(part)
                file.flush()
        self.width = len(held)
        self.entries.append(entry)

    def parts(self) -> Iterator[Part]:
        """Yield vectors `(n, F)` and cases in parts, so that no more than one part is in memory."""
        size = ROWS * self.width * 4
        with (self.folder / _VECTORS).open("rb") as file:
            for k in range(0, len(self.entries), ROWS):
                rows = np.frombuffer(file.read(size), np.float32).reshape(-1, self.width)
                yield rows, self.entries[k : k + ROWS]

    def close(self) -> None:
        """Close its files."""
        for file in (self._vectors, self._cases):
            if file is not None:
                file.close()

    def remove(self) -> None:
        """Remove it, once what it holds lies in an index."""
        self.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _mend(self) -> None:
        """Read what is whole, and cut off the rest."""
        vectors, cases = self.folder / _VECTORS, self.folder / _CASES
        vectors.touch()
        cases.touch()
        kept = 0
        with vectors.open("rb") as held, cases.open("rb") as lines:
            for line in lines:
                read = _whole(line, held, self.width)
                if read is None:
                    break
                entry, self.width = read
                self.entries.append(entry)
                kept += len(line)
        with cases.open("rb+") as file:
            file.truncate(kept)
        with vectors.open("rb+") as file:
            file.truncate(len(self.entries) * self.width * 4)


def _whole(line: bytes, held: IO[bytes], width: int) -> tuple[Entry, int] | None:
    """Return the case of a line whose vector follows in `held`, and its width; None where either is not whole."""
    try:
        about = json.loads(line) if line.endswith(b"\n") else None
        if not isinstance(about, dict) or (width and about["width"] != width):
            return None
        own = int(about["width"])
        data = held.read(own * 4)
        return (entry_of(about), own) if _digest(data) == about["digest"] else None
    except (KeyError, TypeError, ValueError):
        return None


def _digest(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=16).hexdigest()
