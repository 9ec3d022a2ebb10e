"""The front door plans the precision that was the quicker one on this machine."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

import vesalius as vs
from vesalius.core.plan import Plan
from vesalius.plan import machine
from vesalius.run import budgeting


@pytest.mark.parametrize(("bf16", "want"), [(0.02, "bf16"), (0.2, "fp32")])
def test_a_fit_times_both(pictures: Any, monkeypatch: pytest.MonkeyPatch, bf16: float, want: str) -> None:
    there = replace(machine.measure(), bf16=True)
    monkeypatch.setattr(machine, "measure", lambda: there)

    def took(task: Any, plan: Plan, *args: Any, **kwargs: Any) -> float:
        return bf16 if plan.train.precision == "bf16" else 0.1

    monkeypatch.setattr(budgeting, "time_step", took)
    plan = vs.fit(pictures.data, dry_run=True, time_limit="5m", init="none").plan
    assert plan.train.precision == want
    assert f"{bf16:g} s" in plan.reasons["train.precision"] and "0.1 s" in plan.reasons["train.precision"]
    assert plan.train.steps > 1
