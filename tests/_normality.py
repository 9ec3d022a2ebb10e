"""A bundle of what is normal, untrained, whose limit follows from pictures that a test calls normal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file

from vesalius import nets
from vesalius.core.bundle import Stage, State, open_bundle, save_bundle
from vesalius.core.case import Case
from vesalius.core.image import Image
from vesalius.core.learned import Learned
from vesalius.core.plan import (
    DataPlan,
    InferPlan,
    LossPlan,
    NetPlan,
    Normalisation,
    Plan,
    TaskPlan,
    TrainPlan,
)
from vesalius.infer.predictor import Predictor
from vesalius.tasks import contract as tasks

WEIGHTS = "weights-0-0.safetensors"


def normality(
    folder: Path, normals: Sequence[np.ndarray], *, learned: Learned | None = None, image: str = "image"
) -> Path:
    """Write an auto-encoder of pictures whose limit is the largest score of the normal ones; return its folder."""
    folder.mkdir(parents=True)
    plan = Plan(
        task=TaskPlan(name="anomaly", target=None),
        data=DataPlan(
            dims=2,
            channels=1,
            images=(image,),
            sampling="whole",
            size=(1, 32, 32),
            normalise=(Normalisation(method="fixed", mean=125.0, sd=40.0),),
        ),
        net=NetPlan(name="resnet-18", scale=0.125),
        loss=LossPlan(name="own"),
        train=TrainPlan(steps=1, batch=1, recipe="vae"),
        infer=InferPlan(batch=8),
    )
    values = {
        "labels": [{"value": k, "name": n} for k, n in enumerate(("normal", "abnormal"))],
        "column": "",
        "normal": "",
        "lesions": "",
        "cases": len(normals),
    }
    state = State(values)
    torch.manual_seed(5)
    model = tasks.get("anomaly").build(plan, state, nets)
    save_file(model.state_dict(), folder / WEIGHTS)
    stage = Stage("anomaly", plan, state, (WEIGHTS,))
    save_bundle(folder, (stage,), data_hash="d" * 64, made_by="a test")
    asked = Predictor(open_bundle(folder), device="cpu")
    cases = [Case(f"n{k}", {image: Image(one[None, None])}, reference=image) for k, one in enumerate(normals)]
    scores = sorted(float(asked.raw(case)[0, 0, 0, 0]) for case in cases)
    stage = replace(stage, calibration={"scores": scores, "rate": 1 / (len(scores) + 1)})
    save_bundle(folder, (stage,), data_hash="d" * 64, made_by="a test", learned=learned)
    return folder
