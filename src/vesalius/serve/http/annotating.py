"""An annotation project as the service has it open: who somebody is, where a case stands, its image as a study."""

from __future__ import annotations

import os
import shutil
import threading
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vesalius import formats
from vesalius.core.case import Case, Ref
from vesalius.core.disk import output_errors
from vesalius.core.errors import DataError, VesaliusError
from vesalius.core.header import Header
from vesalius.core.image import Image
from vesalius.run.annotation.agreeing import agreement_of, differences, disputes_of
from vesalius.run.annotation.agreement_json import agreement_json
from vesalius.run.annotation.claims import Claims
from vesalius.run.annotation.project import (
    ProjectCase,
    annotator_name,
    assert_unchanged,
    ids_tell,
    load_project,
    open_cases,
)
from vesalius.run.annotation.reading import Reading
from vesalius.run.annotation.standing import Standing, State
from vesalius.run.annotation.store import AnnotationStore
from vesalius.serve.http.intake import stored_case
from vesalius.serve.http.keys import Caller
from vesalius.serve.http.limits import Bounds
from vesalius.serve.http.problems import Problem, not_found
from vesalius.serve.http.studies import Studies
from vesalius.serve.http.study import StoredCase, UploadedStudy
from vesalius.serve.http.uploads import stored_path

if TYPE_CHECKING:
    from vesalius.run.annotation.project import Project

_OPEN = 8  # studies of one annotator at one time; the one that was opened first gives way
_APART = (".mhd", ".nhdr")  # headers whose pixels lie in another file, which must keep its name


class Annotating:
    """A project, what was saved, who has which case, and the studies in which cases are shown.

    `by_keys` says that callers are known by their keys, whose names are those of the annotators. Raises what opening a
    project and its store raises.
    """

    def __init__(self, folder: Path, *, by_keys: bool) -> None:
        self.folder, self.by_keys = folder, by_keys
        self.project: Project = load_project(folder)
        _, self._cases = open_cases(folder, self.project)
        self._tell = ids_tell(self.project)
        order = sorted(self.project.cases, key=lambda one: one.key) if self._tell else self.project.cases
        self._by_key = {one.key: one for one in order}
        self.store = AnnotationStore(folder, self.project.id)
        self.claims = Claims(self.project.claim_s)
        self.deciding = threading.Lock()  # held from looking whether something may be saved until it is
        self._lock = threading.RLock()
        self._names: set[str] = set()
        self._studies: OrderedDict[tuple[str, str, str], str] = OrderedDict()
        self._differ: dict[tuple[str, ...], bool] = {}
        self._agreement: tuple[tuple[str, ...], dict[str, Any]] | None = None
        self._counting = threading.Lock()

    @property
    def notes(self) -> tuple[str, ...]:
        """Return what whoever starts the service must know."""
        found = [f"what annotators of '{self.project.name}' say is kept in {self.folder}"]
        if self.store.mended:
            found.append(self.store.mended)
        if self._tell:
            found.append(
                "ids of cases hold labels that are asked for: annotators see other names, in another order"
            )
        if self.project.blind and not self.by_keys:
            found.append(
                "blind reading: without keys an annotator is who they say they are; --keys FILE gives each a key"
            )
        return tuple(found)

    def close(self) -> None:
        """Save no more."""
        self.store.close()

    def annotator(self, caller: Caller, said: str | None) -> str:
        """Return who somebody is: the key's name, or without keys the name that is said.

        Raises Problem 403 for another's, and for one who has nothing to do with the project; 422 for none.
        """
        if self.by_keys:
            name = caller.name
            if said is not None and " ".join(said.split()) != name:
                raise Problem(403, "an annotator's name is that of the key", found=said[:64], hint=name)
        elif said is None:
            raise Problem(422, "nobody said who annotates", hint="?annotator=NAME")
        else:
            name = annotator_name(said, self._known())
        if not self.project.knows(name):
            raise Problem(403, "not an annotator of this project", found=name, hint="tell who runs it")
        with self._lock:
            if len(self._names) < 10_000:
                self._names.add(name)
        return name

    def _known(self) -> set[str]:
        saved = {r.annotator for each in self.store.newest().values() for r in each}
        with self._lock:
            return saved | self._names | {*self.project.annotators, *self.project.adjudicators}

    def one(self, key: str) -> ProjectCase:
        """Return a case by its key. Raises Problem 404."""
        found = self._by_key.get(key)
        if found is None:
            raise not_found("case")
        return found

    def called(self, one: ProjectCase) -> str:
        """Return what annotators see a case called: its id, unless the ids of this project tell what is asked."""
        return f"case {one.key[1:9]}" if self._tell else one.id

    def standing(self, key: str) -> Standing:
        """Return where a case stands."""
        return Standing.of(self.project, self.store.of_case(key), self.claims.holders(key))

    def standings(self) -> Iterable[tuple[ProjectCase, Standing]]:
        """Return where every case stands, in the project's order, or in one that tells nothing."""
        newest = self.store.newest()
        for one in self._by_key.values():
            readings = newest.get(one.key, ())
            yield one, Standing.of(self.project, readings, self.claims.holders(one.key))

    def state(self, standing: Standing, name: str) -> State:
        """Return where a case stands for somebody."""
        return standing.state(name, disputed=self.disputed(standing))

    def disputed(self, standing: Standing) -> bool:
        """Return whether the readings of a case differ; False before all are done."""
        if not standing.complete:
            return False
        ids = tuple(sorted(r.id for r in standing.done))
        with self._lock:
            known = self._differ.get(ids)
        if known is None:
            known = bool(differences(self.project, standing, self.store.drawing))
            with self._lock:
                self._differ[ids] = known
        return known

    def agreement(self, name: str | None) -> dict[str, Any]:
        """Return how far annotators agree, without the cases of which `name` must not know yet what others said."""
        newest = self.store.newest()
        ids = tuple(sorted(r.id for each in newest.values() for r in each if r.done))
        with self._counting:
            if self._agreement is None or self._agreement[0] != ids:
                figures = agreement_of(self.project, self._cases, newest, self.store.drawing)
                disputes = disputes_of(self.project, newest, self.store.drawing)
                self._agreement = ids, agreement_json(self.project, figures, disputes, newest)
            document = self._agreement[1]
        seen = [
            {**one, "name": self.called(self.one(one["case"]))}
            for one in document["disputed"]
            if name is None or Standing.of(self.project, newest[one["case"]]).may_see_others(name)
        ]
        return {**document, "disputed": seen}

    def header(self, key: str) -> Header:
        """Return what is known of the image of a case. Raises Problem 404 where it has none."""
        image = self._cases[key].image
        if not isinstance(image, Ref):
            raise not_found("image")
        return formats.header(image)

    def reference(self, key: str) -> Image:
        """Return the image of a case, read. Raises Problem 404."""
        image = self._cases[key].image
        if not isinstance(image, Ref):
            raise not_found("image")
        return formats.read(image)

    def study(
        self, studies: Studies, caller: Caller, name: str, key: str, bounds: Bounds
    ) -> tuple[UploadedStudy, StoredCase, list[UploadedStudy]]:
        """Return a case's image as a study of the caller, the case in it, and which other studies may go now.

        Files are linked or copied into the study's own folder, so that an original is never touched. Raises Problem 409
        for an image that has changed since the project was made.
        """
        with self._lock:
            there = self._studies.get((caller.name, name, key))
        if there is not None:
            try:
                found = studies.get(there, caller)
                return found, found.cases[0], []
            except Problem:  # it has expired, or somebody deleted it
                pass
        one = self.one(key)
        try:
            assert_unchanged(one, self._cases[key])
        except DataError as error:
            what = error.what.replace(f"'{one.id}'", f"'{self.called(one)}'")
            raise Problem(409, what, found=error.found, hint=error.hint) from error
        with studies.folder(caller) as (study_id, folder):
            case, size = _brought(self._cases[key], folder, studies)
            ref = case.image
            if not isinstance(ref, Ref):
                raise not_found("image")
            try:
                stored = stored_case("c1", case, ref, self.called(one), bounds)
            except VesaliusError as error:
                text = str(error).replace(f"{folder}/", "")
                raise Problem(422, f"the image of {self.called(one)} cannot be shown", found=text) from error
            stored = replace(stored, name=self.called(one))
            made = studies.keep(UploadedStudy(study_id, caller.name, folder, (stored,), (), size))
        return made, stored, self._remembered(studies, caller, name, key, made)

    def _remembered(
        self, studies: Studies, caller: Caller, name: str, key: str, made: UploadedStudy
    ) -> list[UploadedStudy]:
        with self._lock:
            self._studies[caller.name, name, key] = made.id
            own = [at for at in self._studies if at[:2] == (caller.name, name)]
            gone = [self._studies.pop(at) for at in own[:-_OPEN]]
        found = []
        for study_id in gone:
            try:
                found.append(studies.get(study_id, caller))
            except Problem:
                continue
        return found

    def may_see(self, name: str, reading: Reading, standing: Standing) -> bool:
        """Return whether somebody may see a reading: their own, or another's where that is not blind."""
        return reading.annotator == name or standing.may_see_others(name)

    def case_of_study(self, caller: Caller, study: UploadedStudy) -> tuple[str, str] | None:
        """Return whose and which case a study shows; None for one that somebody uploaded."""
        with self._lock:
            found = next((at for at, held in self._studies.items() if held == study.id), None)
        return None if found is None or found[0] != caller.name else (found[1], found[2])


def _brought(case: Case, folder: Path, studies: Studies) -> tuple[Case, int]:
    """Return a case whose reference image lies in a folder of its own, and how many bytes it takes there."""
    ref = case.image
    if not isinstance(ref, Ref):
        raise not_found("image")
    size = sum(path.stat().st_size for path in ref.paths)
    studies.check_room(size)
    if any(path.name.lower().endswith(_APART) for path in ref.paths):
        path = formats.write(replace(formats.read(ref), display={}), folder / "000000.nii.gz")
        moved, size = Ref((path,)), path.stat().st_size
    else:
        goals = tuple(stored_path(folder, k, path.name) for k, path in enumerate(ref.paths))
        for path, goal in zip(ref.paths, goals, strict=True):
            _link(path, goal)
        moved = replace(ref, paths=goals)
    name = case.reference or "image"
    return replace(case, images={name: moved}, reference=name, targets={}, report=None, region=None), size


def _link(path: Path, goal: Path) -> None:
    """Put a file into a folder under another name: the same file where the disk allows it, else a copy."""
    try:
        os.link(path.resolve(), goal)
    except OSError:
        with output_errors(goal):
            shutil.copyfile(path, goal)
