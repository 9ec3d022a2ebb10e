"""A plan and a small sealed bundle to try the nouns on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from vesalius.core.bundle import Bundle, Stage, State, save_bundle
from vesalius.core.plan import DataPlan, LossPlan, NetPlan, Normalisation, Plan, TaskPlan, TrainPlan


@pytest.fixture
def plan() -> Plan:
    return Plan(
        task=TaskPlan(name="segment", target="mask"),
        data=DataPlan(
            dims=3,
            channels=1,
            sampling="patches",
            size=(8, 16, 16),
            spacing_mm=(1.0, 1.0, 3.0),
            normalise=(Normalisation(method="zscore"),),
        ),
        net=NetPlan(name="unet"),
        loss=LossPlan(name="dice-ce"),
        train=TrainPlan(steps=10, batch=2),
        reasons={"train.steps": "a first guess"},
    )


@pytest.fixture
def sealed(plan: Plan, tmp_path: Path) -> Bundle:
    """A bundle with every kind of file that a bundle can have."""
    folder = tmp_path / "bundle"
    folder.mkdir()
    save_file({"w": np.arange(12, dtype=np.float32)}, folder / "weights-0-0.safetensors")
    stage = Stage(
        name="segment",
        plan=plan,
        state=State({"target": "mask", "labels": [{"value": 7}]}, {"prior": np.eye(3, dtype=np.float16)}),
        members=("weights-0-0.safetensors",),
        takes={"stage": 0, "as": "crop", "margin_mm": 4.0},
        calibration={"temperature": 1.5},
    )
    texts = {"scorecard.json": "{}\n", "card.md": "# card\n"}
    return save_bundle(folder, (stage,), data_hash="d" * 64, made_by="a test", texts=texts)
