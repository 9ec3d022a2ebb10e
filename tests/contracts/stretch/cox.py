"""How long until the event, with and without treatment, given an image and what else is known? (throw-away)"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import nn

from vesalius.core.answers.curve import Curve
from vesalius.core.bundle import State
from vesalius.core.case import Case
from vesalius.core.histogram import Histogram
from vesalius.core.moments import Moments
from vesalius.core.statistics import Statistics
from vesalius.prepare.batch import Example
from vesalius.tasks.contract import Task

ARM = "treated"


class Hazard(nn.Module):
    """Image features, covariates and the arm → log hazard ratio."""

    def __init__(self, net: Any, covariates: int) -> None:
        super().__init__()
        self.net, self.head = net, nn.Linear(net.channels[-1] + covariates, 1)

    def forward(self, image: Any, covariates: Any) -> Any:
        features = self.net(image)[-1].flatten(2).mean(dim=2)  # (B, C)
        return self.head(torch.cat([features, covariates], dim=1))[:, 0]


class Cox(Task):
    """Partial likelihood over the batch; the baseline hazard is the training cases' Nelson–Aalen estimate."""

    name, answer, targets, roles, run, primary = "cox", Curve, ("event",), ("encoder",), "whole", "c_index"

    def check(self, cohort, target):
        return () if target else ("a time to event for each case",)

    def summary(self, cases, target, plan):
        events = [c.targets[target.name] for c in cases]
        parts = {
            "seen_until": Histogram.of(e.time_days for e in events),
            "happened": Histogram.of(e.time_days for e in events if e.happened),
            "age": Moments.of(c.covariates["age"] for c in cases),
        }
        return Statistics(parts)

    def state(self, summary, target, plan):
        until, happened = summary.part("seen_until", Histogram), summary.part("happened", Histogram)
        grid = np.array(happened.bins)
        steps = [happened.count(t) / sum(np.array(until.counts)[np.array(until.bins) >= t]) for t in grid]
        age = summary.part("age", Moments)
        scaler = {"mean": age.mean, "sd": age.sd}
        arrays = {"times_days": grid, "hazard": np.cumsum(steps)}
        return State({"target": target.name, "covariates": {"age": scaler}, "arms": ["no", "yes"]}, arrays)

    def encode(self, case, prepared, reference, state):
        known, scaler = case.covariates, state.values["covariates"]["age"]
        age = (known["age"] - scaler["mean"]) / scaler["sd"]
        arm = state.values["arms"].index(known[ARM]) if known.get(ARM) else 0
        event = case.targets.get(state.values["target"])
        targets = {} if event is None else {"event": np.float32([event.time_days, event.happened])}
        return Example(
            case.id, {"image": prepared.array}, targets, covariates=np.array([age, arm], dtype=np.float32)
        )

    def build(self, plan, state, nets):
        net = nets.build(plan.net.name, dims=3, in_channels=1, scale=plan.net.scale, size=plan.data.size)
        return Hazard(net, 2)

    def loss(self, model, batch, generator):
        risk = model(batch.images["image"], batch.covariates)
        time, happened = batch.targets["event"].T
        at_risk = torch.where(time[None] >= time[:, None], risk[None], -torch.inf).logsumexp(dim=1)
        centre = 0.01 * risk.mean() ** 2  # the baseline belongs to a risk of nought
        return {
            "partial": ((at_risk - risk) * happened).sum() / happened.sum().clamp_min(1),
            "centre": centre,
        }

    def infer(self, model, batch, generator):
        arms = []
        for arm in (0.0, 1.0):  # what would happen with either, whatever was given
            covariates = batch.covariates.clone()
            covariates[:, 1] = arm
            arms.append(model(batch.images["image"], covariates))
        return torch.stack(arms, dim=1)  # (B, arms)

    def decode(self, raw, state, calibration, reference, *, undo=None):
        ratio = np.exp(np.asarray(raw, dtype=np.float64)).mean(axis=0)  # over members
        curves = np.exp(-state.arrays["hazard"][None] * ratio[:, None])
        survival = dict(zip(state.values["arms"], curves, strict=True))
        return Curve(times_days=state.arrays["times_days"], survival=survival)

    def scalar(self, raw, ask):
        return raw[:, ask.place]


def given(made, folder):
    return {"data": made, "target": "survival"}


def judge(trial):
    answer, case, ask = trial.answers[0], trial.cases[0], trial.predictor
    assert set(answer.survival) == {"no", "yes"} and len(answer.times_days) > 4
    for curve in answer.survival.values():
        assert ((curve > 0) & (curve < 1)).all() and (np.diff(curve) < 0).all()
    assert not np.array_equal(answer.survival["no"], answer.survival["yes"]), "the arm matters"
    older = Case(case.id, case.images, covariates={"age": 90.0})  # and no arm is named
    assert not np.array_equal(ask(older).survival["no"], answer.survival["no"]), "so does age"


TASK = Cox()
