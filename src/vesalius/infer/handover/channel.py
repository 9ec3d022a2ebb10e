"""Where the earlier stage says that each label is, as further channels of 0 and 1 beside the image's own."""

from __future__ import annotations

import numpy as np

from vesalius.answers import contract as answers
from vesalius.answers.contract import Handling
from vesalius.core.bundle import State
from vesalius.core.image import Array, Image
from vesalius.infer.handover._planes import assert_planes, with_field
from vesalius.infer.handover.contract import Given, Handover, Said, Takes
from vesalius.tasks.contract import Task


class Channel(Handover):
    """What is kept are bits `(K, Z, Y, X)` on the grid of the reference image, in the order of the stage's labels.

    A net sees them on the scale from 0 to 1 whatever is done to the image's own channels; where the grid is made
    coarser, a number between is the share of a voxel that is covered, so that thin things do not vanish.
    """

    def fault(self, task: Task) -> str | None:
        """Return that the stage learns no place, of a kind of answer that does not say where its labels are."""
        planes = type(answers.of(task.answer.__name__)).planes
        return "learns no place" if planes is Handling.planes else None

    def channels(self, task: Task, state: State, name: str) -> tuple[str, ...]:
        """Return the labels of the stage."""
        return task.planes(state)

    def kept(self, said: Said, name: str) -> Array:
        """Return where each label is."""
        found = answers.of(said.answer).planes(said.answer)
        return assert_planes(found, name, "no place for its labels").astype(np.uint8)

    def given(self, given: Given, kept: Array, *, name: str, takes: Takes, target: str | None) -> Given:
        """Return the case with these channels as an image that is called as the stage is."""
        return with_field(given, kept, name)

    def blank(self, reference: Image, width: int) -> Array:
        """Return channels in which no label is anywhere."""
        return np.zeros((width, *reference.shape), dtype=np.uint8)


HANDOVER = Channel()
