"""Cases as a map-style torch Dataset: prepared when they are asked for, exactly as training is given them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import Dataset

from vesalius.core.bundle import State
from vesalius.core.case import Case
from vesalius.core.plan import Plan
from vesalius.core.words import counted
from vesalius.learn.examples import centres_of, example_of, patch_of
from vesalius.prepare.batch import Example
from vesalius.run.stages import stages_of, training_cut
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
    can be pickled; nothing is changed at random but the place of a patch.
    """

    cases: tuple[Case, ...]
    plan: Plan
    state: State
    patches: bool = False

    def __len__(self) -> int:
        return len(self.cases)

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        place = range(len(self.cases))[
            index
        ]  # as a list does: negative ones count from the end, others raise
        example = self.example(place)
        if self.patches:
            example = patch_of(example, centres_of(example, place, self.plan), self.plan, None)
        arrays: dict[str, Any] = {**example.images, **example.targets, **example.ragged}
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
        return example_of(self.task, self.cases[place], self.plan, self.state, crop=self._crop())

    def _crop(self) -> Callable[[Case], Case] | None:
        """Return what cuts a case for the last of several stages; made anew, as functions cannot be pickled."""
        stages = stages_of(self.plan)
        return training_cut(stages, len(stages) - 1)


def dataset_of(
    cases: Sequence[Case], plan: Plan, state: State, *, patches: bool | None, training: bool
) -> CaseDataset:
    """Return the dataset of cases; by default in patches where these are for training and the plan trains so."""
    in_patches = plan.data.sampling == "patches"
    return CaseDataset(tuple(cases), plan, state, training and in_patches if patches is None else patches)
