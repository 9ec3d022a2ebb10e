"""One upload as the service keeps it: its images, what was set aside with the reason, whose it is."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vesalius.core.case import Case
from vesalius.core.learned import Seen
from vesalius.serve.http.problems import not_found
from vesalius.serve.http.schemas import iso

_OURS = re.compile(
    r"(?<![\w.,/])[0-9]{6,}(?:\.[A-Za-z]\w*)*(?!\w|,[0-9])"
)  # as `uploads.stored_path` names files


@dataclass(frozen=True)
class StoredCase:
    """One image of a study: an opaque id, what it is called, and what its headers say, `seen` as models compare it."""

    id: str
    name: str
    case: Case
    dicom: bool
    about: Mapping[str, Any]
    seen: Seen | None = None

    def json(self) -> dict[str, Any]:
        """As clients see it."""
        return {"case": self.id, "name": self.name, **self.about}


@dataclass(frozen=True)
class UploadedStudy:
    """One upload. `labels` are a client's names of files by where they lie.

    `made` says which sort of sample it is, where the service itself made it and no client.
    """

    id: str
    owner: str
    folder: Path
    cases: tuple[StoredCase, ...]
    set_aside: tuple[tuple[str, str], ...]
    size: int
    labels: Mapping[str, str] = field(default_factory=dict)
    created: float = field(default_factory=time.time)
    made: str = ""

    def case(self, case_id: str) -> StoredCase:
        """Return the case of that id. Raises Problem 404."""
        for case in self.cases:
            if case.id == case_id:
                return case
        raise not_found("case")

    def plainly(self, text: str) -> str:
        """Return a message without this machine's paths: files by what the client calls them."""
        text = text.replace(f"{self.folder}/", "").replace(str(self.folder), "the study")
        return _OURS.sub(lambda found: self.labels.get(str(self.folder / found[0]), found[0]), text)

    def file_in(self, text: str) -> str | None:
        """Return what the client calls the first of its files that a message of ours names."""
        for found in _OURS.finditer(text.replace(f"{self.folder}/", "")):
            if str(self.folder / found[0]) in self.labels:
                return self.labels[str(self.folder / found[0])]
        return None

    def json(self) -> dict[str, Any]:
        """As clients see it."""
        return {
            "study": self.id,
            "created": iso(self.created),
            "synthetic": bool(self.made),
            "cases": [c.json() for c in self.cases],
            "set_aside": [{"name": n, "reason": r} for n, r in self.set_aside],
        }
