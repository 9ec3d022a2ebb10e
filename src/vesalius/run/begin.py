"""Begin a run, or open one again: both give the same frozen record of what is to be done, before any data are read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from vesalius import cohorts
from vesalius.core import registry
from vesalius.core.cohort import Assignment, Cohort
from vesalius.core.disk import held
from vesalius.core.errors import OutputError, PlanError
from vesalius.core.plan import Plan, load_plan
from vesalius.core.progress import Progress, Silent
from vesalius.core.registry import stem_of
from vesalius.core.subgroups import SMALLEST
from vesalius.evaluate.cards.about import About
from vesalius.evaluate.cards.reading import read_about
from vesalius.infer import predictor
from vesalius.infer.sound import assert_sound
from vesalius.plan import presets, weights
from vesalius.plan.budget import seconds
from vesalius.plan.machine import Vacancy
from vesalius.run.clock import left
from vesalius.run.given import GivenStage, given_stages
from vesalius.run.init import Start, initial_weights
from vesalius.run.limits.planning import time_within
from vesalius.run.workspace import untouched
from vesalius.tasks import contract as tasks
from vesalius.weights.packages import is_installed
from vesalius.weights.sources import KIND as SOURCES

NOTHING = (
    "none"  # what `init` is where a run is to begin from random weights, whatever the rules would choose
)
ABOUT = "about.json"  # in a run's folder: what its maker said of the model
UNPLANNED = "unplanned"  # in a run.json: what a run was told of its plan, while it has none


@dataclass(frozen=True, eq=False, kw_only=True)
class Asked:
    """What a fit was asked for. `began` is the `time.monotonic()` that the time limit counts from.

    `stages` are bundles that are earlier stages: where each lies, by the stage's name. `verb` is the command that goes
    on with it. `said` are the reasons that the plan gives, by path, where neither a user nor a rule decided.
    """

    data: Path | str | Cohort
    began: float
    out: Path | None = None
    task: str | None = None
    target: str | None = None
    time_limit: str | float | None = None
    seed: int | None = None
    folds: int | None = None
    shots: int | None = None
    split: Path | None = None
    columns: Mapping[str, str] | None = None
    layout: str | None = None
    labels: Mapping[str, str] | None = None
    init: str | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    plan: Path | str | Plan | None = None
    preset: str | None = None
    by: tuple[str, ...] | None = None
    smallest_group: int = SMALLEST
    dry_run: bool = False
    with_test: bool = False
    verb: str = "fit"
    max_set_aside: float = 0.10
    device: str | None = None
    about: About | None = None
    stages: Mapping[str, str] = field(default_factory=dict)
    said: Mapping[str, str] = field(default_factory=dict)
    progress: Progress = field(default_factory=Silent)

    @property
    def label(self) -> str:
        """What the data are called, and so a run of them that is given no folder."""
        return cohorts.name_of(self.data)


@dataclass(frozen=True, eq=False)
class Begun:
    """A run before its data are read, new or opened again; nobody after this need know which.

    `asked` is complete: what is not asked again is as the run was told. `path` is the run's folder, None before there
    is one, and `told` what its run.json says. `limit_s` counts from `asked.began`; `own_limit_s` is
    what of it the run's folder keeps, as limits around a run are not its own. `given` is a plan to follow where
    `follows`, or else to start from. `assignment` and `start` are the folds and the weights to begin from. `stages` are
    the bundles that are earlier stages, by name.
    """

    asked: Asked
    seed: int
    limit_s: float | None
    vacancy: Vacancy
    path: Path | None = None
    told: Mapping[str, Any] = field(default_factory=dict)
    given: Plan | None = None
    follows: bool = False
    own_limit_s: float | None = None
    assignment: Assignment | None = None
    start: Start | None = None
    stages: Mapping[str, GivenStage] = field(default_factory=dict)

    @property
    def finished(self) -> Path | None:
        """The folder of a run that has its plan and its scorecard, so that nothing is left to do."""
        done = self.follows and self.path is not None and (self.path / "scorecard.json").is_file()
        return self.path if done else None


def begin(asked: Asked) -> Begun:
    """Return a new run. Raises VesaliusError's kinds for what can be said before the data are read."""
    own = None if asked.time_limit is None else seconds(asked.time_limit)
    limit = time_within(own, asked.began)
    _assert_possible(asked)
    if asked.task is not None:  # said at once, not when the data are read
        assert_sound(tasks.get(asked.task))
    given = asked.plan if isinstance(asked.plan, Plan) or asked.plan is None else load_plan(Path(asked.plan))
    if asked.out is not None and not asked.dry_run:
        untouched(asked.out)
    asked = _with_weights(asked, given)
    start, stages = _start(asked, given), given_stages(asked.stages)
    seed, free = _seed(asked, given), Vacancy()
    return Begun(asked, seed, limit, free, given=given, start=start, stages=stages, own_limit_s=own)


def reopen(asked: Asked) -> Begun:
    """Return the run in `asked.out`, or the latest unfinished one of these data, with the time that is left to it.

    Raises OutputError where there is none or another process has it, and what `begin` raises.
    """
    limit = None if asked.time_limit is None else seconds(asked.time_limit)
    if asked.plan is not None:
        raise PlanError(
            "a run that is resumed follows its own plan", found="--plan and --resume", hint="one of the two"
        )
    _assert_possible(asked)
    path = _unfinished(asked.out, asked.label)
    with held(path):  # said at once, not when training begins
        pass
    told: dict[str, Any] = json.loads((path / "run.json").read_text(encoding="utf-8"))
    asked = _completed(asked, told, path)
    if limit is None and not (path / "scorecard.json").is_file():
        limit = left(path, told)
        if limit is not None:
            asked.progress.note(f"{limit:.0f} s of its time limit are left; --time-limit gives it another")
    follows, folds = (path / "plan.json").is_file(), path / "folds.json"
    given = load_plan(path / "plan.json") if follows else None
    return Begun(
        asked,
        _seed(asked, given),
        time_within(limit, asked.began),
        own_limit_s=limit,
        assignment=cohorts.load_assignment(folds) if folds.is_file() else None,
        start=_start(asked, given),
        vacancy=Vacancy(),
        path=path,
        told=told,
        given=given,
        follows=follows,
        stages=given_stages(asked.stages),
    )


def with_weights(begun: Begun, plan: Plan) -> Begun:
    """Return the run with the weights that its plan begins from, where it names installed ones and nobody else did."""
    return begun if begun.start is not None else replace(begun, start=_start(begun.asked, plan))


def _with_weights(asked: Asked, given: Plan | None) -> Asked:
    """Return what was asked, with weights that are installed where few shots have none to begin from.

    What a net from nothing means for them is said.
    """
    few = asked.shots or asked.settings.get("train.shots") or (given.train.shots if given else None)
    if not few or asked.init not in (None, NOTHING):
        return asked
    if asked.init == NOTHING:
        asked.progress.note(
            "few shots on a net from nothing: its features are random and stay so, which is to compare with, and no "
            "model to use"
        )
        return asked
    installed = [name for name in registry.names(SOURCES) if is_installed(name)]
    planned = ((given.net.init if given else None) or "").partition(" ")[0]
    chosen = planned if planned in installed else weights.first_of(installed)
    return asked if chosen is None else replace(asked, init=chosen)


def _start(asked: Asked, given: Plan | None = None) -> Start | None:
    """Return the weights that were named to begin from, or those of `weights/sources/` that a given plan names.

    None where none were named, or it was said to begin from nothing.
    """
    if asked.init is not None:
        return None if asked.init == NOTHING else initial_weights(asked.init)
    name = ((given.net.init if given else None) or "").partition(" ")[0]
    return initial_weights(name) if name in registry.names(SOURCES) else None


def _assert_possible(asked: Asked) -> None:
    """Raise, before an hour of reading and not after, what can be known of labels, device and preset."""
    if asked.preset is not None:
        stem_of(presets.KIND, asked.preset)
        if asked.plan is not None:
            raise PlanError(
                "a plan that is given is followed, and a preset chooses another",
                found=f"--plan and --preset {asked.preset}",
                hint="one of the two",
            )
    if isinstance(asked.data, Cohort):
        cohorts.assert_untold(asked.labels)
    predictor.device_of(asked.device)


def _completed(asked: Asked, told: Mapping[str, Any], path: Path) -> Asked:
    """Return what is asked now, and where nothing is, what the run was told of its data when it began.

    Of a run that was stopped before it had its plan also what it was told of that.
    """
    unplanned = {} if (path / "plan.json").is_file() else told.get(UNPLANNED) or {}
    return replace(
        asked,
        task=asked.task or unplanned.get("task"),
        target=asked.target or unplanned.get("target"),
        settings={**(unplanned.get("settings") or {}), **asked.settings},
        preset=asked.preset or unplanned.get("preset"),
        columns=asked.columns or told.get("columns"),
        layout=asked.layout or told.get("layout"),
        labels=asked.labels or told.get("labels"),
        folds=asked.folds or told.get("folds"),
        shots=asked.shots or told.get("shots"),
        split=asked.split or _path(told, "split"),
        init=asked.init or told.get("init"),
        by=asked.by if asked.by is not None else _texts(told, "by"),
        smallest_group=asked.smallest_group if asked.by is not None else told.get("smallest_group", SMALLEST),
        max_set_aside=max(asked.max_set_aside, told.get("max_set_aside", 0.0)),
        about=asked.about or _about(path),
        stages={**(told.get("stages") or {}), **asked.stages},
    )


def _about(path: Path) -> About | None:
    """Return what its maker said of the model when the run began; None where nothing was said."""
    file = path / ABOUT
    return read_about(file) if file.is_file() else None


def _path(told: Mapping[str, Any], name: str) -> Path | None:
    return Path(told[name]) if told.get(name) else None


def _texts(told: Mapping[str, Any], name: str) -> tuple[str, ...] | None:
    return None if told.get(name) is None else tuple(map(str, told[name]))


def _seed(asked: Asked, given: Plan | None) -> int:
    return asked.seed if asked.seed is not None else given.train.seed if given else 0


def _unfinished(out: Path | None, label: str) -> Path:
    """Return the run to go on with: the one named, or the latest of this data without a scorecard."""
    if out is not None:
        if not (out / "run.json").is_file():
            raise OutputError(f"{out} holds no run to resume", hint="the folder that an earlier `fit` made")
        return out
    runs = sorted((Path.cwd() / "runs").glob(f"{label}-*/run.json"), key=lambda p: p.stat().st_mtime)
    for found in reversed(runs):
        if not (found.parent / "scorecard.json").is_file():
            return found.parent
    raise OutputError(f"no unfinished run of '{label}' in runs/", hint="-o RUN, or fit without --resume")
