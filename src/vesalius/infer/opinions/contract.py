"""The contract of a way of having several opinions about one case."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from vesalius.core.errors import PlanError
from vesalius.core.words import counted
from vesalius.infer.runs.contract import Members


def _nothing(seed: int) -> None:
    """Begin an opinion that draws nothing."""


@dataclass(frozen=True, eq=False)
class Opinion:
    """One opinion: the models that are asked, and how; `begin` takes the seed of all that it draws about a case."""

    members: Members
    begin: Callable[[int], None] = _nothing


class Way(ABC):
    """A way of having several opinions. Instances hold nothing; a file of this kind ends in `WAY = …()`.

    How a case is run for each opinion, in one pass or tile by tile, is the business of the task's run. Two opinions at
    least are needed. What is random is drawn from the seed that an opinion is begun with, so that the same case has the
    same opinions, whatever is asked beside it.
    """

    @abstractmethod
    def refuses(self, members: Members) -> PlanError | None:
        """Return why these models can have no several opinions in this way, with what to try; None where they can."""

    @abstractmethod
    def opinions(self, members: Members, *, samples: int | None) -> Sequence[Opinion]:
        """Return the opinions: `samples` of them, or as many as suit. Raises PlanError for a number that cannot be."""


def assert_uncounted(samples: int | None, *, way: str, there: int, what: str) -> None:
    """Raise PlanError where a number of samples is asked of a way that has as many as there are."""
    if samples is not None and samples != there:
        raise PlanError(
            f"--doubt {way} has as many samples as there are {what}",
            found=f"{samples} asked for, {counted(there, 'sample')} there are",
            hint="leave --samples out, or --doubt dropout",
        )
