"""Alarm: from where on a case is called unlike those of training, fitted anew; its rate is that of these cases."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar, Literal

import numpy as np

from vesalius.core.bundle import Stage
from vesalius.core.errors import DataError
from vesalius.evaluate.calibrations.contract import Collected, Refit
from vesalius.infer.alarm import RECORD, alarm_of, threshold
from vesalius.tasks.contract import Task


class Alarm(Refit):
    """The threshold of the bundle's alarm, on cases that no part of it was fitted on."""

    order: ClassVar[int] = 20
    looks_at: ClassVar[Literal["raw", "strange"]] = "strange"

    def fit(self, stage: Stage, task: Task, collected: Collected) -> Stage:
        """Return the stage with the threshold set anew. Raises DataError for a stage without an alarm."""
        found = alarm_of(stage)
        if found is None:
            raise DataError("the bundle's last stage has no alarm to set anew", hint="no --refit alarm")
        made = replace(found, **threshold(np.asarray(collected.strange)))
        return replace(stage, extras={**stage.extras, RECORD: made.state()})


REFIT = Alarm()
