"""A student agrees with its teacher, which is an average of itself, on cases that nobody has labelled."""

from __future__ import annotations

import copy

from pydantic import Field
from torch import Tensor

from vesalius.learn.checkpoint import Checkpoint
from vesalius.learn.optimise import Average
from vesalius.learn.recipes._semi import SemiOptions, SemiSupervised
from vesalius.learn.recipes.contract import Member
from vesalius.prepare.opinion import Opinion

USUAL = {"one": 10.0, "each": 10.0, "none": 1.0}  # what the term counts for, by what is compared
NAMES = {"meanteacher": "A student agrees with an average of itself on unlabelled cases; the average answers"}


class MeanTeacherOptions(SemiOptions):
    """What a mean teacher can be told; `decay` is how much of the teacher stays at each step, later on.

    `weight` is 10 where probabilities are compared and 1 where numbers are, unless it is set.
    """

    weight: float | None = Field(None, ge=0)
    decay: float = Field(0.99, ge=0, lt=1)


class MeanTeacher(SemiSupervised):
    """Tarvainen and Valpola 2017 (Mean teachers are better role models, arXiv 1703.01780).

    The teacher is the exponential moving average of the student's weights, quick at first and slow later. It sees each
    case as it is, the student sees it strongly changed, and the mean squared difference of what they say is a term of
    the loss; what is said of an image's points moves with the image. The teacher answers. It serves every task that
    says what its raw outputs mean (`Task.opinion`): classes, several labels, numbers and masks.
    """

    Options = MeanTeacherOptions

    def __init__(self, given: Member, options: MeanTeacherOptions) -> None:
        super().__init__(given, options)
        stepper = self.stepper
        stepper.average = Average(stepper.model, options.decay)
        self.teacher = copy.deepcopy(stepper.model).requires_grad_(False).eval()
        self._follow()

    def term(self, step: int) -> Tensor:
        """Return how far the student is from the teacher: the mean squared difference over cases, or their points."""
        batch = self.weak(step)
        batch, wanted, known = self.strong(step, batch, self.answered(self.teacher, batch))
        found = apart(self.opinion(self.stepper.raw(step, batch)), wanted, known)
        return found if self.knobs.weight is not None else USUAL[wanted.choice] * found

    def restore(self, saved: Checkpoint) -> None:
        """Go back to model, optimiser and teacher."""
        super().restore(saved)
        self._follow()

    def _follow(self) -> None:
        """Let the teacher compute with the average itself, which moves on by itself."""
        average = self.stepper.average
        if average is not None:
            self.teacher.load_state_dict(average.values, assign=True)
            self.teacher.requires_grad_(False)


def apart(one: Opinion, other: Opinion, known: Tensor) -> Tensor:
    """Return the mean squared difference of what two say of cases, or of the points that are `known`.

    Where one of several holds it is the sum over them, which Brier's score is, too; labels that hold each by itself are
    as many choices of two, and count as their mean; so do numbers.
    """
    squared = (one.values - other.values).square()
    each = {"one": squared.sum(dim=1), "each": 2 * squared.mean(dim=1), "none": squared.mean(dim=1)}
    return (each[one.choice] * known).sum() / known.sum().clamp_min(1)


RECIPE = MeanTeacher
