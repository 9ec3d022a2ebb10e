"""Alarm: from where on a case is called unlike those of training, fitted anew; its rate is that of these cases."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np

from vesalius.core.bundle import Stage
from vesalius.evaluate.calibrations.contract import Collected, Refit
from vesalius.infer.alarm import set_anew
from vesalius.tasks.contract import Task


class Alarm(Refit):
    """The threshold of the bundle's alarm, on cases that no part of it was fitted on."""

    order: ClassVar[int] = 20
    looks_at: ClassVar[Literal["raw", "strange"]] = "strange"

    def fit(self, stage: Stage, task: Task, collected: Collected) -> Stage:
        """Return the stage with the threshold set anew. Raises DataError for a stage without an alarm."""
        return set_anew(stage, np.asarray(collected.strange), rate=stage.plan.infer.alarm_rate)


REFIT = Alarm()
