"""The few best trials and the default plan, trained again with folds held out that the search did not see."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vesalius.core.disk import write_text
from vesalius.core.errors import Interrupted, VesaliusError
from vesalius.core.progress import Progress
from vesalius.search.store import DEFAULT, Trialled
from vesalius.search.verdict import Finalist, Measure, best_of, gain, level_of
from vesalius.search.work import name_of

FOLDER, FOLDS = "confirm", 2  # how many groups of other folds are held out, one after the other
WORK = "confirming"
Again = Callable[[Mapping[str, Any], int, str], Mapping[str, Any]]  # settings, the group's number, a name


@dataclass(frozen=True, eq=False, kw_only=True)
class Confirming:
    """What finalists are found and confirmed with. `again` trains a plan with a group of folds held out, from 1 on.

    `others` is how many such groups there are, `most` how many finalists there may be. `until` is a `time.monotonic()`
    that the trainings, each of `each_s`, must not exceed.
    """

    folder: Path
    again: Again
    others: int
    most: int
    progress: Progress
    until: float | None = None
    each_s: float = 0.0

    def finalists(self, trials: Sequence[Trialled]) -> tuple[tuple[Finalist, ...], tuple[str, ...]]:
        """Return the finalists, the best first, and what must be said of them. What was measured is kept."""
        known = {t.number: t for t in trials if t.score is not None}
        default = known[DEFAULT]
        many = sum(t.score is not None for t in trials)
        numbers = best_of({k: float(t.score or 0.0) for k, t in known.items()}, self.most, without=DEFAULT)
        kept, groups = self._affordable(len(numbers))
        numbers, notes = numbers[:kept], []
        if not groups and numbers:
            why = "no other folds are left" if not self.others else "no time is left"
            notes.append(f"The best trials were not trained again on other folds: {why}.")
        confirmed, failed = self._confirmed([default, *(known[k] for k in numbers)], groups)
        notes += failed
        level = level_of(len(numbers), many - 1, confirmed=bool(groups))
        found = []
        for k in numbers:
            own = gain([measure(default.result)], [measure(known[k].result)], level=level)
            pair = [confirmed.get(n, []) for n in (DEFAULT, k)]
            if groups and len(pair[1]) < groups:
                continue  # it failed, which is among the notes
            other = gain(pair[0], pair[1], level=level) if groups else None
            found.append(Finalist(k, float(known[k].score or 0.0), own, other))
        return tuple(found), tuple(notes)

    def _affordable(self, many: int) -> tuple[int, int]:
        """Return how many finalists and how many groups of folds there is time for."""
        groups = min(FOLDS, self.others)
        ways = [
            (many, groups),
            (many, min(1, groups)),
            (min(1, many), groups),
            (min(1, many), min(1, groups)),
        ]
        left = None if self.until is None else self.until - time.monotonic()
        for some, few in ways:
            if left is None or (some + 1) * few * self.each_s <= left:
                return some, few
        return many, 0

    def _confirmed(
        self, trials: Sequence[Trialled], groups: int
    ) -> tuple[dict[int, list[Measure]], list[str]]:
        found: dict[int, list[Measure]] = {}
        failed: list[str] = []
        if len(trials) < 2 or not groups:
            return found, failed
        self.progress.start(WORK, len(trials) * groups)
        for trial in trials:
            try:
                for group in range(1, groups + 1):
                    found.setdefault(trial.number, []).append(self._one(trial, group))
                    self.progress.advance(WORK)
            except Interrupted:
                raise
            except (VesaliusError, MemoryError, RuntimeError) as error:
                if trial.number == DEFAULT:
                    raise
                failed.append(f"Trial {trial.number} failed on other folds, and is no finalist: {error}")
        self.progress.finish(WORK)
        return found, failed

    def _one(self, trial: Trialled, group: int) -> Measure:
        name = f"{name_of(trial.number)}-again-{group}"
        file = self.folder / FOLDER / f"{name}.json"
        if not file.is_file():
            write_text(file, json.dumps(dict(self.again(trial.settings, group, name)), indent=1) + "\n")
        return measure(json.loads(file.read_text(encoding="utf-8")))


def measure(result: Mapping[str, Any]) -> Measure:
    """Return what a plan came to, from what the store keeps of it."""
    draws = tuple(None if v is None else float(v) for v in result["draws"])
    return Measure(float(result["score"]), draws, int(result["patients"]))
