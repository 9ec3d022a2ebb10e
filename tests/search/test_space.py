"""The space of a search: what follows from a plan, what a user writes, and what is chosen of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from vesalius.core.errors import PlanError, UnknownName
from vesalius.core.plan import DataPlan, LossPlan, NetPlan, Normalisation, Plan, TaskPlan, TrainPlan, override
from vesalius.nets import describe
from vesalius.search.exposed import exposed
from vesalius.search.given import read_space
from vesalius.search.space import Choice, Range, Space
from vesalius.tasks import contract as tasks

TASK = tasks.get("classify")
PLAN = Plan(
    task=TaskPlan(name="classify", target="class"),
    data=DataPlan(
        dims=2, channels=1, sampling="whole", size=(1, 64, 48), normalise=(Normalisation(method="zscore"),)
    ),
    net=NetPlan(name="resnet-10", scale=0.375),
    loss=LossPlan(name="cross_entropy"),
    train=TrainPlan(steps=100, batch=8, lr=3e-3),
)


class First:
    """Chooses the first of several values, and the low end of a range; keeps what it was asked."""

    def __init__(self, **chosen: Any) -> None:
        self.chosen, self.asked = chosen, []  # type: ignore[var-annotated]

    def suggest_categorical(self, name: str, choices: Sequence[Any]) -> Any:
        self.asked.append(name)
        return self.chosen.get(name, choices[0])

    def suggest_float(self, name: str, low: float, high: float, *, log: bool = False) -> float:
        self.asked.append(name)
        return self.chosen.get(name, low)

    def suggest_int(self, name: str, low: int, high: int, *, log: bool = False) -> int:
        return int(self.suggest_float(name, low, high))


@pytest.fixture(scope="module")
def usual() -> Space:
    return exposed(PLAN, TASK, gpu=False)


def test_it_holds_nets_of_the_planned_role_and_options_that_files_declare(usual: Space) -> None:
    parts = {part.path: part for part in usual.parts}
    nets = parts["net.name"].values  # type: ignore[union-attr]
    assert nets[0] == "resnet-10" and {"vgg-11", "densenet-121"} <= set(nets)
    assert all(describe(name)["ROLE"] == "encoder" for name in nets)
    assert len({name.partition("-")[0] for name in nets}) == len(nets)  # one of each family
    assert "huggingface" not in nets  # which wants a config
    gamma = parts["loss.options.gamma"]
    assert isinstance(gamma, Range) and gamma.only == {"loss.name": ("focal",)} and gamma.low < 2 < gamma.high
    assert parts["train.lr"].low < 3e-3 < parts["train.lr"].high  # type: ignore[union-attr]
    assert [1, 48, 32] in parts["data.size"].values and [1, 96, 72] in parts["data.size"].values  # type: ignore[union-attr]
    assert len(parts) == len(usual.parts)  # each path once


def test_the_default_plan_is_in_it_wherever_it_can_be(usual: Space) -> None:
    held = usual.of_default()
    assert held["net.name"] == "resnet-10" and held["train.lr"] == 3e-3 and held["net.scale"] == 0.375
    assert "loss.options.gamma" not in held  # of no use beside the planned loss
    narrow = read_space({"train.lr": {"low": 0.01, "high": 0.1}}, PLAN, TASK)
    assert narrow.of_default() == {}  # the default's rate lies outside of it


def test_what_the_user_set_is_not_searched() -> None:
    space = exposed(PLAN, TASK, gpu=False, chosen=("train.lr", "net"), labels=False)
    assert not [path for path in space.paths if path.startswith("net.") or path == "train.lr"]
    assert "loss.smoothing" not in space.paths and "data.size" in space.paths


def test_a_part_is_chosen_only_where_it_is_of_use(usual: Space) -> None:
    plain, focal = First(), First(**{"loss.name": "focal"})
    assert "loss.options.gamma" not in usual.chosen(plain)
    assert "loss.options.gamma" in usual.chosen(focal)


def test_a_net_with_its_weights_is_not_named_as_one_from_nothing() -> None:
    """The rules take a net that is named for one from nothing, and another scale has no place for the weights."""
    plan = override(PLAN, {"net.name": "mobilenetv2", "net.init": "mobilenetv2-imagenet"}, reason="a rule")
    space = exposed(plan, TASK, gpu=False)
    own = space.chosen(First(**{"net.name": "mobilenetv2"}))
    assert not any(path in own for path in ("net.name", "net.scale")) and "net.dropout" in own
    other = space.chosen(First(**{"net.name": "resnet-10"}))
    assert other["net.name"] == "resnet-10" and "net.scale" in other
    told = override(PLAN, {"net.name": "mobilenetv2", "net.init": "a run"})  # by the user
    assert "net.name" not in exposed(told, TASK, gpu=False).paths


def test_as_yaml_it_can_be_edited_and_given_back(usual: Space, tmp_path: Path) -> None:
    file = tmp_path / "space.yaml"
    file.write_text(str(usual))
    again = read_space(file, PLAN, TASK)
    assert again.to_json() == usual.to_json() == yaml.safe_load(str(usual))
    assert again.of_default() == usual.of_default()


def test_a_user_writes_lists_and_ranges_by_path(tmp_path: Path) -> None:
    file = tmp_path / "space.yaml"
    file.write_text(
        "net.name: [cnn, resnet-18]\ntrain.lr: {low: 1e-4, high: 1e-2, log: true}\ntrain.batch: {low: 4, high: 16}\n"
    )
    space = read_space(file, PLAN, TASK)
    assert space.parts == (
        Choice("net.name", ("cnn", "resnet-18"), "written by the user"),
        Range("train.lr", 1e-4, 1e-2, log=True, why="written by the user"),
        Range("train.batch", 4, 16, whole=True, why="written by the user"),
    )
    assert space.chosen(First()) == {"net.name": "cnn", "train.lr": 1e-4, "train.batch": 4}


@pytest.mark.parametrize(
    ("space", "kind", "said"),
    [
        ({"train.rate": [1, 2]}, UnknownName, "train.rate"),
        ({"net.name": ["resnett-10"]}, UnknownName, "resnett-10"),
        ({"net.name": ["unet"]}, PlanError, "net.name cannot be"),
        ({"net.options.nonsense": [1, 2]}, UnknownName, "nonsense"),
        ({"loss.name": ["mse"]}, PlanError, "loss.name cannot be"),
        ({"train.batch": [0, 8]}, PlanError, "train.batch"),
        ({"train.lr": {"low": -1, "high": 1}}, PlanError, "train.lr"),
        ({"train.lr": {"low": 0.1, "high": 0.01}}, PlanError, "low end below its high"),
        ({"train.lr": {"low": 0.1}}, PlanError, "a list of values"),
        ({"train.lr": {"low": 0.1, "high": 1, "values": [1]}}, PlanError, "a list of values"),
        ({"train.lr": []}, PlanError, "no values"),
        ({"train.steps": [10, 20]}, PlanError, "not searched"),
        ({"train.seed": [0, 1]}, PlanError, "not searched"),
        ({"task.target": ["class"]}, PlanError, "not searched"),
        ({}, PlanError, "empty"),
        (
            {"net.scale": {"low": 0.1, "high": 1, "only": {"net.name": ["cnn"]}}, "net.name": ["cnn"]},
            PlanError,
            "after it",
        ),
    ],
)
def test_a_space_that_no_plan_can_follow_is_refused(
    space: dict[str, Any], kind: type[Exception], said: str
) -> None:
    with pytest.raises(kind, match=said):
        read_space(space, PLAN, TASK)


def test_a_path_is_not_both_set_and_searched() -> None:
    with pytest.raises(PlanError, match="is set"):
        read_space({"train.lr": [0.1, 0.2]}, PLAN, TASK, chosen=("train.lr",))
