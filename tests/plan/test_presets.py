"""Presets: what each changes has a reason, what the user sets wins, and a time limit is kept."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as Picture

import vesalius as vs
from vesalius.core import registry
from vesalius.core.errors import PlanError, UnknownName
from vesalius.core.plan import (
    USER,
    DataPlan,
    LossPlan,
    NetPlan,
    Normalisation,
    Plan,
    TaskPlan,
    TrainPlan,
    override,
)
from vesalius.plan.budget import budget, enough_steps
from vesalius.plan.presets import KIND, applied

BASE = Plan(
    task=TaskPlan(name="classify", target="t"),
    data=DataPlan(
        dims=2, channels=1, sampling="whole", size=(1, 28, 28), normalise=(Normalisation(method="zscore"),)
    ),
    net=NetPlan(name="resnet-18", scale=0.5),
    loss=LossPlan(name="cross_entropy"),
    train=TrainPlan(steps=1, batch=10, members=5, lr=0.003),
)


def paths(plan: Plan) -> dict[str, Any]:
    """Every value of a plan by its path."""

    def flat(node: Any, lead: str) -> dict[str, Any]:
        if not isinstance(node, dict) or not node:
            return {lead[:-1]: node}
        return {k: v for name, inner in node.items() for k, v in flat(inner, f"{lead}{name}.").items()}

    return {k: v for k, v in flat(plan.model_dump(exclude={"reasons"}), "").items() if k != "preset"}


@pytest.mark.parametrize("name", sorted(registry.names(KIND)))
def test_each_changed_value_has_its_reason(name: str) -> None:
    plan = applied(name, BASE)
    before, after = paths(BASE), paths(plan)
    changed = {k for k in after if before.get(k) != after[k]}
    assert changed <= set(plan.reasons), "a value without a reason"
    assert all(plan.reasons[k].startswith(f"preset {name}: ") for k in changed)
    assert plan.preset == name and plan.reasons["preset"] == registry.names(KIND)[name]
    assert not any(reason == USER for reason in plan.reasons.values()), "so that the clock may change it"


def test_what_the_user_sets_wins() -> None:
    told = override(BASE, {"net.scale": 0.5, "train.members": 3})
    plan = applied("quick", told)
    assert (plan.net.scale, plan.train.members, plan.train.lr) == (0.5, 3, 0.003), "nor does the rate follow"
    assert applied("quick", BASE).net.scale == 0.25 and applied("quick", BASE).train.lr == 0.006
    assert applied("good", BASE).model_dump(exclude={"preset", "reasons"}) == BASE.model_dump(
        exclude={"preset", "reasons"}
    )


def test_steps_and_members_stay_within_the_time() -> None:
    many = {name: enough_steps(applied(name, BASE), 100) for name in ("quick", "good", "best")}
    assert (many["quick"] * 4, many["best"]) == (many["good"], 2 * many["good"])
    plan, found = budget(
        applied("best", BASE), cases=100, available_s=100.0, time_step=lambda p: 0.1, limit_s=120.0
    )
    assert found.training_s <= 100 and plan.train.members < 5
    assert "fewer members" in plan.reasons["train.members"]
    assert (
        budget(applied("quick", BASE), cases=100, available_s=None, time_step=lambda p: 0.1)[0].train.steps
        == many["quick"]
    )


def test_presets_that_cannot_be_are_said(tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match="unknown preset 'bets'.*best"):
        vs.fit(tmp_path, preset="bets")
    with pytest.raises(PlanError, match="one of the two"):
        vs.fit(tmp_path, preset="best", plan=BASE)
    with pytest.raises(UnknownName, match="unknown plan field 'preset'"):
        override(BASE, {"preset": "best"})


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Twelve small pictures, bright or dark."""
    rng = np.random.default_rng(0)
    with (tmp_path / "t.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["image", "class"])
        for k in range(12):
            pixels = rng.integers(0, 100, (24, 24), dtype=np.uint8) + np.uint8(100 * (k % 2))
            Picture.fromarray(pixels).save(tmp_path / f"{k}.png")
            writer.writerow([f"{k}.png", "ab"[k % 2]])
    return tmp_path / "t.csv"


def test_it_is_planned_kept_when_resumed_and_begins_from_weights(table: Path, tmp_path: Path) -> None:
    small = {
        "train.steps": 3,
        "train.batch": 4,
        "train.threads": 1,
        "data.size": [1, 24, 24],
        "net.scale": 0.125,
    }
    run = vs.fit(table, tmp_path / "run", preset="quick", settings=small)
    assert run.plan.preset == "quick" and run.plan.train.members == 1 and run.plan.net.scale == 0.125
    assert vs.fit(table, tmp_path / "run", resume=True, preset="quick").plan.preset == "quick"
    with pytest.raises(PlanError, match="keeps its plan; found preset best, begun with quick"):
        vs.fit(table, tmp_path / "run", resume=True, preset="best")
    with pytest.raises(PlanError, match="no weights to begin from"):
        vs.fit(table, preset="finetune", settings=small, dry_run=True)
    tuned = vs.fit(
        table, tmp_path / "tuned", preset="finetune", init=run.path, settings=small | {"train.members": 1}
    )
    assert [p.frozen for p in tuned.plan.train.phases] == [("encoder",), ()]
    assert "Howard & Ruder" in tuned.plan.reasons["train.phases"]
    other = small | {"net.name": "resnet-34"}
    with pytest.raises(PlanError, match="freezes weights that nothing has learned yet"):
        vs.fit(
            table, tmp_path / "other", preset="finetune", init=run.path, settings=other | {"train.members": 1}
        )
    assert not (tmp_path / "other").exists()
