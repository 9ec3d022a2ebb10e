"""Cases like one that was uploaded, of an index that a service was given; who sees of them what, and what is opened."""

from __future__ import annotations

import base64
import shutil
import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from vesalius.core.case import Ref
from vesalius.core.errors import DataError, OutputError
from vesalius.core.index import Entry
from vesalius.explain.nearest import thumbnail
from vesalius.retrieve.where import chosen
from vesalius.run.searching import Opened, Query, Reply, asked_with, open_folder
from vesalius.run.vectors import Located
from vesalius.serve.http.keys import Caller, Role
from vesalius.serve.http.problems import Problem, not_found
from vesalius.serve.http.study import StoredCase, UploadedStudy
from vesalius.serve.http.uploads import Received, stored_path

FEWEST = 5  # cases that conditions leave at least, of a caller who may not see whose they are
_KEPT = 256  # where cases lie, and pictures, that are kept in memory
_NO_FOLDER = "the service was given no folder of the index's images, so that none is shown"
_NO_ROLE = "ids and pictures of the index's cases are other patients': this key may not see them"
_INSIDE = "it lies in a file with other cases, so that it is not opened by itself"
K = TypeVar("K")
V = TypeVar("V")
Key = tuple[str, str, tuple[tuple[str, float | str | None], ...]]


class SimilarCases:
    """An index that a service is asked for cases like one that was uploaded.

    `images` is the folder from which pictures of indexed cases may be read, None where none may. What tells who an
    indexed case is of, its id and its picture, is for callers of the role `role` alone. Raises BundleError where the
    index is damaged, OutputError where there is no such folder.
    """

    def __init__(
        self, index: Path, *, images: Path | None = None, role: Role = "admin", device: str | None = None
    ) -> None:
        if images is not None and not images.is_dir():
            raise OutputError(f"there is no folder {images}", hint="--index-images FOLDER")
        self.images = None if images is None else images.resolve()
        self.role: Role = role
        self.opened: Opened = open_folder(index, device=device)
        self._lock = threading.Lock()  # one case at a time goes through the model, one picture is made
        self._located: OrderedDict[Key, tuple[Query, Located]] = OrderedDict()
        self._pictures: OrderedDict[int, bytes] = OrderedDict()

    def may_see(self, caller: Caller) -> bool:
        """Return whether a caller may see whose the indexed cases are."""
        return caller.may(self.role)

    def hidden(self, caller: Caller) -> str | None:
        """Return why a caller sees no pictures; None where there are some."""
        if not self.may_see(caller):
            return _NO_ROLE
        return _NO_FOLDER if self.images is None else None

    def assert_conditions(self, caller: Caller, where: Mapping[str, str]) -> None:
        """Raise Problem where conditions tell who may not see whose the cases are of a few of them, or their values.

        By a condition on an age, a date or a number that a table calls a covariate a single patient could be picked
        out, and the target beside that one case is theirs.
        """
        if not where or self.may_see(caller):
            return
        try:
            left = len(chosen(self.opened.index, where).places)
        except DataError as error:  # what was found are values of other patients
            raise Problem(422, error.what) from error
        if left < FEWEST:
            raise Problem(
                403,
                f"conditions that leave fewer than {FEWEST} cases are not for this key",
                hint="wider ones",
            )

    def ask(
        self,
        study: UploadedStudy,
        stored: StoredCase,
        *,
        covariates: Mapping[str, float | str],
        words: str,
        count: int,
        where: Mapping[str, str],
        own_patient: bool,
        exact: bool,
    ) -> Reply:
        """Return the indexed cases that are like an uploaded one. Raises what `find` raises."""
        known: dict[str, float | str | None] = {**stored.case.covariates, **covariates}
        key = (study.id, stored.id, tuple(sorted(known.items())))
        with self._lock:
            held = self._located.get(key)
            if held is None:
                query = asked_with(self.opened, replace(stored.case, covariates=known))
                held = query, self.opened.vectors.located(query.case)
                _keep(self._located, key, held)
            query, located = held
            return self.opened.ask(
                query,
                words,
                count=count,
                where=where,
                own_patient=own_patient,
                exact=exact,
                located=located,
            )

    def forget(self, study: UploadedStudy) -> None:
        """Forget what is known of an upload."""
        with self._lock:
            for key in [k for k in self._located if k[0] == study.id]:
                del self._located[key]

    def shown(self, entry: Entry) -> bool:
        """Return whether a case's picture may be read: its files lie in the folder of images, wherever links lead."""
        if self.images is None or entry.image is None:
            return False
        return all(p.resolve().is_relative_to(self.images) and p.is_file() for p in entry.image.paths)

    def opens(self, entry: Entry) -> bool:
        """Return whether a case can be opened as a study of its own."""
        return self.shown(entry) and entry.image is not None and _alone(entry.image)

    def picture(self, place: int, caller: Caller) -> bytes:
        """Return a case's picture as PNG. Raises Problem 403, and 404 where its file is gone or has changed."""
        entry = self._entry(place, caller)
        with self._lock:
            held = self._pictures.get(place)
            if held is None:
                source = thumbnail(entry)
                if source is None:
                    raise not_found("picture")
                held = base64.b64decode(source.partition(",")[2])
                _keep(self._pictures, place, held)
            return held

    def copied(self, place: int, caller: Caller, folder: Path) -> tuple[Entry, tuple[Received, ...]]:
        """Copy a case's files into a study's folder, and return them as an upload. Raises Problem 403, 404, 422."""
        entry = self._entry(place, caller)
        if entry.image is None or not _alone(entry.image):
            raise Problem(422, "this case cannot be opened", found=_INSIDE)
        if thumbnail(entry) is None:
            raise not_found("picture")
        found = []
        for k, path in enumerate(entry.image.paths):
            goal = stored_path(folder, k, path.name)
            shutil.copyfile(path, goal)
            found.append(Received("files", path.name, goal, goal.stat().st_size))
        return entry, tuple(found)

    def _entry(self, place: int, caller: Caller) -> Entry:
        hidden = self.hidden(caller)
        if hidden is not None:
            raise Problem(403, "this picture is not shown", found=hidden)
        entries = self.opened.index.entries
        if not 0 <= place < len(entries) or not self.shown(entries[place]):
            raise not_found("picture")
        return entries[place]


def _alone(image: Ref) -> bool:
    return image.member is None and image.index is None


def _keep(held: OrderedDict[K, V], key: K, value: V) -> None:
    held[key] = value
    while len(held) > _KEPT:
        held.popitem(last=False)
