"""Cases as a map-style torch Dataset: prepared when they are asked for, exactly as training is given them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import Dataset

from vesalius.core.bundle import Bundle, State
from vesalius.core.case import Case
from vesalius.core.errors import PlanError
from vesalius.core.image import Image
from vesalius.core.plan import Plan
from vesalius.core.words import counted
from vesalius.infer import handover
from vesalius.infer.handed import given_of
from vesalius.infer.handover.contract import Given, Key
from vesalius.infer.predictor import Predictor
from vesalius.learn.examples import Giving, centres_of, example_of, patch_of
from vesalius.prepare.batch import Example
from vesalius.run.stages import StagePlan, by_truth, stages_of
from vesalius.tasks import contract as tasks
from vesalius.tasks.contract import Task

SINGLES = ("covariates", "tokens", "frame_times_s", "times_days")


@dataclass(frozen=True, eq=False)
class CaseDataset(Dataset[dict[str, Tensor]]):
    """Prepared cases by their place: a dict of tensors each, which torch's DataLoader stacks, also with workers.

    An item has `image` `(C, Z, Y, X)` float32 (a 2-D picture has `Z == 1`), what the task learns from under its own
    name (`label` `(K,)` one-hot, `mask` `(1, Z, Y, X)` with 0 for the background, k for the k-th label and -1 where
    nothing is known, `number` `(1,)` in standard deviations), and `index`, its place in `case_ids`. With `patches` it
    is a random patch of the planned size, drawn from torch's own generator, which a DataLoader seeds in each worker;
    else the whole image, whose size may differ from case to case. Images are decoded and prepared at each access. It
    can be pickled; nothing is changed at random but the place of a patch. Of a plan of several stages an item is what
    the last one is given; where that is an earlier one's answer, the stages of `bundle` are asked at each access.
    """

    cases: tuple[Case, ...]
    plan: Plan
    state: State
    patches: bool = False
    bundle: Bundle | None = None

    def __len__(self) -> int:
        return len(self.cases)

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        place = range(len(self.cases))[
            index
        ]  # as a list does: negative ones count from the end, others raise
        example = self.example(place)
        if self.patches:
            example = patch_of(example, centres_of(example, place, self.plan), self.plan, None)
        arrays: dict[str, Any] = {**example.images, **example.vectors, **example.targets, **example.ragged}
        arrays |= {name: value for name in SINGLES if (value := getattr(example, name)) is not None}
        found = {name: torch.tensor(array) for name, array in arrays.items()}
        return {**found, "index": torch.tensor(place)}

    def __repr__(self) -> str:
        what = "patches" if self.patches else "whole images"
        return f"CaseDataset({counted(len(self), 'case')}, {self.plan.task.name}, {what} as planned)"

    @property
    def case_ids(self) -> tuple[str, ...]:
        """The cases' ids, in order."""
        return tuple(c.id for c in self.cases)

    @property
    def task(self) -> Task:
        """The task that encodes the targets."""
        return tasks.get(self.plan.task.name)

    def example(self, place: int) -> Example:
        """Return a whole case as training is given it, in numpy. Raises DataError, naming the case."""
        return example_of(self.task, self.cases[place], self.plan, self.state, given=self._giving())

    def __getstate__(self) -> dict[str, Any]:
        """Return all but the loaded models, which another process loads for itself."""
        return {name: value for name, value in self.__dict__.items() if name != "_predictor"}

    @cached_property
    def _predictor(self) -> Predictor:
        assert_bundle(stages_of(self.plan), self.bundle)
        return Predictor(self.bundle, device="cpu", accept_mismatch=True)  # type: ignore[arg-type]

    def _giving(self) -> Giving | None:
        """Return what makes of a case what the last of several stages is given; made anew, as it cannot be pickled."""
        stages = stages_of(self.plan)
        last = stages[-1]
        if not last.taken:
            return None
        names, target = [one.name for one in stages], self.plan.task.target

        def give(case: Case, reference: Image) -> Given:
            kept: dict[Key, Any] = {}
            if not by_truth(stages):
                kept |= self._predictor.handed_to(case)
                taken = self._predictor.stages[-1].stage.taken
                own = [one.stage.name for one in self._predictor.stages]
                return given_of(taken, case, reference, kept, names=own, target=target)
            for one in last.taken:
                found = handover.get(one["as"]).of_truth(
                    case, reference, stages[one["stage"]].plan.task.target
                )
                if found is not None:
                    kept[one["stage"], one["as"]] = found
            return given_of(last.taken, case, reference, kept, names=names, target=target)

        return give


def assert_bundle(stages: Sequence[StagePlan], bundle: Bundle | None) -> None:
    """Raise PlanError where the last stage is given answers of earlier ones, and nothing is there that answers."""
    if bundle is None and not by_truth(stages):
        raise PlanError(
            "what the last stage is given is an answer of an earlier one, and no model is there to be asked",
            found="a plan without a bundle",
            hint="the run or the bundle in place of its plan",
        )


def dataset_of(
    cases: Sequence[Case],
    plan: Plan,
    state: State,
    *,
    patches: bool | None,
    training: bool,
    bundle: Bundle | None = None,
) -> CaseDataset:
    """Return the dataset of cases; by default in patches where these are for training and the plan trains so.

    Raises PlanError where a plan of several stages needs the `bundle`, and it is not there.
    """
    assert_bundle(stages_of(plan), bundle)
    in_patches = training and plan.data.sampling == "patches"
    return CaseDataset(tuple(cases), plan, state, in_patches if patches is None else patches, bundle)
