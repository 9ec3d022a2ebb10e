"""The contract of a handover: one file in `infer/handover/`, a way in which a stage is given what an earlier one says.

What an answer hands over is kept as one array (`kept`), and a case is given on with it (`given`). Both are used alike
in training and in answering, so that a stage never learns from other things than it will see. A file ends in
`HANDOVER = …()`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from vesalius.core.answers import Answer
from vesalius.core.bundle import State
from vesalius.core.case import Case
from vesalius.core.image import Array, Image
from vesalius.tasks.contract import Task

Takes = Mapping[str, Any]  # what a stage takes of one earlier stage, as a bundle has it
Key = tuple[int, str]  # the number of a stage, and a handover: what of an answer is kept under


@dataclass(frozen=True, eq=False)
class Said:
    """What a stage says of one case: its answer on the grid of the whole reference image, and more where it is asked.

    `features` makes the features `(F,)` of the case, as its first member sees it (see `infer/features.py`).
    """

    answer: Answer
    features: Callable[[], Array]


@dataclass(frozen=True, eq=False)
class Given:
    """A case as a stage is given it.

    `reference` is what the stage sees of the case's reference image. It begins at index `low` `(z, y, x)` of the whole
    one, where the stage is given a part; else `low` is None. `vectors` `(F,)` are features of earlier stages by name.
    """

    case: Case
    reference: Image
    low: tuple[int, ...] | None = None
    vectors: Mapping[str, Array] = field(default_factory=dict)


class Handover(ABC):
    """A way of giving a stage what an earlier one says. Instances hold nothing.

    `part` says that the later stage sees a part of the image alone. `truth` says that in training the earlier stage's
    truth stands for its answer, of a stage that is trained in the same run. `chances` says that the earlier stage is
    asked how likely each label is at each point (`Task.levels`). `alone` says that what several members say cannot be
    compared, so that the first member alone is asked about every case, also about those that it learned from. `vector`
    says that what is kept are numbers `(F,)` beside the images, which a task must see (`Task.sees_vectors`).
    """

    part: ClassVar[bool] = False
    truth: ClassVar[bool] = False
    chances: ClassVar[bool] = False
    alone: ClassVar[bool] = False
    vector: ClassVar[bool] = False

    @abstractmethod
    def fault(self, task: Task) -> str | None:
        """Return in words why answers of a stage with this task cannot be handed over so; None where they can.

        The words go on from the stage's name: `learns no place`.
        """

    def channels(self, task: Task, state: State, name: str) -> tuple[str, ...]:
        """Return what the channels are called that a net is given of the stage `name`; by default there are none."""
        return ()

    @abstractmethod
    def kept(self, said: Said, name: str) -> Array:
        """Return what is kept of what the stage `name` says. Raises DataError where it does not say that."""

    @abstractmethod
    def given(self, given: Given, kept: Array, *, name: str, takes: Takes, target: str | None) -> Given:
        """Return the case with what was kept of the stage `name`. `target` is what the later stage learns.

        Raises DataError, naming the case, where what was kept does not fit it.
        """

    def of_truth(self, case: Case, reference: Image, target: str | None) -> Array | None:
        """Return what would be kept of an answer that is the truth; None where the case has none."""
        return None

    @abstractmethod
    def blank(self, reference: Image, width: int) -> Array:
        """Return what would be kept of an answer that says nothing, by which preparing and training are timed.

        `width` is how many channels, or numbers, are handed over.
        """
