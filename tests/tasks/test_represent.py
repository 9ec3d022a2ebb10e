"""The task that learns without a target keeps every promise of a task; its answer is a principal component."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from vesalius.core.cohort import Cohort
from vesalius.tasks import contract
from vesalius.tasks._represented import unfolded
from vesalius.tasks.represent import direction_of
from vesalius.testing import check_task


def test_it_keeps_the_promises_of_a_task(tmp_path: Path) -> None:
    """In volumes, whose patches are learned from; pictures are fitted and asked in tests/verbs/test_pretrain.py."""
    threads = torch.get_num_threads()
    trial = check_task("represent", folder=tmp_path)
    torch.set_num_threads(threads)
    assert trial.plan.task.target is None and trial.run.scorecard is not None
    assert trial.run.scorecard.metrics == {} and trial.examples[0].targets == {}
    answer = trial.answers[0]
    assert answer.image.array.std() > 0 and answer.unit == "SD"  # type: ignore[attr-defined]


def test_it_is_who_learns_without_targets_and_needs_two_images() -> None:
    task = contract.without_targets()
    assert task is contract.get("represent") and task.targets == () and not task.needs_target
    assert task.check(Cohort(root=Path("x"), layout="none", cases=()), None) == (
        "at least two cases with an image (0 found)",
    )


def test_the_direction_is_the_first_principal_component() -> None:
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(200, 5)) * [1, 2, 7, 1, 1] + 3
    found = direction_of(vectors)
    _, _, rows = np.linalg.svd(vectors - vectors.mean(axis=0), full_matrices=False)
    assert abs(float(found["direction"] @ rows[0])) == pytest.approx(1, abs=1e-5)
    assert found["direction"][2] > 0.9, "its largest part is positive"
    along = (vectors - found["middle"]) @ found["direction"]
    assert along.std() / found["spread"] == pytest.approx(1, abs=1e-4)


def test_parts_of_a_place_lie_beside_one_another() -> None:
    x = torch.arange(8.0).reshape(1, 4, 1, 2)  # one channel of 2 × 2 parts, at two places
    assert unfolded(x, (2, 2))[0, 0].tolist() == [[0, 2, 1, 3], [4, 6, 5, 7]]
