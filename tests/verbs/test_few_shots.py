"""fit --shots: which cases are drawn, what is learned of them, and what stays as it was."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

import vesalius as vs

SMALL = {"train.threads": 1, "infer.novelty": "none"}


@pytest.fixture(scope="module")
def few(pictures: Any, tmp_path_factory: pytest.TempPathFactory) -> vs.Run:
    """Two shots a class of the pictures, on the frozen features of the run that learned from all of them."""
    out = tmp_path_factory.mktemp("few") / "run"
    return vs.fit(pictures.data, out, shots=2, init=pictures.path, settings=like(pictures), seed=3)


def like(pictures: Any) -> dict[str, Any]:
    net = pictures.run.plan.net
    return SMALL | {
        "net.name": net.name,
        "net.scale": net.scale,
        "net.options": net.options,
        "data.size": [1, 32, 32],
    }


def test_so_many_of_each_class_are_learned_from_and_the_others_validate(few: vs.Run, pictures: Any) -> None:
    folds = json.loads((few.path / "folds.json").read_text())
    cohort = vs.read(pictures.data)
    validating, learned = folds["folds"]
    counts: dict[str, int] = {}
    for case in learned:
        counts[cohort.case(case).targets["class"]] = counts.get(cohort.case(case).targets["class"], 0) + 1
    assert (
        folds["shots"] == 2
        and set(counts.values()) == {2}
        and len(counts) == len(cohort.targets["class"].labels)
    )
    assert not set(learned) & {*validating, *folds["test"]} and validating
    patients = [cohort.case(c).patient for c in learned]
    assert len(set(patients)) == len(patients) and not set(patients) & {
        cohort.case(c).patient for c in validating
    }
    assert "only validate" in folds["by"] and few.plan.train.shots == 2
    assert (
        few.plan.train.steps == few.plan.train.members == 1
        and "few shots" in few.plan.reasons["train.recipe"]
    )
    assert few.bundle.stages[0].calibration["n"] == len(validating)


def test_the_net_is_frozen_and_only_the_last_layer_is_new(few: vs.Run, pictures: Any) -> None:
    before = load_file(next(pictures.bundle.glob("weights-*.safetensors")))
    after = load_file(next((few.path / "bundle").glob("weights-*.safetensors")))
    assert before.keys() == after.keys()
    changed = {name for name in before if not np.array_equal(before[name], after[name])}
    assert changed == {"head.linear.weight", "head.linear.bias"}
