"""What the five throw-away tasks share: made-up volumes, a plan, and training into a bundle without a verb."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.torch import save_file
from torch import Tensor, nn

from vesalius import nets
from vesalius.core.bundle import Stage
from vesalius.core.case import Box, Case
from vesalius.core.cohort import TargetInfo
from vesalius.core.image import Image
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
from vesalius.core.progress import Silent
from vesalius.learn.examples import prepare_examples
from vesalius.learn.loop import train
from vesalius.learn.stepper import build
from vesalius.learn.validate import Validator
from vesalius.tasks.contract import Task

# the array's X runs to the front, its Y to the patient's head, its Z to the right: all is turned by `prepare`
AFFINE = np.array([[0, 0, -2.0, 30], [-1.0, 0, 0, 5], [0, 1.5, 0, -80], [0, 0, 0, 1]])
SHAPE = (12, 16, 24)
STEPS = 3


class Headed(nn.Module):
    """A dense net with a 1×1 head: `(B, 1, Z, Y, X)` → `(B, outputs, Z, Y, X)`."""

    def __init__(self, net: Any, outputs: int) -> None:
        super().__init__()
        self.net, self.head = net, nn.Conv3d(net.out_channels, outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.head(self.net(x).full)
        return out


def balls(n: int) -> list[tuple[Image, Image, Box]]:
    """`n` noisy volumes `(1, 12, 16, 24)` with one bright ball each, its mask (value 7), and its box."""
    made = []
    for k in range(n):
        rng = np.random.default_rng(k)
        centre = [rng.integers(4, s - 4) for s in SHAPE]
        grid = np.stack(np.meshgrid(*map(np.arange, SHAPE), indexing="ij"))
        ball = ((grid - np.reshape(centre, (3, 1, 1, 1))) ** 2).sum(axis=0) < 3.2**2
        pixels = rng.normal(0, 0.2, SHAPE) + 3.0 * ball
        where = np.argwhere(ball)
        low, high = where.min(axis=0), where.max(axis=0) + 1
        box = Box((low[0], low[1], low[2]), (high[0], high[1], high[2]), "ball")
        image = Image(pixels.astype(np.float32)[None], affine=AFFINE)
        made.append((image, Image((7 * ball[None]).astype(np.uint8), affine=AFFINE), box))
    return made


def plan(task: str, *, net: str, whole: bool, spacing_mm: float | None = None, batch: int = 4) -> Plan:
    """A plan of three steps for volumes like `balls`."""
    return Plan(
        task=TaskPlan(name=task, target="truth"),
        data=DataPlan(
            dims=3,
            channels=1,
            sampling="whole" if whole else "patches",
            size=(8, 16, 16),
            spacing_mm=None if spacing_mm is None else (spacing_mm,) * 3,
            normalise=(Normalisation(method="zscore"),),
        ),
        net=NetPlan(name=net, scale=nets.describe(net).get("SMALLEST", 0.25)),
        loss=LossPlan(name="mse"),
        train=TrainPlan(steps=STEPS, batch=batch, validations=2, ema=0.9),
        infer=InferPlan(overlap=0.25),
    )


def learn(
    task: Task,
    planned: Plan,
    cases: Sequence[Case],
    target: TargetInfo | None,
    folder: Path,
    *,
    number: int = 0,
    takes: dict[str, Any] | None = None,
    crop: Callable[[Case], Case] | None = None,
) -> tuple[Stage, nn.Module]:
    """Train one stage, put its weights into the bundle's folder, and keep the model that it was in memory."""
    state = task.state(cases, target, planned)
    examples = prepare_examples(task, cases, planned, state, progress=Silent(), crop=crop)
    watch = Validator(task, planned, state, examples[-1:], [task.truth(cases[-1], state)])
    done = train(
        task,
        planned,
        state,
        examples[:-1],
        watch,
        member=0,
        folder=folder / "run",
        progress=Silent(),
        name=f"stage{number}",
    )
    assert done.history[-1]["step"] == STEPS and np.isfinite(done.history[-1]["loss"])
    name = f"weights-{number}-0.safetensors"
    (folder / "bundle").mkdir(exist_ok=True)
    save_file({k: v.contiguous() for k, v in done.weights.items()}, folder / "bundle" / name)
    model = build(task, planned, state, 0)
    model.load_state_dict(done.weights)
    return Stage(f"stage{number}", planned, state, (name,), takes=takes), model.eval()
