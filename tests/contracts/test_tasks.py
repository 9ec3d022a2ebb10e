"""Every registered task: asked of four small pictures and volumes, it learns, answers and keeps its word."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from vesalius import nets
from vesalius.core import registry
from vesalius.core.answers import kinds
from vesalius.core.answers.mask import Mask
from vesalius.core.bundle import State
from vesalius.core.case import Case
from vesalius.core.cohort import Cohort, Label, TargetInfo
from vesalius.core.image import Image
from vesalius.core.plan import DataPlan, LossPlan, NetPlan, Normalisation, Plan, TaskPlan, TrainPlan
from vesalius.infer import runs
from vesalius.prepare.batch import Batch, collate
from vesalius.prepare.case import prepare
from vesalius.tasks import contract

NAMES = sorted(registry.names("tasks"))
ROLES = {"encoder": "resnet-10", "dense": "unet"}
LOSSES = {"class": "cross_entropy", "multilabel": "cross_entropy", "mask": "dice-ce", "number": "mse"}
LABELS = (Label(0, "none"), Label(1, "some"))


def pictures(dims: int, kind: str) -> tuple[tuple[Case, ...], TargetInfo]:
    """Four cases of 16 voxels a side: two dark ones, two with a bright block; `kind` of target for each."""
    cases = []
    for n in range(4):
        pixels = np.random.default_rng(n).normal(size=(1, 16 if dims == 3 else 1, 16, 16)).astype(np.float32)
        block = np.zeros(pixels.shape, dtype=np.uint8)
        block[..., 4:10, 4:12] = 7
        image = Image(array=pixels + block * (n % 2 + 0.1), affine=np.diag([1.0, 1.0, 1.0, 1.0]))
        target: Any = {
            "class": LABELS[n % 2].name,
            "multilabel": ("none", "some")[: n % 3],
            "number": float(n),
            "mask": Image(array=block, affine=np.diag([1.0, 1.0, 1.0, 1.0])),
        }[kind]
        cases.append(Case(id=f"case-{n}", images={"image": image}, targets={"truth": target}))
    labels = {"mask": (Label(7, "block"),), "number": ()}.get(kind, LABELS)
    return tuple(cases), TargetInfo(name="truth", kind=kind, labels=labels)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Asked:
    task: contract.Task
    plan: Plan
    cases: tuple[Case, ...]
    target: TargetInfo
    state: State
    batch: Batch
    model: torch.nn.Module


@pytest.fixture(params=[(n, d) for n in NAMES for d in (2, 3)], ids=lambda p: f"{p[0]}-{p[1]}d")
def asked(request: pytest.FixtureRequest) -> Asked:
    name, dims = request.param
    task = contract.get(name)
    kind = next((k for k in task.targets if k in LOSSES), None)
    role = next((r for r in task.roles if r in ROLES), None)
    if kind is None or role is None:
        pytest.skip(f"no example of {task.targets} for nets of role {task.roles}; its own tests have one")
    cases, target = pictures(dims, kind)
    size = (16 if dims == 3 else 1, 16, 16)
    net = ROLES[role]
    plan = Plan(
        task=TaskPlan(name=name, target="truth"),
        data=DataPlan(
            dims=dims,  # type: ignore[arg-type]
            channels=1,
            sampling="whole" if task.run == "whole" else "patches",
            size=size,
            normalise=(Normalisation(method="zscore"),),
        ),
        net=NetPlan(name=net, scale=nets.describe(net).get("SMALLEST", 0.25)),
        loss=LossPlan(name=LOSSES[kind]),
        train=TrainPlan(steps=3, batch=4),
    )
    state = task.state(cases, target, plan)
    examples = [task.encode(c, prepare(c, plan.data), c.images["image"], state) for c in cases]  # type: ignore[arg-type]
    torch.manual_seed(0)
    model = task.build(plan, state, nets)
    return Asked(task, plan, cases, target, state, collate(examples), model)


@pytest.mark.parametrize("name", NAMES)
def test_it_says_what_it_is(name: str) -> None:
    task = contract.get(name)
    assert task.name == name
    assert task.answer in kinds()
    assert task.targets and task.roles and task.primary
    assert task.run in registry.names(runs.KIND)
    assert not vars(task), "an instance holds nothing"


@pytest.mark.parametrize("name", NAMES)
def test_an_empty_cohort_is_refused_in_words(name: str) -> None:
    task = contract.get(name)
    missing = task.check(Cohort(root=Path("nowhere"), layout="none", cases=()), None)
    assert not task.needs_target or (missing and all(isinstance(m, str) and m for m in missing))


def test_a_whole_cohort_is_not(asked: Asked) -> None:
    cohort = Cohort(root=Path("here"), layout="none", cases=asked.cases, targets={"truth": asked.target})
    assert asked.task.check(cohort, asked.target) == ()


def test_the_state_survives_json(asked: Asked) -> None:
    assert json.loads(json.dumps(asked.state.values)) == asked.state.values


def test_a_case_without_a_target_is_encoded_for_prediction(asked: Asked) -> None:
    first = asked.cases[0]
    bare = Case(id="bare", images=first.images)
    made = asked.task.encode(bare, prepare(bare, asked.plan.data), first.images["image"], asked.state)  # type: ignore[arg-type]
    assert made.targets == {} and np.array_equal(made.images["image"], asked.batch.images["image"][0].numpy())


def test_its_loss_is_finite_and_falls(asked: Asked) -> None:
    optimizer = torch.optim.Adam(asked.model.parameters(), lr=3e-3)
    generator = torch.Generator().manual_seed(0)
    totals = []
    for _ in range(8):
        terms = asked.task.loss(asked.model, asked.batch, generator)
        total = torch.stack([*terms.values()]).sum()
        assert total.ndim == 0 and torch.isfinite(total)
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
        totals.append(float(total.detach()))
    assert totals[-1] < totals[0]


def test_the_same_seed_builds_the_same_model(asked: Asked) -> None:
    torch.manual_seed(0)
    again = asked.task.build(asked.plan, asked.state, nets).state_dict()
    assert all(torch.equal(v, again[k]) for k, v in asked.model.state_dict().items())


def test_it_ends_in_the_answer_that_it_promised(asked: Asked) -> None:
    asked.model.eval()
    with torch.no_grad():
        raw = asked.task.infer(asked.model, asked.batch, torch.Generator().manual_seed(0))
    assert raw.shape[0] == len(asked.cases)
    reference = asked.cases[0].images["image"]
    assert isinstance(reference, Image)
    field: Any = raw[0].numpy()
    if asked.task.run == "dense":
        field = asked.task.point(raw[0]).numpy()
        assert field.shape == reference.shape
    answer = asked.task.decode(field, asked.state, {}, reference)
    assert type(answer) is asked.task.answer
    if isinstance(answer, Mask):
        assert answer.image.shape == reference.shape
        assert set(np.unique(answer.image.array)) <= {0, 7}, "the data's own label values"


def test_its_scalar_can_be_followed_back_to_the_image(asked: Asked) -> None:
    asked.model.eval()
    image = asked.batch.images["image"].clone().requires_grad_(True)
    batch = Batch(images={"image": image}, case_ids=asked.batch.case_ids)
    raw = asked.task.infer(asked.model, batch, torch.Generator().manual_seed(0))
    number = asked.task.scalar(raw, 0)
    assert number.shape == (len(asked.cases),)
    (gradient,) = torch.autograd.grad(number.sum(), image)
    assert torch.isfinite(gradient).all() and gradient.abs().sum() > 0
