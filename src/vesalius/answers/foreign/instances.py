"""Another tool's masks of ids as answers, found by file name, their labels and probabilities from a table beside."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from vesalius import formats
from vesalius.answers.contract import ForeignAnswers
from vesalius.answers.foreign.masks import files_of_cases
from vesalius.cohorts import table_of_instances
from vesalius.core.answers import Answer
from vesalius.core.answers.instances import Instances
from vesalius.core.case import Case, Instance, InstanceMask, Ref
from vesalius.core.cohort import TargetInfo
from vesalius.core.errors import DataError


def instance_answers(path: Path, cases: Sequence[Case], target: TargetInfo) -> LazyInstances:
    """Return the masks of ids below `path` by the case that each is named after. Raises DataError where none is."""
    return LazyInstances(files_of_cases(path, cases), target)


class LazyInstances(ForeignAnswers):
    """Masks of ids by case, each read when it is asked for.

    Their labels and probabilities stand in `instances.csv` of the folder, as `predict` writes it, or in
    `NAME.instances.csv` beside a file (case, id, label and, if known, p); without either there must be one label alone.
    """

    def __init__(self, places: Mapping[str, Path], target: TargetInfo) -> None:
        self.places, self.target = places, target

    def __getitem__(self, case: str) -> Answer:
        path = self.places[case]
        image = formats.read_ids(InstanceMask(Ref((path,))))
        said = table_of_instances(path, case)
        names = [x.name for x in self.target.labels]
        things = []
        for number in (int(k) for k in np.unique(image.array) if k):
            label, p = said.get(number, (names[0], 1.0) if len(names) == 1 and not said else (None, 1.0))
            if label is None:
                raise DataError(
                    f"{path}: nothing says the label of id {number}",
                    found=f"labels {', '.join(names)}",
                    hint="instances.csv beside it: case, id, label, p",
                )
            things.append(Instance(number, label, p))
        return Instances(image=image, things=tuple(things), labels=self.target.labels, case_id=case)

    def __iter__(self) -> Iterator[str]:
        return iter(self.places)

    def __len__(self) -> int:
        return len(self.places)
