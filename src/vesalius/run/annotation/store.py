"""What annotators saved: appended to one file, on the disk before anybody is told that it is saved.

Of each case, annotator and role the versions are counted from 1. A save says which version its page has seen; where
another has come since, it is refused. What is drawn is written first, into a file that is called by the hashes of its
values and of the grid on which they lie and never changed, so that a crash between the two leaves a file that nothing
names, and no half reading.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from vesalius import formats
from vesalius.core.disk import output_errors
from vesalius.core.errors import FormatError, OutputError
from vesalius.core.grids import Gridded
from vesalius.core.image import Array, Image
from vesalius.core.journal import Journal, whole_lines
from vesalius.run.annotation.reading import Reading, Role, Start, reading_of

FILE, DRAWINGS = "annotations.jsonl", "drawings"
MOST_VERSIONS = 1000  # of one annotator's reading of one case
_SLACK_S = 2.0  # by which a page's clock may be ahead of ours

Whose = tuple[str, str, str]  # a case's key, an annotator, a role


class Conflict(Exception):
    """The annotator has saved another version since, in another window; `latest` is it."""

    def __init__(self, latest: Reading) -> None:
        super().__init__(f"version {latest.version}")
        self.latest = latest


@dataclass(frozen=True, eq=False)
class Saving:
    """What is to be saved. `drawn` are arrays `(Z, Y, X)` by kind, on the `grid` of the case's image.

    `seen` is the version that the page has seen, `since` the time (s, as `time.time`) at which the case was opened, if
    it was.
    """

    case: str
    image: str
    annotator: str
    caller: str
    role: Role
    seen: int
    done: bool
    seconds: float
    grid: Gridded
    content: Mapping[str, Any]
    drawn: Mapping[str, Array] = field(default_factory=dict)
    start: Start = field(default_factory=Start)
    note: str = ""
    since: float | None = None


class AnnotationStore:
    """The readings in a project's folder, kept to this process.

    `mended` says what was set aside of a file that ended in a line that was never finished. Raises FormatError where a
    line is no reading of this project, OutputError where the folder cannot be written or another process has it.
    """

    def __init__(self, folder: Path, project: str) -> None:
        self.folder, self.project = folder, project
        self._lock = threading.Lock()
        self._journal = Journal(folder / FILE)
        self.mended = self._journal.mended
        self._readings: dict[Whose, list[Reading]] = {}
        try:
            for one in readings_in(folder, project):
                self._take(one)
            _sweep(folder / DRAWINGS)
        except BaseException:
            self._journal.close()
            raise

    def versions(self, case: str, annotator: str, role: Role = "reading") -> tuple[Reading, ...]:
        """Return one annotator's versions of a case, the first one first."""
        with self._lock:
            return tuple(self._readings.get((case, annotator, role), ()))

    def newest(self) -> dict[str, list[Reading]]:
        """Return the newest version of every annotator's readings, by case."""
        with self._lock:
            return newest(one for versions in self._readings.values() for one in versions)

    def of_case(self, case: str) -> list[Reading]:
        """Return the newest version of every annotator's readings of one case, in the order they were begun."""
        with self._lock:
            return [versions[-1] for (key, _, _), versions in self._readings.items() if key == case]

    def seconds(self) -> dict[str, float]:
        """Return how long each annotator has worked."""
        with self._lock:
            found: dict[str, float] = {}
            for versions in self._readings.values():
                for one in versions:
                    found[one.annotator] = found.get(one.annotator, 0.0) + one.seconds
            return found

    def drawing(self, digest: str) -> Path:
        """Return the file of what was drawn, by the name that a reading keeps."""
        return self.folder / DRAWINGS / f"{digest}.nii.gz"

    def save(self, saving: Saving, *, before: Callable[[Reading], None] = lambda reading: None) -> Reading:
        """Keep a reading; on return it is on the disk. One that says nothing new makes no new version.

        `before` is called once nothing speaks against it; it is kept unless that raises. Raises Conflict where another
        version has come since, FormatError for one that nobody saved, OutputError where it cannot be written.
        """
        digests = {kind: drawing_name(array, saving.grid) for kind, array in saving.drawn.items()}
        with self._lock:
            earlier = self._readings.get((saving.case, saving.annotator, saving.role), [])
            made = _made(saving, self.project, earlier, digests)
            told = saving.seen in (
                len(earlier),
                len(earlier) - 1,
            )  # or the answer to the save before was lost
            if earlier and told and _says_the_same(earlier[-1], made):
                return earlier[-1]
            if saving.seen != len(earlier):
                raise (
                    Conflict(earlier[-1])
                    if earlier
                    else FormatError("no such version", found=str(saving.seen))
                )
            if len(earlier) >= MOST_VERSIONS:
                raise OutputError("too many versions of one reading", found=f"{len(earlier):,}")
            for kind, array in saving.drawn.items():
                self._write(array, self.drawing(digests[kind]), saving.grid)
            before(made)
            with output_errors(self._journal.path):
                self._journal.add(made.line())
            self._take(made)
        return made

    def close(self) -> None:
        """Write no more."""
        with self._lock:
            self._journal.close()

    def _take(self, one: Reading) -> None:
        self._readings.setdefault((one.case, one.annotator, one.role), []).append(one)

    def _write(self, array: Array, path: Path, grid: Gridded) -> None:
        if path.is_file():
            return
        with output_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        formats.write(placed(array, grid), path)


def placed(array: Array, grid: Gridded) -> Image:
    """Return label values `(Z, Y, X)` as an image where the grid lies."""
    at = getattr(grid, "spacing_at", None)
    return Image(array[None], affine=grid.affine, spacing_mm=grid.spacing_mm, spacing_at=at)


def drawing_digest(array: Array) -> str:
    """Return what a mask is known by: a SHA-256 of its shape and its values."""
    held = np.ascontiguousarray(array, "<u2")
    return hashlib.sha256(json.dumps(held.shape).encode() + held.tobytes()).hexdigest()


def drawing_name(array: Array, grid: Gridded) -> str:
    """Return what the file of a mask is called: its digest, and a mark of where its grid lies.

    Two cases whose masks have the same values, such as none at all, do not share a file, for it says where they lie.
    """
    affine = None if grid.affine is None else np.asarray(grid.affine, float).tolist()
    spacing = None if grid.spacing_mm is None else [float(x) for x in grid.spacing_mm]
    lies = json.dumps([affine, spacing, getattr(grid, "spacing_at", None)])
    return f"{drawing_digest(array)}-{hashlib.sha256(lies.encode()).hexdigest()[:16]}"


def newest(readings: Iterator[Reading]) -> dict[str, list[Reading]]:
    """Return the newest version of each annotator and role, by case, in the order in which they were begun."""
    found: dict[str, dict[tuple[str, str], Reading]] = {}
    for one in readings:
        found.setdefault(one.case, {})[one.annotator, one.role] = one
    return {case: list(each.values()) for case, each in found.items()}


def readings_in(folder: Path, project: str) -> Iterator[Reading]:
    """Yield the readings of a project's folder in the order they came; a line that is not finished is left out.

    None where nobody saved anything yet. Raises FormatError for a line that is no reading of this project.
    """
    path = folder / FILE
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return
    except OSError as error:
        raise OutputError(f"{path} cannot be read", found=error.strerror) from error
    counts: dict[Whose, int] = {}
    for n, line in enumerate(whole_lines(data).splitlines(), start=1):
        where = f"{path}: line {n}"
        try:
            one = reading_of(json.loads(line), where)
        except ValueError as error:
            raise FormatError(f"{where} is no JSON") from error
        if one.project != project:
            raise FormatError(f"{where} is of another project", found=one.project)
        whose = (one.case, one.annotator, one.role)
        counts[whose] = counts.get(whose, 0) + 1
        if one.version != counts[whose]:
            found = f"version {one.version}, not {counts[whose]}"
            raise FormatError(f"{where}: a version before it is missing", found=found)
        yield one


def _made(saving: Saving, project: str, earlier: list[Reading], digests: Mapping[str, str]) -> Reading:
    now = datetime.now(UTC)
    return Reading(
        id=secrets.token_hex(12),
        project=project,
        case=saving.case,
        image=saving.image,
        annotator=saving.annotator,
        caller=saving.caller,
        role=saving.role,
        version=len(earlier) + 1,
        done=saving.done,
        at=now.isoformat(timespec="milliseconds"),
        seconds=round(_borne_out(saving, earlier, now), 3),
        seconds_told=round(saving.seconds, 3),
        start=saving.start,
        note=saving.note,
        content={**saving.content, **digests},
    )


def _borne_out(saving: Saving, earlier: list[Reading], now: datetime) -> float:
    """Return the seconds that a page told, at most those since the case was opened or last saved, if it was."""
    began = [saving.since] if saving.since is not None else []
    began += [datetime.fromisoformat(earlier[-1].at).timestamp()] if earlier else []
    if not began:
        return saving.seconds
    return max(0.0, min(saving.seconds, now.timestamp() - max(began) + _SLACK_S))


def _says_the_same(one: Reading, other: Reading) -> bool:
    return (one.done, one.content, one.note, one.image) == (
        other.done,
        other.content,
        other.note,
        other.image,
    )


def _sweep(folder: Path) -> None:
    """Remove files that a crash left half-written: they were never put in place."""
    if folder.is_dir():
        for path in folder.glob(".*.tmp.*"):
            with output_errors(path):
                path.unlink(missing_ok=True)
