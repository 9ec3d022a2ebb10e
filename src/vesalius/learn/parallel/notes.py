"""What processes and their launcher write down for one another, in a folder that only their user can read."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vesalius.core import errors
from vesalius.core.errors import VesaliusError
from vesalius.core.progress import Progress

LOOK_S = 0.1
_JOB, _FOLDER, _LOST, _PROGRESS = "job.pickle", "folder", "lost.json", "progress.jsonl"


@dataclass(frozen=True)
class Notes:
    """A folder of notes."""

    place: Path

    def keep_job(self, pickled: bytes) -> None:
        """Keep what every process runs."""
        (self.place / _JOB).write_bytes(pickled)

    def job(self) -> bytes:
        """Return what every process runs."""
        return (self.place / _JOB).read_bytes()

    def keep_folder(self, path: Path) -> None:
        """Keep where the leader works."""
        (self.place / _FOLDER).write_text(str(path.absolute()), encoding="utf-8")

    def folder(self) -> Path | None:
        """Return where the leader works; None before it is known."""
        found = self.place / _FOLDER
        return Path(found.read_text(encoding="utf-8")) if found.is_file() else None

    def keep_lost(self, lost: Sequence[Mapping[str, Any]]) -> None:
        """Keep which processes were lost so far."""
        (self.place / _LOST).write_text(json.dumps(list(lost)), encoding="utf-8")

    def lost(self) -> list[dict[str, Any]]:
        """Return which processes were lost so far."""
        found = self.place / _LOST
        said: list[dict[str, Any]] = json.loads(found.read_text(encoding="utf-8")) if found.is_file() else []
        return said

    def tell(self, rank: int, error: VesaliusError) -> None:
        """Keep an error of a process, for the launcher to raise."""
        said = {"kind": type(error).__name__, "what": error.what, "found": error.found, "hint": error.hint}
        (self.place / f"error-{rank}.json").write_text(json.dumps(said), encoding="utf-8")

    def tell_fault(self, rank: int, trace: str) -> None:
        """Keep what Python says of a fault of ours."""
        (self.place / f"fault-{rank}.txt").write_text(trace, encoding="utf-8")

    def raise_told(self) -> None:
        """Raise what the leader raised, or else what the first of the followers did, with its number."""
        for path in sorted(self.place.glob("error-*.json"), key=_rank):
            said, rank = json.loads(path.read_text(encoding="utf-8")), _rank(path)
            what = said["what"] if rank == 0 else f"process {rank}: {said['what']}"
            raise rebuilt(said["kind"], what, found=said["found"], hint=said["hint"])
        for path in sorted(self.place.glob("fault-*.txt"), key=_rank):
            raise RuntimeError(f"process {_rank(path)} failed:\n{path.read_text(encoding='utf-8')}")


def _rank(path: Path) -> int:
    return int(path.stem.rpartition("-")[2])


def rebuilt(kind: str, what: str, *, found: str | None, hint: str | None) -> VesaliusError:
    """Return an error of `core/errors.py` from its words; one of another kind is a VesaliusError."""
    known = getattr(errors, kind, None)
    if (
        isinstance(known, type)
        and issubclass(known, VesaliusError)
        and known.__init__ is VesaliusError.__init__
    ):
        return known(what, found=found, hint=hint)
    return VesaliusError(what, found=found, hint=hint)


class Told:
    """Progress that is written down, for the launcher to show."""

    def __init__(self, notes: Notes) -> None:
        self._file = (notes.place / _PROGRESS).open("a", encoding="utf-8")

    def _write(self, *said: Any) -> None:
        self._file.write(json.dumps(said) + "\n")
        self._file.flush()

    def start(self, name: str, total: int | None = None) -> None:
        """A piece of work begins."""
        self._write("start", name, total)

    def advance(self, name: str, done: int = 1, text: str = "") -> None:
        """So many more units are finished."""
        self._write("advance", name, done, text)

    def finish(self, name: str) -> None:
        """It is over."""
        self._write("finish", name)

    def note(self, text: str) -> None:
        """A line worth reading."""
        self._write("note", text)


@contextmanager
def replayed(notes: Notes, progress: Progress) -> Iterator[None]:
    """Inside this block, show what the leader tells of its progress."""
    over = threading.Event()
    thread = threading.Thread(target=_replay, args=(notes, progress, over), daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _replay(notes: Notes, progress: Progress, over: threading.Event) -> None:
    path = notes.place / _PROGRESS
    path.touch()
    shown = set[str]()
    with path.open(encoding="utf-8") as file:
        rest, last = "", False
        while True:
            last = over.is_set()
            *lines, rest = (rest + file.read()).split("\n")
            for line in lines:
                how, *said = json.loads(line)
                if how == "note" and said[0] in shown:  # of what is begun again, once is enough
                    continue
                shown.add(said[0] if how == "note" else "")
                getattr(progress, how)(*said)
            if last:
                return
            over.wait(LOOK_S)
