"""report: fitted through the front door, it keeps a task's promises, and its bundle holds nobody's words."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import vesalius as vs
from tests.tasks._reported import write_reported
from vesalius.core.answers.text import Text
from vesalius.core.errors import DataError, PlanError
from vesalius.testing import TASK_PROMISES, TaskTrial
from vesalius.testing.task import trial_of

TINY = {"nets.writer.scale": 0.0625, "data.size": [1, 32, 32], "infer.novelty": "none"}
PLANTED = "Zeuxippus"


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small cohort, in one of whose reports a name stands."""
    table = write_reported(tmp_path_factory.mktemp("reported") / "data")
    rows = list(csv.DictReader(table.open(encoding="utf-8")))
    rows[0]["report"] += f" Seen with Dr {PLANTED}."
    with table.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return table


@pytest.fixture(scope="module")
def trial(cohort: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TaskTrial]:
    threads = torch.get_num_threads()
    yield trial_of("report", cohort, tmp_path_factory.mktemp("trial"), settings=TINY)
    torch.set_num_threads(threads)


@pytest.mark.parametrize("promise", TASK_PROMISES, ids=lambda promise: promise.__name__)
def test_it_keeps_a_tasks_promises(promise: object, trial: TaskTrial) -> None:
    promise(trial)  # type: ignore[operator]
