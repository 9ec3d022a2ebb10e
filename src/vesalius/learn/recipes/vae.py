"""VAE: normal cases are drawn again from a code; what is drawn wrongly is not normal."""

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

NAMES = {"vae": "Normal cases alone: a variational auto-encoder, which draws wrongly what it never saw"}


class Options(Section):
    """`latent` numbers a place of the code, `beta` times their divergence, `width` of the decoder's layers."""

    latent: int = Field(16, ge=1, le=1024)
    beta: float = Field(0.001, ge=0)
    width: int = Field(32, ge=4, le=1024)


class Vae(Supervised):
    """The usual training of encoder and decoder together."""

    Options: ClassVar[type[Section]] = Options

    @classmethod
    def defaults(cls, draft: Draft, prints: Fingerprint, machine: Machine) -> None:
        """Plan the training of all layers: a drawing needs the finest ones, too."""
        draft.set("train.phases", [], "a drawing needs the first layers, too")
        draft.set("train.lr", 1e-3, "usual for auto-encoders")

    @classmethod
    def assert_takes(cls, task: Task, recipe: str) -> None:
        """Raise PlanError for a task that does not learn from normal cases alone."""
        of_normals(task, recipe)


RECIPE = Vae
