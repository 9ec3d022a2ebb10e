"""What a run writes down while it trains: a CSV that a person reads and events that TensorBoard reads."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vesalius.core.disk import output_errors


class Log:
    """Rows of figures by step, for one member. Opened anew after an interruption, it goes on at its step."""

    def __init__(self, folder: Path, member: str, *, from_step: int = 0) -> None:
        self.path = folder / f"{member}.csv"
        self._keep_until(from_step)
        from tensorboardX import SummaryWriter

        with output_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
            self._events: Any = SummaryWriter(str(folder / "tensorboard" / member), purge_step=from_step + 1)

    def _keep_until(self, step: int) -> None:
        if not self.path.exists():
            return
        with self.path.open(newline="") as file:
            rows = list(csv.reader(file))
        kept = rows[:1] + [r for r in rows[1:] if r and r[0].isdecimal() and int(r[0]) <= step]
        with output_errors(self.path), self.path.open("w", newline="") as file:
            csv.writer(file).writerows(kept)

    def row(self, step: int, figures: Mapping[str, float]) -> None:
        """One line: the step, a figure's name, its value; as many lines as figures."""
        fresh = not self.path.exists()
        with output_errors(self.path), self.path.open("a", newline="") as file:
            writer = csv.writer(file)
            if fresh:
                writer.writerow(["step", "figure", "value"])
            writer.writerows([step, name, f"{value:.6g}"] for name, value in figures.items())
        for name, value in figures.items():
            self._events.add_scalar(name, value, step)

    def close(self) -> None:
        """Flush what TensorBoard reads."""
        self._events.close()
