"""A project: which cases several people annotate, what they are asked, and who may read and decide."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from vesalius import cohorts
from vesalius.core import fields
from vesalius.core.case import Case
from vesalius.core.cohort import Cohort, Label
from vesalius.core.disk import write_text
from vesalius.core.errors import DataError, FormatError, OutputError
from vesalius.core.image_digest import image_digest
from vesalius.core.words import listed
from vesalius.run.annotation.asks import kind_of

FILE = "project.json"
LONGEST_NAME = 64
_NO_NAME = re.compile(r"[\\/=\"'|]")


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Ask(_Strict):
    """One thing that is asked for: its kind, as `asks.KINDS` has it, and its labels, each with a colour."""

    kind: str
    labels: tuple[Label, ...]


class ProjectCase(_Strict):
    """A case by its id in the data, the key by which it is called over a network, and its images' digest."""

    id: str
    key: str
    image: str


class Project(_Strict):
    """The settings of a project, as `project.json` in its folder holds them.

    `data` is where the images lie, from the folder or from the root; `columns`, `layout` and `told` say how they are
    read. Each case is read by `readers` annotators; in a `blind` project none sees another's work before all are done.
    `annotators` are those who may read, anybody where there are none; `adjudicators` those who decide where readings
    differ, anybody who did not read the case where there are none. A case that somebody opened is theirs for `claim_s`.
    Masks whose Dice lies `below` differ.
    """

    version: int = Field(1, ge=1, le=1)
    id: str
    name: str
    data: str
    columns: Mapping[str, str] = Field(default_factory=dict)
    layout: str | None = None
    told: Mapping[str, str] = Field(default_factory=dict)
    asks: tuple[Ask, ...]
    readers: int = Field(1, ge=1)
    blind: bool = False
    annotators: tuple[str, ...] = ()
    adjudicators: tuple[str, ...] = ()
    claim_s: float = Field(1800.0, gt=0)
    below: float = Field(0.8, ge=0, le=1)
    cases: tuple[ProjectCase, ...]

    def ask(self, kind: str) -> Ask | None:
        """Return what is asked of a kind; None where nothing is."""
        return next((a for a in self.asks if a.kind == kind), None)

    def may_read(self, name: str) -> bool:
        """Return whether somebody may be one of a case's readers."""
        return name in self.annotators if self.annotators else name not in self.adjudicators

    def may_decide(self, name: str) -> bool:
        """Return whether somebody may decide where others' readings differ."""
        if self.adjudicators:
            return name in self.adjudicators
        return not self.annotators or name in self.annotators

    def knows(self, name: str) -> bool:
        """Return whether somebody may have to do with this project."""
        return self.may_read(name) or self.may_decide(name)


def ids_tell(project: Project) -> bool:
    """Return whether a case's id holds a label that is asked for, as where the data lie in a folder of each class.

    Who reads such an id has read the answer. Labels of fewer than three letters are in too many ids to say anything.
    """
    asked = [a for a in project.asks if not kind_of(a.kind).placed]
    words = {re.escape(x.name.casefold()) for a in asked for x in a.labels if len(x.name) >= 3}
    if not words:
        return False
    found = re.compile(rf"(?<![^\W_])(?:{'|'.join(sorted(words))})(?![^\W_])")
    return any(found.search(one.id.casefold()) for one in project.cases)


def load_project(folder: Path) -> Project:
    """Return the project of a folder. Raises OutputError where there is none, FormatError for one that is damaged."""
    path = folder / FILE
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise OutputError(
            f"no annotation project at {folder}",
            found=error.strerror,
            hint="vesalius annotate DATA -o FOLDER",
        ) from error
    except ValueError as error:
        raise FormatError(f"{path} is no annotation project", found="no text") from error
    try:
        return Project.model_validate_json(text)
    except ValidationError as error:
        fault = error.errors()[0]
        what, found, _ = fields.said(fault)
        where = fields.dotted(fields.place(fault)) or "the file"
        raise FormatError(f"{path} is no annotation project: {where}{what}", found=found) from error


def save_project(folder: Path, project: Project) -> None:
    """Write a project's settings, whole or not at all. Raises OutputError."""
    write_text(
        folder / FILE, json.dumps(project.model_dump(mode="json"), indent=1, ensure_ascii=False) + "\n"
    )


def stored_place(folder: Path, data: Path) -> str:
    """Return where data lie as a project's settings hold it: from the project's folder where they share a parent."""
    here, there = folder.resolve(), data.resolve()
    if there.is_relative_to(here.parent):
        return Path(os.path.relpath(there, here)).as_posix()
    return there.as_posix()


def open_cases(folder: Path, project: Project) -> tuple[Cohort, dict[str, Case]]:
    """Return the cohort of a project and its cases by key, as they were when the project was made.

    Raises DataError where a case has gone.
    """
    data = folder / project.data
    if not data.exists():
        raise DataError(
            f"the images of {folder} are not where they were",
            found=str(data),
            hint=f"vesalius annotate DATA -o {folder} says where they are now",
        )
    cohort = cohorts.open_cohort(
        data,
        columns=dict(project.columns) or None,
        layout=project.layout,
        labels=dict(project.told) or None,
        max_set_aside=1.0,
    )
    by_id = {case.id: case for case in cohort.cases}
    gone = [one.id for one in project.cases if one.id not in by_id]
    if gone:
        raise DataError(
            f"cases of {folder} are not in {data} any more", found=listed(gone, 3), hint="bring them back"
        )
    return cohort, {one.key: by_id[one.id] for one in project.cases}


def assert_unchanged(one: ProjectCase, case: Case) -> None:
    """Raise DataError where a case's images are others than when the project was made: labels would lie on others."""
    digest = image_digest(case)
    if digest != one.image:
        raise DataError(
            f"the image of case '{one.id}' has changed since the project was made",
            found="no file" if digest is None else f"{digest[:12]}, not {one.image[:12]}",
            hint="bring back the image that was annotated",
        )


def annotator_name(text: str, known: Iterable[str] = ()) -> str:
    """Return a person's name with its spaces in order. `known` are names that are taken.

    Raises DataError for one that is empty, too long, could be part of a path, or that only its spelling in capitals
    tells from a known one: one person would be two readers.
    """
    name = " ".join(text.split())
    if (
        not name
        or len(name) > LONGEST_NAME
        or not name.isprintable()
        or _NO_NAME.search(name)
        or name[0] in ".-+@"
    ):
        raise DataError(
            "not an annotator's name",
            found=repr(text[:80]),
            hint=f"{LONGEST_NAME} letters at most, without quotes, '/', '\\', '=' and '|'",
        )
    twin = next((n for n in known if n != name and n.casefold() == name.casefold()), None)
    if twin is not None:
        raise DataError(
            "an annotator of nearly that name is known", found=f"'{name}' and '{twin}'", hint=twin
        )
    return name
