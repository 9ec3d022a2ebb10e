"""What MONAI Label keeps beside studies: the images' own names, what is said of them, and labels drawn on them."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vesalius.serve.http.keys import Caller
from vesalius.serve.http.problems import missing
from vesalius.serve.http.studies import StoredCase, Studies, Study

FINAL = "final"  # the tag of a label that is done


@dataclass
class Shelf:
    """Of one study: its image's name, its info, its labels by tag with what was said when they were saved."""

    alias: str | None = None
    info: dict[str, Any] = field(default_factory=dict)
    labels: dict[str, tuple[Path, dict[str, Any]]] = field(default_factory=dict)


class Shelves:
    """The caller's studies as images: by the name they were uploaded under, else by study and case."""

    def __init__(self, studies: Studies) -> None:
        self.studies = studies
        self._shelves: dict[str, Shelf] = {}
        self._lock = threading.Lock()

    def shelf(self, study: Study) -> Shelf:
        """What is kept beside a study."""
        with self._lock:
            return self._shelves.setdefault(study.id, Shelf())

    def forget(self, study: Study) -> None:
        """Keep nothing of a study any more."""
        with self._lock:
            self._shelves.pop(study.id, None)

    def images(self, caller: Caller) -> dict[str, tuple[Study, StoredCase]]:
        """Every image of the caller by its id."""
        found = {}
        for study in self.studies.seen_by(caller):
            if study.owner != caller.name:
                continue
            alias = self.shelf(study).alias
            for case in study.cases:
                found[alias if alias is not None else f"{study.id}-{case.id}"] = (study, case)
        return found

    def find(self, image: str, caller: Caller) -> tuple[Study, StoredCase]:
        """One image. Raises Problem 404."""
        found = self.images(caller).get(image)
        if found is None:
            raise missing("image")
        return found
