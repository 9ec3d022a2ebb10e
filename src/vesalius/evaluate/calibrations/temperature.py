"""Temperature: what a task fits on held-out answers at the end of `fit`, fitted anew: temperature and thresholds."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

from vesalius.core.bundle import Stage
from vesalius.core.errors import DataError
from vesalius.evaluate.calibrations.contract import Collected, Refit
from vesalius.infer import asked
from vesalius.tasks.contract import Task


class Temperature(Refit):
    """`Task.calibrate` on the cases of the calibration."""

    order: ClassVar[int] = 10

    def fit(self, stage: Stage, task: Task, collected: Collected) -> Stage:
        """Return the stage with what its task fits. Raises DataError for a task that fits nothing."""
        patients = [case.patient for case in collected.cases]
        found = asked.calibrated(
            task,
            collected.raw,
            collected.truths,
            state=stage.state,
            plan=stage.plan,
            patients=None if None in patients else [str(p) for p in patients],
        )
        if not found:
            raise DataError(
                f"answers of the task {task.name} have no temperature", hint="no --refit temperature"
            )
        return replace(stage, calibration={**stage.calibration, **found, "n": len(collected.raw)})


REFIT = Temperature()
