"""A task under test: each thing that the house makes of it, made when it is first asked for."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import nn

from vesalius import cohorts
from vesalius.core.answers import Answer
from vesalius.core.bundle import State, open_bundle
from vesalius.core.case import Case
from vesalius.core.cohort import Cohort
from vesalius.core.errors import Interrupted
from vesalius.core.image import Image
from vesalius.core.plan import Plan
from vesalius.core.progress import Silent
from vesalius.core.scorecard import Scorecard
from vesalius.infer import runs
from vesalius.infer.asked import encoded, learned
from vesalius.infer.predictor import Predictor
from vesalius.infer.runs.contract import Members
from vesalius.learn.examples import batches, prepare_examples
from vesalius.learn.stepper import build
from vesalius.prepare.batch import Batch, Example
from vesalius.prepare.case import load_reference
from vesalius.prepare.geometry import Undo
from vesalius.run.workspace import Workspace, prepare_workspace
from vesalius.tasks import contract
from vesalius.tasks.contract import Task
from vesalius.testing.promise import promised, require
from vesalius.testing.served import Served, serve_one
from vesalius.testing.small import read_small, with_reports, write_small
from vesalius.verbs.evaluate import evaluate
from vesalius.verbs.fit import Run, fit
from vesalius.verbs.predict import Predictions, predict

SMALL: Mapping[str, Any] = {
    "train.steps": 3,
    "train.batch": 4,
    "train.members": 1,
    "train.folds": 2,
    "train.validations": 1,
    "train.threads": 1,
    "train.precision": "fp32",
    "train.checkpoint_every_s": 1e-9,
    "net.dropout": 0.0,
    "net.scale": 0.125,
}
STOPPED_AFTER = 2  # steps
ASKED = 2  # cases that answers are compared of
CPU = torch.device("cpu")


class _Stopper(Silent):
    """A progress that ends a fit after some steps of its first member, as Ctrl-C would."""

    def __init__(self, name: str) -> None:
        self.name, self.left = name, STOPPED_AFTER

    def advance(self, name: str, done: int = 1, text: str = "") -> None:
        """Count the steps, and raise KeyboardInterrupt when they are enough."""
        if name == self.name and done:
            self.left -= done
            if self.left < 0:
                raise KeyboardInterrupt


@dataclass(frozen=True, eq=False)
class TaskTrial:
    """A registered task under test, on a cohort, in a folder.

    `data` is a cohort, or a folder or table that `vs.read` reads with `columns`; by default a small cohort of phantoms
    with a target that the task takes, in `dims` dimensions. `target` names the target where there are several.
    `settings` are planned values by path, over those of SMALL.
    """

    task: Task
    folder: Path
    data: Cohort | Path | str | None = None
    target: str | None = None
    columns: Mapping[str, str] | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    dims: int = 3

    def __str__(self) -> str:
        return f"task {self.task.name}"

    # --- what it stands on

    @cached_property
    def cohort(self) -> Cohort:
        """The cohort, as it is read."""
        if isinstance(self.data, Cohort):
            return self.data
        if self.data is not None:
            with promised(f"{self}: its data are read"):
                return cohorts.read(self.data, columns=self.columns)
        found = suited(
            self.task, read_small(write_small(self.folder / "data", dims=self.dims), self.task.targets)
        )
        kinds = ", ".join(self.task.targets)
        require(found, f"{self}: no small cohort with a target of kind {kinds} can be made: give one (data=)")
        return found  # type: ignore[return-value]

    @property
    def named(self) -> str | None:
        """The target that is named: a task that may learn without one has the only one that it takes."""
        if self.target is not None or self.task.needs_target:
            return self.target
        held = [t.name for t in self.cohort.targets.values() if t.kind in self.task.targets]
        return held[0] if len(held) == 1 else None

    @cached_property
    def space(self) -> Workspace:
        """The cohort as `fit` stands on it: decoded and checked, with its target and its folds."""
        with promised(f"{self}: its cohort is read, checked and dealt to folds"):
            return prepare_workspace(
                self.cohort,
                task=self.task.name,
                target=self.named,
                columns=None,
                split=None,
                seed=0,
                folds=2,
                max_set_aside=0.1,
                progress=Silent(),
            )

    @cached_property
    def plan(self) -> Plan:
        """The plan of a dry run."""
        with promised(f"{self}: it is planned, and a few of its steps are timed"):
            return self._fit(None, dry_run=True).plan

    @cached_property
    def cases(self) -> tuple[Case, ...]:
        """A few cases to ask about, without their truths."""
        return tuple(replace(case, targets={}) for case in self.space.cohort.cases[:ASKED])

    # --- its parts, untrained

    @cached_property
    def state(self) -> State:
        """What it learns of the training cases without gradients."""
        with promised(f"{self}: `summary` and `state` learn from the training cases"):
            return learned(self.task, self.space.training, self.space.target, self.plan)

    @cached_property
    def examples(self) -> list[Example]:
        """The training cases, prepared and encoded."""
        with promised(f"{self}: `encode` takes each training case"):
            cases = self.space.training
            return prepare_examples(self.task, cases, self.plan, self.state, progress=Silent())

    @cached_property
    def batch(self) -> Batch:
        """The first batch of training."""
        with promised(f"{self}: its examples make a batch"):
            return batches(self.examples, self.plan, 0, task=self.task)(0, CPU)

    def model(self, member: int = 0) -> nn.Module:
        """Return a fresh model of a member, untrained."""
        with promised(f"{self}: `build` makes a model"):
            return build(self.task, self.plan, self.state, member)

    def reference(self, case: Case) -> Image:
        """Return what a case's answer has the geometry of."""
        if case.images:
            return load_reference(case)
        found = self.task.geometry(case, self.state)
        require(found, f"{self}: `geometry` gives a case without images the geometry of its answer")
        return found  # type: ignore[return-value]

    def untrained_raw(self, case: Case, members: int = 1) -> tuple[Any, Undo]:
        """Return what some untrained members together say of a case, to be decoded, and the way back."""
        models = [self.model(k).eval() for k in range(members)]
        reference = self.reference(case)
        prepared = self.task.prepare(case, self.plan, self.state, reference=reference)
        example = encoded(self.task, case, prepared, reference, self.state)
        asked = Members(self.task, models, self.plan, CPU)
        return runs.get(self.task.run).answer(asked, example, prepared.undo), prepared.undo

    def untrained_answer(self, members: int = 1) -> Answer:
        """Return the answer of some untrained members together to the first case."""
        case = self.cases[0]
        with promised(f"{self}: {members} untrained model(s) answer a case"):
            raw, undo = self.untrained_raw(case, members)
            return self.task.decode(raw, self.state, {}, self.reference(case), undo=undo)

    # --- what is made of it

    @cached_property
    def run(self) -> Run:
        """A fit of a few steps."""
        with promised(f"{self}: it is fitted"):
            return self._fit(self.folder / "run")

    @cached_property
    def resumed(self) -> Run:
        """The same fit, stopped in the middle and gone on with."""
        path = self.folder / "resumed"
        with promised(f"{self}: a fit that was stopped goes on"):
            with suppress(Interrupted):
                self._fit(path, progress=_Stopper(f"{self.task.name}-0"))
                raise AssertionError(f"{self}: it trains step by step, and can be stopped between two steps")
            return fit(self.cohort, path, resume=True, device="cpu")

    @cached_property
    def predictor(self) -> Predictor:
        """The fitted bundle, loaded."""
        return self._loaded(self.bundle)

    @cached_property
    def moved(self) -> Predictor:
        """A copy of the bundle in another place, loaded: what is trained must lie in its files alone."""
        return self._loaded(Path(shutil.copytree(self.bundle, self.folder / "moved")))

    @cached_property
    def answers(self) -> tuple[Answer, ...]:
        """Its answers to the cases to ask about."""
        with promised(f"{self}: its bundle answers a case"):
            return tuple(self.predictor(case) for case in self.cases)

    @cached_property
    def predictions(self) -> Predictions:
        """What `predict` writes about the cases to ask about: a table, images, JSON and overlays."""
        asked = replace(self.space.cohort, cases=self.cases)
        with promised(f"{self}: `predict` answers a cohort"):
            return predict(
                self.bundle, asked, self.folder / "answers", json=True, overlays=True, device="cpu"
            )

    @cached_property
    def scorecard(self) -> Scorecard:
        """What `evaluate` says of the run on its test cases."""
        with promised(f"{self}: `evaluate` scores it"):
            return evaluate(self.run_folder, self.cohort, self.folder / "evaluated", device="cpu")

    @cached_property
    def served(self) -> Served:
        """What the HTTP service says of the bundle, and answers about the first case."""
        with promised(f"{self}: the service answers with it"):
            return serve_one(self.bundle, self.cases[0], self.folder / "served")

    @property
    def run_folder(self) -> Path:
        """The folder of the fit."""
        path = self.run.path
        require(path, f"{self}: a fit has a folder")
        return path  # type: ignore[return-value]

    @property
    def bundle(self) -> Path:
        """The folder of the fitted bundle."""
        return self.run_folder / "bundle"

    def _loaded(self, path: Path) -> Predictor:
        with promised(f"{self}: its bundle is opened"):
            return Predictor(open_bundle(path), device="cpu", cores=1)

    def _fit(self, out: Path | None, *, dry_run: bool = False, progress: Silent | None = None) -> Run:
        return fit(
            self.cohort,
            out,
            task=self.task.name,
            target=self.named,
            settings={**SMALL, **self.settings},
            dry_run=dry_run,
            device="cpu",
            progress=progress,
        )


def suited(task: Task, cohort: Cohort | None) -> Cohort | None:
    """Return a small cohort, with reports beside its images where the task lacks something without them."""
    if cohort is None:
        return None
    target = next((t for t in cohort.targets.values() if t.kind in task.targets), None)
    reported = with_reports(cohort)
    return reported if task.check(cohort, target) and not task.check(reported, target) else cohort


def trial_of(
    task: Task | str,
    data: Cohort | Path | str | None,
    folder: Path,
    *,
    target: str | None = None,
    columns: Mapping[str, str] | None = None,
    settings: Mapping[str, Any] | None = None,
    dims: int = 3,
) -> TaskTrial:
    """Return a task under test, found by its name where that is given. Raises UnknownName."""
    found = contract.get(task) if isinstance(task, str) else task
    return TaskTrial(found, folder, data, target, columns, settings or {}, dims)
