"""Design: which arms a cohort has, who was given which, whom it helps, what is waited for, and late entry."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from vesalius.core.errors import DataError, UnknownName

Assignment = Literal["randomised", "confounded"]
Heterogeneity = Literal["planted", "strong", "none", "no-effect"]
Events = Literal["death", "progression", "causes", "all"]
Entry = Literal["none", "late"]
CONTROL = "control"
ARMS = {2: (CONTROL, "treated"), 3: (CONTROL, "chemo", "surgery")}


@dataclass(frozen=True)
class Design:
    """How a cohort was treated and followed.

    `assignment` of the treatment is randomised, or confounded by stated chances. `arms` are 2 (control, treated) or 3
    (control, chemo, surgery). `heterogeneity` of what a treatment does: `planted`, `strong` (1.5 times as much), `none`
    (the same hazard ratio for everybody) or `no-effect` (no treatment changes anything). `events`: `death` alone, with
    `progression` beside it, of one of two `causes`, or `all` of this. `entry` is `none`, or `late` for half.
    """

    assignment: Assignment = "randomised"
    arms: int = 2
    heterogeneity: Heterogeneity = "planted"
    events: Events = "death"
    entry: Entry = "none"

    def __post_init__(self) -> None:
        """Raise UnknownName or DataError for what does not exist."""
        _among("treatment assignment", self.assignment, get_args(Assignment))
        _among("heterogeneity", self.heterogeneity, get_args(Heterogeneity))
        _among("sort of events", self.events, get_args(Events))
        _among("sort of entry", self.entry, get_args(Entry))
        if self.arms not in ARMS:
            raise DataError("the abdominal CT has two or three arms", found=f"{self.arms}", hint="arms=3")

    @property
    def names(self) -> tuple[str, ...]:
        """Return the names of the arms, the one without a treatment first."""
        return ARMS[self.arms]

    @property
    def progresses(self) -> bool:
        """Whether the time without progression is known beside the time to death."""
        return self.events in ("progression", "all")

    @property
    def competes(self) -> bool:
        """Whether one may die of the disease or of other causes."""
        return self.events in ("causes", "all")

    @property
    def usual(self) -> bool:
        """Whether it is the design of cohorts of before, whoever was treated."""
        return Design(self.assignment) == self

    def stated(self) -> dict[str, Any]:
        """Return it as plain JSON values."""
        return asdict(self)


def _among(kind: str, name: str, known: Iterable[str]) -> None:
    if name not in (*known,):
        raise UnknownName(kind, name, known)
