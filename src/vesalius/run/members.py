"""What training gave: the members, which of them answer, and the banners of what went short."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from vesalius.core.image import Array
from vesalius.core.plan import Plan
from vesalius.core.scorecard import Banner
from vesalius.evaluate.banners import is_short
from vesalius.learn.loop import Trained


@dataclass(frozen=True, eq=False)
class Outcome:
    """What training gave: the members, which of them are kept, and whether time ran out.

    `held_out` is what the kept members said, raw, of the cases they never saw, and `checked` what a task that `checks`
    made of that. `steps` are `(done, planned)` a member. `before` are the banners of earlier stages.
    """

    trained: tuple[Trained, ...]
    kept: tuple[int, ...]
    held_out: Mapping[str, Array]
    ran_out: bool
    steps: tuple[tuple[int, int], ...] = ()
    before: tuple[Banner, ...] = ()
    checked: Mapping[str, Any] = field(default_factory=dict)

    @property
    def left_out(self) -> str:
        """Which members do not answer, and why, in words; empty where all do."""
        gone = [k for k in range(len(self.trained)) if k not in self.kept]
        if not gone:
            return ""
        told = ", ".join("member {} ({} of {} steps)".format(k, *self.steps[k]) for k in gone)
        verb = "is" if len(gone) == 1 else "are"
        return f"{told} {verb} left out: under half of the planned steps when the time ran out"


def weights_file(stage: int, member: int) -> str:
    """Return the name of the file of a member's weights in the bundle."""
    return f"weights-{stage}-{member}.safetensors"


def member_of(file: str) -> int:
    """Return the number of the member that a file of weights is of, which is that of the fold that it never saw."""
    return int(file.partition(".")[0].rpartition("-")[2])


def steps_of(trained: Trained, plan: Plan) -> tuple[int, int]:
    """Return the steps that a member did and those it was to do at first.

    Fewer steps were to be done where the clock ended them or shortened its course; one that stopped by its own rule
    did them all.
    """
    planned = trained.course[0].steps if trained.course else plan.train.steps
    shortened = bool(trained.course) and trained.course[-1].steps < planned
    return trained.last_step, max(
        planned, trained.last_step
    ) if trained.ran_out or shortened else trained.last_step


def kept_of(steps: Sequence[tuple[int, int]]) -> tuple[int, ...]:
    """Return which members answer: all with at least half of their steps; all there are where none has that many."""
    enough = tuple(k for k, (done, planned) in enumerate(steps) if not is_short(done, planned))
    return enough or tuple(range(len(steps)))
