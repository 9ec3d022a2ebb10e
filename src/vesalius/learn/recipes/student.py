"""Student and teacher: a small net learns from normal cases to say what a frozen encoder says."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from vesalius.core.plan import Section
from vesalius.learn.one_pass import of_normals
from vesalius.learn.recipes.supervised import Supervised
from vesalius.plan.draft import Draft
from vesalius.plan.fingerprint import Fingerprint
from vesalius.plan.machine import Machine
from vesalius.tasks.contract import Task

NAMES = {"student": "Normal cases alone: a student of a frozen encoder, which fails on what it never saw"}


class Options(Section):
    """`width` is that of the student's layers (see `anomalies/student.py`)."""

    width: int = Field(64, ge=4, le=1024)


class Student(Supervised):
    """The usual training of the student; the teacher is frozen."""

    Options: ClassVar[type[Section]] = Options

    @classmethod
    def defaults(cls, draft: Draft, prints: Fingerprint, machine: Machine) -> None:
        """Plan the training of a small net from nothing beside frozen weights."""
        draft.set("train.phases", [], "the teacher is frozen anyway")
        draft.set("train.lr", 3e-3, "the student begins from nothing")

    @classmethod
    def assert_takes(cls, task: Task, recipe: str) -> None:
        """Raise PlanError for a task that does not learn from normal cases alone."""
        of_normals(task, recipe)


RECIPE = Student
