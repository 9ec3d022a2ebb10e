"""What MONAI Label keeps beside studies: the images' own names, what is said of them, and labels drawn on them."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from fastapi import Query

from vesalius.serve.http.keys import Caller
from vesalius.serve.http.problems import Problem, missing
from vesalius.serve.http.studies import Studies
from vesalius.serve.http.study import StoredCase, Study

FINAL = "final"  # the tag of a label that is done
STRATEGIES = {"first": "The first image without a label", "random": "Any image without a label"}
ImageId = Annotated[str, Query(max_length=128)]


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

    def status(self, caller: Caller) -> dict[str, Any]:
        """How many images of the caller there are, and how many of them are labelled."""
        shelves = [self.shelf(study) for study, _ in self.images(caller).values()]
        tags = [tag for shelf in shelves for tag in shelf.labels]
        return {
            "total": len(shelves),
            "completed": sum(FINAL in shelf.labels for shelf in shelves),
            "label_tags": {tag: tags.count(tag) for tag in dict.fromkeys(tags)},
            "train": [],
        }


def described(study: Study, case: StoredCase, shelf: Shelf) -> dict[str, Any]:
    """What is known of an image: what was said of it when it came, and what its headers say."""
    return {**shelf.info, "name": case.name, "ts": int(study.created), **case.about}


def params(text: str) -> dict[str, Any]:
    """The JSON object of a form's field. Raises Problem 422."""
    try:
        found = json.loads(text or "{}")
        json.dumps(found, allow_nan=False, ensure_ascii=False).encode()  # it can be said again
    except (ValueError, RecursionError) as error:
        raise Problem(422, "params must be JSON") from error
    if not isinstance(found, dict):
        raise Problem(422, "params must be a JSON object")
    return found
