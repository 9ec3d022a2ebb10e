"""The contract of what `calibrate` can fit anew: from a stage and what it said of cases, the stage with new numbers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from vesalius.core.bundle import Stage
from vesalius.core.case import Case
from vesalius.core.image import Array
from vesalius.tasks.contract import Task


@dataclass(frozen=True, eq=False)
class Collected:
    """What the last stage of a bundle said, raw, of cases that it never saw.

    `raw` are its outputs about each case, `(M, …)`, one of each member, empty of answers tile by tile, which are not
    kept; `truths` are what `Task.truth` says of the same cases. `strange` `(N,)` is how strange each case is to the
    bundle's alarm, where that is fitted anew.
    """

    cases: Sequence[Case]
    raw: Sequence[Array]
    truths: Sequence[Any]
    strange: Sequence[float] = ()


class Refit(ABC):
    """Something that is fitted anew. Instances hold nothing; a file of this kind ends in `REFIT = …()`.

    Those of a lower `order` are fitted first: thresholds stand on probabilities. `looks_at` is what of the cases it
    needs: their `raw` outputs, or how `strange` they are to the alarm.
    """

    order: ClassVar[int] = 50
    looks_at: ClassVar[Literal["raw", "strange"]] = "raw"

    @abstractmethod
    def fit(self, stage: Stage, task: Task, collected: Collected) -> Stage:
        """Return the stage with what was fitted in its `calibration` or its `extras`.

        Raises DataError where these cases, or answers of this task, do not allow it.
        """
