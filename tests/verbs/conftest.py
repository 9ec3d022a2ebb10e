"""Two tiny fits that all verbs share: pictures with classes under planted names, volumes with masks."""

from __future__ import annotations

import csv
import dataclasses
import functools
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

import vesalius as vs
from vesalius.verbs.phantom import phantom

PLANTED = "PLANTED"
SMALL = {"net.scale": 0.125, "train.threads": 1, "train.members": 1}
PICTURES = SMALL | {
    "train.steps": 60,
    "train.batch": 4,
    "train.validations": 3,
    "train.checkpoint_every_s": 0.01,
    "data.size": [1, 32, 32],
}
VOLUMES = SMALL | {"train.steps": 6, "train.batch": 1, "train.validations": 1, "data.size": [16, 32, 32]}


@dataclass(frozen=True)
class Tiny:
    """A cohort, where it lies, and the run that was fitted to it."""

    data: Path
    run: vs.Run

    @property
    def path(self) -> Path:
        assert self.run.path is not None
        return self.run.path

    @property
    def bundle(self) -> Path:
        return self.path / "bundle"


@pytest.fixture(scope="session")
def quick() -> Iterator[None]:
    """One thread, fifty resamples, and steps taken to need a hundredth of a second instead of being timed."""
    threads = torch.get_num_threads()
    patch = pytest.MonkeyPatch()
    from vesalius.evaluate import scoring
    from vesalius.plan import machine
    from vesalius.run import budgeting

    alone = dataclasses.replace(machine.measure(), cores=1)
    patch.setattr(machine, "measure", lambda: alone)
    patch.setattr(budgeting, "time_step", lambda *args, **kwargs: 0.01)
    patch.setattr(scoring, "scorecard", functools.partial(scoring.scorecard, resamples=50))
    yield
    patch.undo()
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory, quick: None) -> Tiny:
    """Twelve slices in a table; patient, folder, file and case are all named PLANTED something."""
    root = tmp_path_factory.mktemp("pictures")
    made = phantom(root / "made", cases=12, seed=3, size=(16, 48, 48), format="png")
    data = root / f"{PLANTED}-HOSPITAL"
    rows = []
    for k, row in enumerate(csv.DictReader((made / "cohort.csv").open())):
        place = data / f"PATIENT^{PLANTED}^{k}" / f"scan_{PLANTED}_{k:03d}.png"
        place.parent.mkdir(parents=True)
        shutil.copy(made / row["image"], place)
        rows.append([f"{PLANTED}-case-{k}", f"DOE^{PLANTED}^{k}", str(place.relative_to(data)), row["class"]])
    with (data / f"{PLANTED}.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["case", "patient", "image", "class"], *rows])
    table = data / f"{PLANTED}.csv"
    return Tiny(table, vs.fit(table, root / "run", settings=PICTURES, seed=3))


@pytest.fixture(scope="session")
def volumes(tmp_path_factory: pytest.TempPathFactory, quick: None) -> Tiny:
    """Eight small CT volumes with masks."""
    root = tmp_path_factory.mktemp("volumes")
    data = phantom(root / "data", cases=8, seed=4, size=(12, 32, 32))
    return Tiny(data, vs.fit(data, root / "run", target="mask", settings=VOLUMES, seed=4))
