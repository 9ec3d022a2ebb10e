"""Tasks of several sources keep their promises: any choice is answered, no case changes another, resumed to the bit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests._several import write_several

from vesalius.testing import TaskTrial
from vesalius.testing.fitted import ends_with_the_same_weights_when_resumed
from vesalius.testing.joined import JOINED
from vesalius.testing.trial import trial_of

SETTINGS = {
    "net.name": "resnet-10", "net.init": None, "train.phases": [], "infer.novelty": "none", "augment.mixup": 0,
    "train.batch": 9,
}  # fmt: skip
ASKED: dict[str, dict[str, Any]] = {
    "classify": {"columns": {"label": "label"}, "target": "label"},
    "grade": {"columns": {"grade": "grade"}, "target": "grade"},
    "regress": {"columns": {"value": "severity"}, "target": "severity"},
    "measure": {"columns": {"value": "severity,size"}, "target": "severity,size"},
}


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_several(tmp_path_factory.mktemp("sources"), cases=18, every=3)


@pytest.fixture(scope="module", params=list(ASKED))
def trial(request: pytest.FixtureRequest, table: Path, tmp_path_factory: pytest.TempPathFactory) -> TaskTrial:
    asked = ASKED[request.param]
    columns = asked["columns"] | {"image": "front,side", "covariate": "age,sex"}
    folder = tmp_path_factory.mktemp(request.param)
    return trial_of(
        request.param, table, folder, target=asked["target"], columns=columns, settings=SETTINGS, dims=2
    )


@pytest.mark.parametrize("promise", JOINED, ids=lambda p: p.__name__)
def test_every_task_of_whole_cases_does_without_sources(trial: TaskTrial, promise: Any) -> None:
    assert len(trial.task.sources(trial.state)) == 3
    promise(trial)


def test_a_batch_with_missing_images_covariates_and_labels_is_resumed_to_the_bit(trial: TaskTrial) -> None:
    if trial.task.name not in ("classify", "measure"):
        pytest.skip("two kinds of loss stand for the four")
    lacks = trial.batch
    assert not bool(lacks.present["side"].all()) or not bool(lacks.present["front"].all())
    covariates = lacks.covariates
    assert covariates is not None and bool(
        (covariates[:, 1] == 0).any()
    )  # the mark of an age that is missing
    if trial.task.name == "measure":
        truth = lacks.targets["number"].numpy()
        assert np.isnan(truth).any() and np.isfinite(truth).any()
    ends_with_the_same_weights_when_resumed(trial)
