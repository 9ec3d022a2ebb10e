"""A training step of ours of a given net and size: as `fit` makes it, on a batch that lies on the card."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from benchmarks._gpu_card import Card
from vesalius.core.bundle import State
from vesalius.core.plan import DataPlan, LossPlan, NetPlan, Normalisation, Plan, TaskPlan, TrainPlan
from vesalius.learn.stepper import Stepper, build, fabric_for
from vesalius.prepare.batch import Batch
from vesalius.tasks import contract as tasks

LABELS = 14
LR = 1e-4


@dataclass(frozen=True)
class Setting:
    """A net with its task, the size `(z, y, x)` that it sees, and how many of them make a step."""

    what: str
    task: str
    net: str
    size: tuple[int, int, int]
    batch: int
    channels: int = 1
    scale: float = 1.0
    deep: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def dims(self) -> int:
        """2 for a picture, 3 for a volume."""
        return 2 if self.size[0] == 1 else 3

    def words(self) -> str:
        """Its size in words."""
        side = " × ".join(str(n) for n in self.size[3 - self.dims :])
        return f"{self.what}, batch {self.batch} of {side}"


# Patch, batch, stages and blocks of the U-Nets are what nnU-Net 2.8.1's planners ResEncM and ResEncL make of CTs of a
# median of 256³ voxels of 1 mm with 14 labels; `resunet` at scale 1 is that net.
VIT = Setting("ViT-L/16", "classify", "vit-large", (1, 224, 224), 32, channels=3)
MIDDLE = Setting("3-D residual-encoder U-Net M", "segment", "resunet", (128, 128, 128), 2, deep=True)
LARGE = Setting("3-D residual-encoder U-Net L", "segment", "resunet", (192, 192, 192), 2, deep=True)
QUICK_VIT = Setting("ViT, small", "classify", "vit-tiny", (1, 32, 32), 2, channels=3, scale=0.25)
QUICK_UNET = Setting(
    "3-D residual-encoder U-Net, small", "segment", "resunet", (16, 16, 16), 2, scale=0.125, deep=True
)


def plan_of(setting: Setting, precision: str = "bf16", **train: Any) -> Plan:
    """Return the plan of a setting; `train` are further values of how it is trained."""
    segments = setting.task == "segment"
    return Plan(
        task=TaskPlan(name=setting.task, target="truth"),
        data=DataPlan(
            dims=setting.dims,
            channels=setting.channels,
            sampling="patches" if segments else "whole",
            size=setting.size,
            normalise=(Normalisation(method="fixed", mean=0, sd=1),) * setting.channels,
        ),
        net=NetPlan(name=setting.net, scale=setting.scale, options=dict(setting.options)),
        loss=LossPlan(
            name="dice-ce" if segments else "cross_entropy", deep_supervision=segments and setting.deep
        ),
        train=TrainPlan(
            steps=1000, batch=setting.batch, precision=precision, ema=0.99, clip_norm=5.0, lr=LR, **train
        ),
    )


def state_of(labels: int = LABELS) -> State:
    """Return a task's state of so many labels."""
    named = [{"value": v, "name": f"label-{v}", "code": None, "colour": None} for v in range(1, labels + 1)]
    share = [1 / (labels + 1)] * (labels + 1)
    return State({"target": "truth", "labels": named, "kind": "exclusive", "share": share})


def state_for(setting: Setting) -> State:
    """Return the state of a setting: a mask has a background beside its labels, a class has none."""
    state = state_of()
    if setting.task == "segment":
        return state
    return State({**state.values, "share": [1 / LABELS] * LABELS})


def batch_of(setting: Setting, device: torch.device, *, seed: int = 0, targets: bool = True) -> Batch:
    """Return a batch of noise made where it is to lie, with targets of all labels."""
    meta = device.type == "meta"
    g = None if meta else torch.Generator(device=device).manual_seed(seed)
    shape = (setting.batch, setting.channels, *setting.size)
    image = torch.empty(shape, device=device) if meta else torch.randn(shape, generator=g, device=device)
    if not targets:
        return Batch({"image": image})
    if setting.task == "segment":
        mask = torch.randint(0, LABELS + 1, (setting.batch, 1, *setting.size), generator=g, device=device)
        return Batch({"image": image}, targets={"mask": mask.to(torch.int16)}, on_grid=frozenset({"mask"}))
    label = torch.randint(0, LABELS, (setting.batch,), generator=g, device=device)
    hot = torch.nn.functional.one_hot(label, LABELS).float()
    return Batch({"image": image}, targets={"label": hot})


def stepper_of(setting: Setting, card: Card, *, precision: str = "bf16", **train: Any) -> Stepper:
    """Return our training of a setting on a card."""
    plan = plan_of(setting, precision, **train)
    fabric = fabric_for(plan, card.device.type)
    return Stepper(tasks.get(setting.task), plan, state_for(setting), 0, fabric)


def step_of(stepper: Stepper, batch: Batch) -> Callable[[int], Tensor]:
    """Return a step on the same batch: forward, loss, backward, clipping, AdamW and moving average."""
    return lambda k: stepper.step(k, batch, LR)


def flops_of(setting: Setting) -> int:
    """Return the floating-point operations of the net's forward and backward pass over a batch, two a multiply-add.

    Counted by torch on tensors without values, so that nothing depends on which kernel a device takes; convolutions,
    products of matrices and attention, and neither the loss nor the optimiser.
    """
    with torch.device("meta"):
        model = build(tasks.get(setting.task), plan_of(setting), state_for(setting), 0)
    batch = batch_of(setting, torch.device("meta"), targets=False)
    with FlopCounterMode(display=False) as counter:
        raw = tasks.get(setting.task).infer(model, batch, torch.Generator())
        raw.sum().backward()
    return int(counter.get_total_flops())


def parameters_of(model: nn.Module) -> int:
    """Return how many numbers it learns."""
    return sum(math.prod(p.shape) for p in model.parameters() if p.requires_grad)
