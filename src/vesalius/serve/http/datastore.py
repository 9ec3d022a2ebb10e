"""What MONAI Label keeps beside studies: the images' own names, what is said of them, and labels drawn on them."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, TypeVar

from fastapi import Query

from vesalius.serve.http.keys import Caller
from vesalius.serve.http.problems import Problem, not_found
from vesalius.serve.http.studies import Studies
from vesalius.serve.http.study import StoredCase, UploadedStudy

FINAL = "final"  # the tag of a label that is done
STRATEGIES = {"first": "The first image without a label", "random": "Any image without a label"}
T = TypeVar("T")
ImageId = Annotated[str, Query(max_length=128)]


@dataclass
class DatastoreEntry:
    """What MONAI Label keeps of one study.

    `alias` is the name that its image was given, `info` what a client stored about it. `labels` are the label files by
    tag, each with the parameters that were sent when it was saved.
    """

    alias: str | None = None
    info: dict[str, Any] = field(default_factory=dict)
    labels: dict[str, tuple[Path, dict[str, Any]]] = field(default_factory=dict)


class Datastore:
    """The caller's studies as images: by the name they were uploaded under, else by study and case."""

    def __init__(self, studies: Studies) -> None:
        self.studies = studies
        self._entries: dict[str, DatastoreEntry] = {}
        self._lock = threading.Lock()

    def entry(self, study: UploadedStudy) -> DatastoreEntry:
        """Return what is kept beside a study."""
        with self._lock:
            return self._entries.setdefault(study.id, DatastoreEntry())

    def entries(self, studies: Iterable[UploadedStudy]) -> Mapping[str, DatastoreEntry]:
        """Return what is kept beside each of these studies, by its id."""
        return {study.id: self.entry(study) for study in studies}

    def change(self, study: UploadedStudy, change: Callable[[DatastoreEntry], T]) -> T:
        """Change what is kept beside a study, and return what the change returns."""
        entry = self.entry(study)
        with self._lock:
            return change(entry)

    def forget(self, study: UploadedStudy) -> None:
        """Drop all that is kept of a study."""
        with self._lock:
            self._entries.pop(study.id, None)

    def images(self, caller: Caller) -> dict[str, tuple[UploadedStudy, StoredCase]]:
        """Return every image of the caller by its id."""
        found = {}
        own = [study for study in self.studies.seen_by(caller) if study.owner == caller.name]
        entries = self.entries(own)
        for study in own:
            alias = entries[study.id].alias
            for case in study.cases:
                found[alias if alias is not None else f"{study.id}-{case.id}"] = (study, case)
        return found

    def find(self, image: str, caller: Caller) -> tuple[UploadedStudy, StoredCase]:
        """Return one image. Raises Problem 404."""
        found = self.images(caller).get(image)
        if found is None:
            raise not_found("image")
        return found

    def status(self, caller: Caller) -> dict[str, Any]:
        """Return how many images of the caller there are, and how many of them are labelled."""
        images = self.images(caller)
        known = self.entries(study for study, _ in images.values())
        entries = [known[study.id] for study, _ in images.values()]
        tags = [tag for entry in entries for tag in entry.labels]
        return {
            "total": len(entries),
            "completed": sum(FINAL in entry.labels for entry in entries),
            "label_tags": {tag: tags.count(tag) for tag in dict.fromkeys(tags)},
            "train": [],
        }


def described(study: UploadedStudy, case: StoredCase, entry: DatastoreEntry) -> dict[str, Any]:
    """Return what is known of an image: what was said of it when it came, and what its headers say."""
    return {**entry.info, "name": case.name, "ts": int(study.created), **case.about}


def params(text: str) -> dict[str, Any]:
    """Return the JSON object of a form's field. Raises Problem 422."""
    try:
        found = json.loads(text or "{}")
        json.dumps(found, allow_nan=False, ensure_ascii=False).encode()  # it can be said again
    except (ValueError, RecursionError) as error:
        raise Problem(422, "params must be JSON") from error
    if not isinstance(found, dict):
        raise Problem(422, "params must be a JSON object")
    return found
