"""Uploaded studies: a folder each in a temporary place, what was found in it, whose it is; gone after a while."""

from __future__ import annotations

import secrets
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from vesalius import cohorts, formats
from vesalius.core.case import Case, Ref
from vesalius.core.errors import DataError, VesaliusError
from vesalius.prepare.case import load_reference
from vesalius.serve.http import display
from vesalius.serve.http.keys import Caller
from vesalius.serve.http.limits import Bounds
from vesalius.serve.http.problems import Problem, missing
from vesalius.serve.http.uploads import Received, Room, opened, suffix
from vesalius.serve.http.wire import iso
from vesalius.serve.node.routing import facts


@dataclass(frozen=True)
class StoredCase:
    """One image of a study: an opaque id, what it is called, and what its headers say."""

    id: str
    name: str
    case: Case
    dicom: bool
    about: Mapping[str, Any]

    def json(self) -> dict[str, Any]:
        """As clients see it."""
        return {"case": self.id, "name": self.name, **self.about}


@dataclass(frozen=True)
class Study:
    """One upload. `labels` are a client's names of files by where they lie."""

    id: str
    owner: str
    folder: Path
    cases: tuple[StoredCase, ...]
    set_aside: tuple[tuple[str, str], ...]
    size: int
    labels: Mapping[str, str] = field(default_factory=dict)
    created: float = field(default_factory=time.time)

    def case(self, case_id: str) -> StoredCase:
        """The case of that id. Raises Problem 404."""
        for case in self.cases:
            if case.id == case_id:
                return case
        raise missing("case")

    def plainly(self, text: str) -> str:
        """A message without this machine's paths: files by what the client calls them."""
        for path, said in self.labels.items():
            text = text.replace(path, said)
        return text.replace(str(self.folder) + "/", "").replace(str(self.folder), "the study")

    def json(self) -> dict[str, Any]:
        """As clients see it."""
        return {
            "study": self.id,
            "created": iso(self.created),
            "cases": [c.json() for c in self.cases],
            "set_aside": [{"name": n, "reason": r} for n, r in self.set_aside],
        }


class Studies:
    """All uploads under one folder. A caller sees its own, an admin all; to the others they are not there."""

    def __init__(self, root: Path, bounds: Bounds) -> None:
        self.root, self.bounds = root, bounds
        self._lock = threading.RLock()
        self._studies: dict[str, Study] = {}
        self._grown: dict[str, int] = {}
        self._coming: dict[str, int] = {}
        self._busy: dict[str, int] = {}
        self.extra: Callable[[], int] = lambda: 0  # bytes that others keep here

    @contextmanager
    def folder(self, caller: Caller) -> Iterator[tuple[str, Path]]:
        """A new study's id and folder to upload into, removed if that fails. Raises Problem 429 where all is full."""
        with self._lock:
            own = sum(s.owner == caller.name for s in self._studies.values())
            if own >= self.bounds.studies:
                raise Problem(429, "too many studies are kept", found=str(own), hint="delete some")
            self.check_room()
        study_id = secrets.token_urlsafe(12)
        folder = self.root / study_id
        folder.mkdir(mode=0o700)
        try:
            yield study_id, folder
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        finally:
            with self._lock:
                self._coming.pop(study_id, None)

    def room(self, study_id: str) -> Room:
        """Counts the bytes of an upload as they come. It raises Problem 429 where they are not taken."""

        def take(size: int) -> None:
            with self._lock:
                self.check_room(size)
                self._coming[study_id] = self._coming.get(study_id, 0) + size

        return take

    def add(self, study_id: str, folder: Path, received: Sequence[Received], caller: Caller) -> Study:
        """Look at what was uploaded and keep it. Raises Problem 422 where there is no image in it, 413."""
        files = opened(tuple(received), folder, self.bounds, self.room(study_id))
        study = look(
            Study(study_id, caller.name, folder, (), (), sum(f.size for f in files)), files, self.bounds
        )
        if not study.cases:
            first = next(iter(study.set_aside), None)
            found = f"{first[0]}: {first[1]}" if first else None
            raise Problem(
                422, "no image could be read", found=found, hint="DICOM, NIfTI, PNG, …, or a zip of them"
            )
        with self._lock:
            self._studies[study_id] = study
            self._coming.pop(study_id, None)
        return study

    def get(self, study_id: str, caller: Caller) -> Study:
        """The study of that id. Raises Problem 404, for another's too."""
        with self._lock:
            study = self._studies.get(study_id)
        if study is None or not (study.owner == caller.name or caller.may("admin")):
            raise missing("study")
        return study

    def seen_by(self, caller: Caller) -> list[Study]:
        """The studies that a caller may see, oldest first."""
        with self._lock:
            every = list(self._studies.values())
        return [s for s in every if s.owner == caller.name or caller.may("admin")]

    def remove(self, study_id: str) -> None:
        """Forget a study; its files go once nothing reads them any more."""
        with self._lock:
            study = self._studies.pop(study_id, None)
            self._grown.pop(study_id, None)
            if study is not None and not self._busy.get(study_id):
                shutil.rmtree(study.folder, ignore_errors=True)

    @contextmanager
    def held(self, study: Study) -> Iterator[None]:
        """While a study's files are read they stay, even where it is removed."""
        with self._lock:
            self._busy[study.id] = self._busy.get(study.id, 0) + 1
        try:
            yield
        finally:
            with self._lock:
                self._busy[study.id] -= 1
                if not self._busy[study.id]:
                    del self._busy[study.id]
                    if study.id not in self._studies:
                        shutil.rmtree(study.folder, ignore_errors=True)

    def expire(self, now: float) -> list[Study]:
        """Remove and return what is older than it may be."""
        with self._lock:
            old = [s for s in self._studies.values() if now - s.created > self.bounds.keep_s]
            for study in old:
                self.remove(study.id)
        return old

    def stored(self) -> int:
        """Bytes of all uploads and results."""
        with self._lock:
            kept = sum(s.size for s in self._studies.values())
            return kept + sum(self._grown.values()) + sum(self._coming.values()) + self.extra()

    def grow(self, study: Study, size: int) -> None:
        """Count bytes that were put beside a study's upload."""
        with self._lock:
            if study.id in self._studies:
                self._grown[study.id] = self._grown.get(study.id, 0) + size

    def check_room(self, size: int = 0) -> None:
        """Raises Problem 429 where that many bytes more are not taken."""
        if self.stored() + size > self.bounds.stored_bytes:
            raise Problem(429, "the store is full", hint="delete studies, or wait until they expire")

    def __len__(self) -> int:
        return len(self._studies)

    def image(self, study: Study, case: StoredCase, *, first: bool = False) -> Path:
        """The case's image as a NIfTI to look at, or its first frame or channel, made once. Raises VesaliusError."""
        about = case.about
        first = first and (about["frames"] > 1 or (about["channels"] > 1 and not about["colour"]))
        make = display.first_volume if first else display.volume
        name = f"{case.id}-first.nii.gz" if first else f"{case.id}.nii.gz"
        return self._made(study, name, lambda path: make(load_reference(case.case), path))

    def preview(self, study: Study, case: StoredCase) -> Path:
        """The case's middle plane as a PNG, made once. Raises VesaliusError."""
        return self._made(
            study, f"{case.id}.png", lambda path: display.preview(load_reference(case.case), path)
        )

    def _made(self, study: Study, name: str, make: Callable[[Path], None]) -> Path:
        folder = study.folder / "shown"
        path = folder / name
        if not path.exists():
            with self.held(study):
                if not study.folder.is_dir():
                    raise missing("study")
                folder.mkdir(exist_ok=True)
                make(path)
                self.grow(study, path.stat().st_size)
        return path


def look(study: Study, files: Sequence[Received], bounds: Bounds) -> Study:
    """The study with its cases: DICOM series and single images, each bounded; the rest with the reason.

    Only those two layouts are looked for: a table's or a description's paths are never followed.
    """
    study = replace(study, labels={str(f.path): f.label for f in files})
    stems = {f.path.stem: f.label for f in files} | {formats.stem(f.path): f.label for f in files}
    aside = [(f.label, "not a format that is read here") for f in files if not _read_here(f)]
    try:
        cohort = cohorts.read(study.folder, layout="dicomtree", max_set_aside=1.0)
    except DataError:
        return replace(study, set_aside=tuple(aside))
    for item in cohort.set_aside:
        aside.append((stems.get(item.case, item.case), study.plainly(item.reason)))
    cases: list[StoredCase] = []
    for case in cohort.cases:
        ref = case.images[case.reference]
        if not isinstance(ref, Ref):
            continue
        said = study.labels.get(str(ref.paths[0]), case.id)
        try:
            cases.append(_stored(f"c{len(cases) + 1}", case, ref, said, bounds))
        except VesaliusError as error:
            aside.append((said, study.plainly(str(error))))
    return replace(study, cases=tuple(cases), set_aside=tuple(aside))


def _read_here(item: Received) -> bool:
    found = item.path.suffix and suffix(item.path.name) not in ("", ".npz", ".zip")
    return bool(found) or formats.by_content(item.path) == "dicom"


def _stored(case_id: str, case: Case, ref: Ref, said: str, bounds: Bounds) -> StoredCase:
    head = formats.header(ref)
    claimed = int(np.prod(head.shape)) * head.channels * head.frames * np.dtype(head.dtype).itemsize
    if claimed > bounds.decoded_bytes:
        raise DataError(
            "an image that is too large", found=f"{claimed:,} bytes", hint=f"at most {bounds.decoded_bytes:,}"
        )
    dicom = formats.sniff(ref.paths[0]) == "dicom"
    series = facts(ref.paths) if dicom else None
    description = " ".join(s for s in (series.series_description, ref.member or "") if s) if series else ""
    name = description or (formats.stem(said) if len(ref.paths) == 1 or not dicom else case.id)
    about = {
        "shape": list(head.shape),
        "spacing_mm": None if head.spacing_mm is None else [float(s) for s in head.spacing_mm],
        "modality": head.modality or (series.modality if series else None) or None,
        "description": description,
        "unit": head.unit,
        "spacing_at": head.spacing_at,
        "orientation_known": head.affine is not None,
        "frames": head.frames,
        "frame_s": display.frame_s(head.times_s),
        "channels": head.channels,
        "colour": head.channels == 3 and head.dtype == "uint8",
        "source": "dicom" if dicom else "other",
        "display": display.hints(head.display),
    }
    kept = replace(case, id=case_id, targets={}, patient=None, report=None)
    return StoredCase(case_id, name, kept, dicom, about)
