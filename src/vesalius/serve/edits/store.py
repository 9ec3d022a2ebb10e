"""The edits of reports that a service keeps: appended to one file, on the disk before anybody is told that it is saved.

Of each report (an image, by its content, and a bundle) the edits are counted from 1. An edit says which version its
author has seen; where another has come since, it is refused, so that nobody's words are lost below another's.
"""

from __future__ import annotations

import json
import os
import secrets
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from vesalius.core.disk import append, held, output_errors, write_bytes
from vesalius.core.edit import Edit
from vesalius.core.errors import FormatError, OutputError
from vesalius.core.words import counted
from vesalius.serve.edits.kept import KeptEdit, kept_edit

FILE = "edits.jsonl"
MOST_VERSIONS = 100  # of one report
MOST_BYTES = 64_000  # of one version's sections, their names included, as UTF-8

Report = tuple[str, str]  # an image's digest, a bundle's hash


class Conflict(Exception):
    """Somebody has saved another version since the one that an editor has seen; `latest` is it."""

    def __init__(self, latest: KeptEdit) -> None:
        super().__init__(f"version {latest.edit.version}")
        self.latest = latest


class EditStore:
    """The edits in a folder, kept to this process. `mended` says what was set aside of a file that ended in a line
    that was never finished.

    Raises FormatError where a line is no edit, OutputError where the folder cannot be written or another process has
    it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.path = folder, folder / FILE
        self.mended: str | None = None
        self._lock = threading.Lock()
        with ExitStack() as stack, output_errors(folder):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            stack.enter_context(held(folder))
            new = not self.path.exists()
            self._handle = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
            stack.callback(os.close, self._handle)
            if new:
                _sync(folder)
            self._mend()
            self._edits: dict[Report, list[KeptEdit]] = {}
            for one in edits_in(folder):
                self._take(one)
            self._open = stack.pop_all()

    def of(self, report: Report) -> tuple[KeptEdit, ...]:
        """Return the edits of a report, the first one first."""
        with self._lock:
            return tuple(self._edits.get(report, ()))

    def save(
        self,
        report: Report,
        sections: Mapping[str, str],
        *,
        seen: int,
        author: str,
        written: Mapping[str, str],
        model: str,
        caller: str,
        verified: bool = False,
        organisation: str = "",
        before: Callable[[Edit], None] = lambda edit: None,
    ) -> KeptEdit:
        """Keep an edit; on return it is on the disk. `seen` is the version that its author has changed, 0 the model's.

        `before` is called once nothing speaks against the edit; it is kept unless that raises. Raises Conflict where
        another has come since, FormatError for a text that is too long, OutputError where it cannot be written.
        """
        if (size := sum(len(text.encode()) for pair in sections.items() for text in pair)) > MOST_BYTES:
            raise FormatError(
                f"a report of more than {MOST_BYTES:,} bytes", found=f"{size:,}", hint="a shorter one"
            )
        with self._lock, output_errors(self.path):
            earlier = self._edits.get(report, [])
            if seen != len(earlier):
                raise Conflict(earlier[-1]) if earlier else FormatError("no such version", found=str(seen))
            if len(earlier) >= MOST_VERSIONS:
                raise OutputError(
                    "too many versions of one report",
                    found=str(len(earlier)),
                    hint=f"{MOST_VERSIONS} are kept, and no more",
                )
            edit = Edit(
                id=secrets.token_hex(12),
                author=author,
                at=datetime.now(UTC).isoformat(timespec="milliseconds"),
                version=len(earlier) + 1,
                former=earlier[-1].edit.id if earlier else "",
                verified=verified,
                organisation=organisation,
            )
            made = KeptEdit(edit, *report, model, caller, dict(written), dict(sections))
            before(edit)
            append(self._handle, made.line())
            self._take(made)
        return made

    def close(self) -> None:
        """Write no more."""
        with self._lock:
            self._open.close()

    def _take(self, one: KeptEdit) -> None:
        """Remember an edit; a model's own sections that are those of the version before are held once."""
        edits = self._edits.setdefault((one.image, one.bundle), [])
        if edits and edits[-1].written == one.written:
            one = replace(one, written=edits[-1].written)
        edits.append(one)

    def _mend(self) -> None:
        """Set aside what comes after the last whole line: nobody was told that it is saved."""
        data = self.path.read_bytes()
        whole = data.rfind(b"\n") + 1
        if whole == len(data):
            return
        aside = self.folder / f"{FILE}.torn-{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}"
        write_bytes(aside, data[whole:])
        aside.chmod(0o600)
        os.ftruncate(self._handle, whole)
        os.fsync(self._handle)
        self.mended = f"the last line of {self.path} was never finished: its "
        self.mended += f"{counted(len(data) - whole, 'byte is', 'bytes are')} in {aside.name}"


def edits_in(folder: Path) -> Iterator[KeptEdit]:
    """Yield the edits of a folder, in the order in which they came; a line that is not finished is left out.

    Raises FormatError for a line that is no edit, OutputError where there is no such file.
    """
    path = folder / FILE
    try:
        data = path.read_bytes()
    except OSError as error:
        raise OutputError(
            f"{path} cannot be read", found=error.strerror, hint="the folder of --edits"
        ) from error
    counts: dict[Report, int] = {}
    for n, line in enumerate(data[: data.rfind(b"\n") + 1].splitlines(), start=1):
        where = f"{path}: line {n}"
        try:
            raw = json.loads(line)
        except ValueError as error:
            raise FormatError(f"{where} is no JSON") from error
        one = kept_edit(raw, where)
        report = (one.image, one.bundle)
        counts[report] = counts.get(report, 0) + 1
        if one.edit.version != counts[report]:
            found = f"version {one.edit.version}, not {counts[report]}"
            raise FormatError(f"{where}: an edit before it is missing", found=found)
        yield one


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
