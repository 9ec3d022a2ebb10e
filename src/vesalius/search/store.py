"""A search's store: Optuna's study in one SQLite file, and a folder a trial that is locked while it is worked on.

Many processes share it. A trial whose process was killed is still RUNNING in the study, and nobody holds its folder, as
the system lets go of a lock however a process ends: the next who asks takes it up again, from its last checkpoint. One
that ended its process twice is given up. What a trial came to is written to its folder first, whole or not at all, and
then told to the study, so that nothing that was finished is lost between the two.

Optuna's journal file is not used: a process that is killed while it appends leaves half a line, and no later reader
gets past it.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vesalius.core.disk import held, output_errors, write_text
from vesalius.core.errors import OutputError
from vesalius.core.seeds import seed_of
from vesalius.search.samplers import library, pruner_of, sampler_of, unwarned
from vesalius.search.space import Space

if TYPE_CHECKING:
    from optuna.study import Study
    from optuna.trial import FrozenTrial, Trial

STUDY, TRIALS, RESULT, DOOR = "study.db", "trials", "result.json", "door"
NAME = "search"
ATTEMPTS = 2  # processes that a trial may end before it is given up
WAIT_S = 100.0  # that a process waits for another that writes
DEFAULT = 0  # the number of the trial of the default plan
DONE, PRUNED, FAILED, RUNNING = "done", "pruned", "failed", "running"


@dataclass(frozen=True)
class Trialled:
    """One trial as the store has it: what it set, what it came to, and why it failed or was ended early."""

    number: int
    state: str
    settings: Mapping[str, Any]
    score: float | None = None
    reason: str = ""
    result: Mapping[str, Any] = field(default_factory=dict)


@dataclass(eq=False)
class Taken:
    """A trial that this process works on; `again` says that another one had begun it."""

    number: int
    settings: Mapping[str, Any]
    folder: Path
    again: bool
    _trial: Trial
    _lock: ExitStack

    def report(self, look: int, score: float) -> bool:
        """Tell the store a score on the way; return whether the trial is to be ended early."""
        if look not in self._trial.study.trials[self.number].intermediate_values:
            self._trial.report(score, look)
        return bool(self._trial.should_prune())


@dataclass(eq=False)
class Store:
    """The trials of one search in `folder`; see this file's first lines."""

    folder: Path
    space: Space
    sampler: str
    trials: int
    seed: int
    workers: int = 1
    _study: Study = field(init=False)

    def __post_init__(self) -> None:
        optuna = library()
        with output_errors(self.folder):
            (self.folder / TRIALS).mkdir(parents=True, exist_ok=True)
            (self.folder / DOOR).touch()
        with self._alone(), unwarned():
            storage = optuna.storages.RDBStorage(
                f"sqlite:///{self.folder / STUDY}", engine_kwargs={"connect_args": {"timeout": WAIT_S}}
            )
            self._study = optuna.create_study(
                study_name=NAME,
                storage=storage,
                direction="maximize",
                pruner=pruner_of(self.sampler),
                load_if_exists=True,
            )
            if not self._study.get_trials(deepcopy=False):
                self._study.enqueue_trial(self.space.of_default())

    def take(self, worker: int) -> Taken | None:
        """Return the next trial to work on: one whose process died, or a new one; None where no more are begun."""
        with self._alone(), unwarned():
            for frozen in self._running():
                taken = self._again(frozen, worker)
                if taken is not None:
                    return taken
            begun = [t for t in self._study.get_trials(deepcopy=False) if t.state.name != "WAITING"]
            if len(begun) >= self.trials:
                return None
            self._sampling(len(begun), worker)
            return self._valued(self._study.ask(), attempt=1)

    def _sampling(self, number: int, worker: int) -> None:
        """Let the values of a trial be drawn as its number and its worker say."""
        seed = seed_of(self.seed, "trial", number, worker)
        self._study.sampler = sampler_of(self.sampler, seed=seed, trials=self.trials, workers=self.workers)

    def _valued(self, trial: Trial, *, attempt: int) -> Taken:
        """Return a trial with its values, which are drawn now where they were not before."""
        if trial.number == DEFAULT:
            settings: dict[str, Any] = {}
            for part in self.space.default_parts():
                part.chosen(trial)
        else:
            settings = self.space.chosen(trial)
        trial.set_user_attr("settings", settings)
        return self._taken(trial, settings, attempt=attempt)

    def finish(self, taken: Taken, result: Mapping[str, Any]) -> None:
        """Keep what a trial came to, its `score` among it, and let go of it."""
        write_text(taken.folder / RESULT, json.dumps({"state": DONE, **result}, indent=1) + "\n")
        self._told(taken.number, {"state": DONE, **result})
        taken._lock.close()

    def fail(self, taken: Taken, reason: str) -> None:
        """Keep why a trial failed, and let go of it."""
        self._ended(taken, {"state": FAILED, "reason": reason})

    def prune(self, taken: Taken, look: int) -> None:
        """Keep that a trial was ended early, after so many looks, and let go of it."""
        self._ended(taken, {"state": PRUNED, "reason": f"ended early, after {look} looks"})

    def let_go(self, taken: Taken) -> None:
        """Leave a trial to whoever asks next, which is no failure of it."""
        with unwarned():
            taken._trial.set_user_attr("attempts", taken._trial.user_attrs["attempts"] - 1)
        taken._lock.close()

    def lost(self, taken: Taken) -> None:
        """Leave a trial whose worker died to whoever asks next; it counts among those that a trial may end."""
        taken._lock.close()

    def all(self) -> list[Trialled]:
        """Return every trial that was begun, by number."""
        frozen = self._study.get_trials(deepcopy=False)
        return [self._trialled(t) for t in frozen if t.state.name != "WAITING"]

    def importance(self) -> dict[str, float]:
        """Return how much of the scores' differences each part explains, the most important first; empty if unknown.

        PED-ANOVA (Watanabe et al. 2023): by how the best quarter of the trials differs from all of them.
        """
        optuna = library()
        try:
            with unwarned():
                evaluator = optuna.importance.PedAnovaImportanceEvaluator(target_quantile=0.25)
                found = optuna.importance.get_param_importances(self._study, evaluator=evaluator)
        except (ValueError, RuntimeError, ZeroDivisionError):  # too few trials, or all alike
            return {}
        return {path: float(value) for path, value in found.items()}

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Keep others from taking trials inside this block."""
        began = time.monotonic()
        with ExitStack() as stack:
            while True:
                try:
                    stack.enter_context(held(self.folder / DOOR))
                    break
                except OutputError:
                    if time.monotonic() - began > WAIT_S:
                        raise
                    time.sleep(0.02)
            yield

    def _running(self) -> list[FrozenTrial]:
        return [t for t in self._study.get_trials(deepcopy=False) if t.state.name == "RUNNING"]

    def _again(self, frozen: FrozenTrial, worker: int) -> Taken | None:
        """Return a trial whose process died, None where it lives; one that was finished is only told."""
        folder = self._folder(frozen.number)
        settings = frozen.user_attrs.get("settings")
        if folder.is_dir():
            try:
                with held(folder):
                    pass
            except OutputError:
                return None
        kept = folder / RESULT
        if kept.is_file():
            self._told(frozen.number, json.loads(kept.read_text(encoding="utf-8")))
            return None
        attempts = int(frozen.user_attrs.get("attempts", 0))
        optuna = library()
        trial: Trial = optuna.trial.Trial(self._study, frozen._trial_id)
        if frozen.number == DEFAULT:  # without the default plan there is nothing to search beside
            return self._taken(trial, settings or {}, attempt=attempts + 1)
        if settings is None:  # it died while its values were chosen
            self._sampling(frozen.number, worker)
            return self._valued(trial, attempt=attempts + 1)
        if attempts >= ATTEMPTS:
            reason = f"the process that worked on it ended {attempts} times without a word; memory may have run out"
            self._told(frozen.number, {"state": FAILED, "reason": reason})
            return None
        return self._taken(trial, settings, attempt=attempts + 1)

    def _taken(self, trial: Trial, settings: Mapping[str, Any], *, attempt: int) -> Taken:
        folder = self._folder(trial.number)
        with output_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
        lock = ExitStack()
        lock.enter_context(held(folder))
        trial.set_user_attr("attempts", attempt)
        return Taken(trial.number, dict(settings), folder, attempt > 1, trial, lock)

    def _ended(self, taken: Taken, told: Mapping[str, Any]) -> None:
        write_text(taken.folder / RESULT, json.dumps(told, indent=1) + "\n")
        self._told(taken.number, told)
        taken._lock.close()

    def _told(self, number: int, result: Mapping[str, Any]) -> None:
        """Tell the study what a trial came to."""
        optuna = library()
        state = optuna.trial.TrialState
        with unwarned():
            if result["state"] == DONE:
                self._study.tell(number, float(result["score"]), skip_if_finished=True)
            elif result["state"] == PRUNED:
                self._study.tell(number, state=state.PRUNED, skip_if_finished=True)
            else:
                write_text(self._folder(number) / RESULT, json.dumps(dict(result), indent=1) + "\n")
                self._study.tell(number, state=state.FAIL, skip_if_finished=True)

    def _folder(self, number: int) -> Path:
        return self.folder / TRIALS / f"{number:04d}"

    def _trialled(self, frozen: FrozenTrial) -> Trialled:
        settings = frozen.user_attrs.get("settings", {})
        kept = self._folder(frozen.number) / RESULT
        if frozen.state.name == "RUNNING" or not kept.is_file():
            return Trialled(frozen.number, RUNNING, settings)
        result = json.loads(kept.read_text(encoding="utf-8"))
        score = result.get("score")
        return Trialled(
            frozen.number, result["state"], settings, score, str(result.get("reason", "")), result
        )
