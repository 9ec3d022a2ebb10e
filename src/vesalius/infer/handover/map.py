"""How likely the earlier stage takes each label to be at each point, as further channels beside the image's own."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from vesalius.answers import contract as answers
from vesalius.answers.contract import Handling
from vesalius.core.bundle import State
from vesalius.core.image import Array, Image
from vesalius.infer.handover._planes import assert_planes, with_field
from vesalius.infer.handover.contract import Given, Handover, Said, Takes
from vesalius.tasks.contract import Task


class Chances(Handover):
    """What is kept are chances `(K, Z, Y, X)` from 0 to 1 on the grid of the reference image, a channel a label.

    Of an answer that is itself a field of numbers they are these numbers, and 0 where it says nothing.
    """

    chances: ClassVar[bool] = True

    def fault(self, task: Task) -> str | None:
        """Return that the stage says no chances: neither its task nor its kind of answer has any."""
        handling = answers.of(task.answer.__name__)
        if type(handling).chances is Handling.chances:
            return "says at no point how likely anything is"
        if handling.needs_levels and type(task).levels is Task.levels:
            return "does not say how likely each label is at each point"
        return None

    def channels(self, task: Task, state: State, name: str) -> tuple[str, ...]:
        """Return the labels of the stage; its name where it has none."""
        return task.planes(state) or (name,)

    def kept(self, said: Said, name: str) -> Array:
        """Return the chances."""
        found = answers.of(said.answer).chances(said.answer)
        return assert_planes(found, name, "no chances")

    def given(self, given: Given, kept: Array, *, name: str, takes: Takes, target: str | None) -> Given:
        """Return the case with these channels as an image that is called as the stage is."""
        return with_field(given, kept.astype(np.float32), name)

    def blank(self, reference: Image, width: int) -> Array:
        """Return channels in which nothing is likely anywhere."""
        return np.zeros((width, *reference.shape), dtype=np.float32)


HANDOVER = Chances()
