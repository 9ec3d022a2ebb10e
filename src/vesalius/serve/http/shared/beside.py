"""What lies beside a study in all processes: its true labels, and what MONAI Label's clients keep of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from vesalius.core import encoding
from vesalius.core.disk import write_text
from vesalius.serve.database import Execute
from vesalius.serve.http.datastore import Datastore, DatastoreEntry
from vesalius.serve.http.shared.folders import settle
from vesalius.serve.http.shared.queue import SharedQueue
from vesalius.serve.http.shared.studies import SharedStudies
from vesalius.serve.http.study import StoredCase, UploadedStudy
from vesalius.serve.http.truth import Truth, Truths

_MASK, _ENTRY = "mask.json", "datastore"
T = TypeVar("T")


class SharedTruths(Truths):
    """As `Truths`, for all processes of a queue. Each of its methods also raises QueueAway."""

    def __init__(self, queue: SharedQueue) -> None:
        super().__init__()
        self.queue = queue

    def get(self, study: UploadedStudy, case: StoredCase) -> Truth | None:
        """Return a case's truth; None where nobody gave one."""
        rows = self.queue.rows(
            "SELECT value FROM beside WHERE study = ? AND name = ?", study.id, f"truth {case.id}"
        )
        return _truth(rows[0][0], study) if rows else None

    def put(self, study: UploadedStudy, case: StoredCase, truth: Truth) -> Truth | None:
        """Keep a case's truth in the place of another, which is returned."""
        write_text(truth.path.parent / _MASK, encoding.as_text(truth.mask))
        settle(truth.path.parent)
        said = {
            "path": truth.path.relative_to(study.folder).as_posix(),
            "source": truth.source,
            "named": truth.named,
            "notes": list(truth.notes),
        }
        return self._change(study, case, json.dumps(said))

    def remove(self, study: UploadedStudy, case: StoredCase) -> Truth | None:
        """Forget a case's truth and return it."""
        return self._change(study, case, None)

    def forget(self, study: UploadedStudy) -> None:
        """Nothing is kept of a study that has gone: it went with it."""

    def _change(self, study: UploadedStudy, case: StoredCase, value: str | None) -> Truth | None:
        name = f"truth {case.id}"
        with self.queue.transaction() as execute:
            old = _value(execute, study, name)
            _put(execute, study, name, value)
        return None if old is None else _truth(old, study)


class SharedDatastore(Datastore):
    """As `Datastore`, for all processes of a queue. Each of its methods also raises QueueAway."""

    def __init__(self, studies: SharedStudies) -> None:
        super().__init__(studies)
        self.queue = studies.queue

    def entry(self, study: UploadedStudy) -> DatastoreEntry:
        """Return what is kept beside a study now; `change` changes it."""
        rows = self.queue.rows("SELECT value FROM beside WHERE study = ? AND name = ?", study.id, _ENTRY)
        return _entry(rows[0][0], study) if rows else DatastoreEntry()

    def entries(self, studies: Iterable[UploadedStudy]) -> Mapping[str, DatastoreEntry]:
        """Return what is kept beside each of these studies, by its id."""
        rows = dict(self.queue.rows("SELECT study, value FROM beside WHERE name = ?", _ENTRY))
        return {s.id: _entry(rows[s.id], s) if s.id in rows else DatastoreEntry() for s in studies}

    def change(self, study: UploadedStudy, change: Callable[[DatastoreEntry], T]) -> T:
        """Change what is kept beside a study, and return what the change returns."""
        with self.queue.transaction() as execute:
            old = _value(execute, study, _ENTRY)
            entry = DatastoreEntry() if old is None else _entry(old, study)
            before = {path for path, _ in entry.labels.values()}
            found = change(entry)
            _put(execute, study, _ENTRY, _entry_text(entry, study))
        for path in {path for path, _ in entry.labels.values()} - before:
            if path.is_file():
                settle(path.parent)
        return found

    def forget(self, study: UploadedStudy) -> None:
        """Nothing is kept of a study that has gone: it went with it."""


def _value(execute: Execute, study: UploadedStudy, name: str) -> str | None:
    row = execute("SELECT value FROM beside WHERE study = ? AND name = ?", (study.id, name)).fetchone()
    return None if row is None else str(row[0])


def _put(execute: Execute, study: UploadedStudy, name: str, value: str | None) -> None:
    execute("DELETE FROM beside WHERE study = ? AND name = ?", (study.id, name))
    there = execute("SELECT 1 FROM studies WHERE id = ?", (study.id,)).fetchone()
    if value is not None and there is not None:  # a study that goes at this moment has nothing beside it
        execute("INSERT INTO beside VALUES (?, ?, ?)", (study.id, name, value))


def _truth(text: str, study: UploadedStudy) -> Truth | None:
    said: dict[str, Any] = json.loads(text)
    path = study.folder / said["path"]
    try:
        mask = encoding.from_text((path.parent / _MASK).read_text(encoding="utf-8"))
    except FileNotFoundError:  # another took it away at this moment
        return None
    return Truth(mask, path, said["source"], said["named"], tuple(said["notes"]))


def _entry(text: str, study: UploadedStudy) -> DatastoreEntry:
    said: dict[str, Any] = json.loads(text)
    labels = {tag: (study.folder / path, told) for tag, (path, told) in said["labels"].items()}
    return DatastoreEntry(said["alias"], said["info"], labels)


def _entry_text(entry: DatastoreEntry, study: UploadedStudy) -> str:
    labels = {tag: [_within(path, study), told] for tag, (path, told) in entry.labels.items()}
    return json.dumps({"alias": entry.alias, "info": entry.info, "labels": labels})


def _within(path: Path, study: UploadedStudy) -> str:
    return path.relative_to(study.folder).as_posix()
