"""The edits of reports that a service keeps: appended to one file, on the disk before anybody is told that it is saved.

Of each report (an image, by its content, and a bundle) the edits are counted from 1. An edit says which version its
author has seen; where another has come since, it is refused, so that nobody's words are lost below another's.
"""

from __future__ import annotations

import json
import secrets
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from vesalius.core.disk import output_errors
from vesalius.core.edit import Edit
from vesalius.core.errors import FormatError, OutputError
from vesalius.core.journal import Journal, whole_lines
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
        self._lock = threading.Lock()
        self._journal = Journal(self.path)
        self.mended = self._journal.mended
        self._edits: dict[Report, list[KeptEdit]] = {}
        try:
            for one in edits_in(folder):
                self._take(one)
        except BaseException:
            self._journal.close()
            raise

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
            self._journal.add(made.line())
            self._take(made)
        return made

    def close(self) -> None:
        """Write no more."""
        with self._lock:
            self._journal.close()

    def _take(self, one: KeptEdit) -> None:
        """Remember an edit; a model's own sections that are those of the version before are held once."""
        edits = self._edits.setdefault((one.image, one.bundle), [])
        if edits and edits[-1].written == one.written:
            one = replace(one, written=edits[-1].written)
        edits.append(one)


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
    for n, line in enumerate(whole_lines(data).splitlines(), start=1):
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
