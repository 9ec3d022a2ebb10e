"""Grades: probabilities that never cross, the losses of their sources, and what is planned, called and calibrated."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from vesalius import losses
from vesalius.core import grades
from vesalius.core.ask import Ask
from vesalius.core.bundle import State
from vesalius.core.errors import DataError, PlanError
from vesalius.core.image import Image
from vesalius.core.plan import Plan, parse_plan
from vesalius.tasks import _grader as grader
from vesalius.tasks import contract

NAMES = ("none", "mild", "moderate", "severe", "worst")
K, MANY = len(NAMES), 10_000


class Given(nn.Module):
    """A net that gives what it is given: its head is a line over the pixels."""

    dims = 2

    def head(self, outputs: int) -> nn.Module:
        return nn.Sequential(nn.Flatten(), nn.Linear(4, outputs))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x


def state(**more: object) -> State:
    return State(
        {
            "target": "g",
            "kind": "ordinal",
            "labels": [{"value": k, "name": n} for k, n in enumerate(NAMES)],
            "share": [0.3, 0.3, 0.2, 0.2, 0.0],
            "decision": "median",
            "covariates": {},
            **more,
        }
    )


def raw_of(head: str, scale: float, dtype: torch.dtype) -> torch.Tensor:
    """Log probabilities about random outputs, some of them as large as they can be."""
    made = torch.Generator().manual_seed(int(scale) % 1000)
    if head == "corn":
        outputs = torch.randn((MANY, K - 1), generator=made) * scale
        outputs[:100] = torch.finfo(dtype).max * outputs[:100].sign()
        return grader.conditional(outputs.to(dtype))
    score = torch.randn((MANY, 1), generator=made) * scale
    score[:100] = torch.finfo(dtype).max * score[:100].sign()
    cuts = torch.cat([torch.randn(1, generator=made), torch.rand(K - 2, generator=made) + grader.GAP]).cumsum(
        0
    )
    return grader.linked(score.to(dtype), cuts.to(dtype))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("scale", [1.0, 30.0, 1e4])
@pytest.mark.parametrize("head", ["corn", "cumulative"])
def test_probabilities_never_cross_on_ten_thousand_random_inputs(
    head: str, scale: float, dtype: torch.dtype
) -> None:
    raw = raw_of(head, scale, dtype)
    assert torch.isfinite(raw).all()
    for temperature in (0.05, 1.0, 20.0):
        p = grades.answered(raw.numpy(), temperature)
        assert p.min() >= 0 and np.abs(p.sum(axis=1) - 1).max() < 1e-12
        assert (np.diff(grades.above(p), axis=1) <= 0).all()
        pairs = p.reshape(-1, 2, K).mean(axis=1)  # what members say together
        assert pairs.min() >= 0 and (np.diff(grades.above(pairs), axis=1) <= 0).all()


def test_answers_of_ten_thousand_inputs_keep_it() -> None:
    task, image = contract.get("grade"), Image(np.zeros((1, 1, 2, 2), np.float32))
    raw = raw_of("corn", 5.0, torch.float32).numpy().reshape(-1, 2, K)
    for one in raw[::50]:
        answer = task.decode(one, state(), {"temperature": 1.7}, image)
        assert answer.kind == "ordinal" and answer.decision == "median" and answer.p.min() >= 0
        assert answer.p.sum() == pytest.approx(1, abs=1e-12) and (np.diff(grades.above(answer.p)) <= 0).all()


def test_conditional_chances_are_multiplied_and_links_are_differences() -> None:
    logits = torch.randn((50, K - 1), generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    over = logits.sigmoid().cumprod(dim=1)
    bounds = torch.cat([torch.ones(50, 1), over, torch.zeros(50, 1)], dim=1)
    assert torch.allclose(
        grader.conditional(logits).exp().double(), bounds[:, :-1] - bounds[:, 1:], atol=1e-6
    )
    score, cuts = logits[:, :1], torch.tensor([-1.0, 0.2, 0.3, 2.0], dtype=torch.float64)
    over = (score - cuts).sigmoid()
    bounds = torch.cat([torch.ones(50, 1), over, torch.zeros(50, 1)], dim=1)
    assert torch.allclose(
        grader.linked(score, cuts).exp().double(), bounds[:, :-1] - bounds[:, 1:], atol=1e-6
    )


def corn_loss(logits: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Return the loss of the paper, written anew from its equation 5: subsets by the grade before, then their mean."""
    total, count = torch.zeros(()), 0
    for k in range(logits.shape[1]):
        inside = y > k - 1
        total = total + F.binary_cross_entropy_with_logits(
            logits[inside, k], (y[inside] > k).float(), reduction="sum"
        )
        count += int(inside.sum())
    return total / count


def test_the_planned_loss_is_that_of_corn_but_for_its_scale() -> None:
    made = torch.Generator().manual_seed(1)
    logits, y = torch.randn((64, K - 1), generator=made), torch.randint(0, K, (64,), generator=made)
    ours = losses.build("cross_entropy")(grader.conditional(logits), F.one_hot(y, K).float())
    subsets = sum(int((y > k - 1).sum()) for k in range(K - 1))
    assert float(ours) * 64 / subsets == pytest.approx(float(corn_loss(logits, y)), rel=1e-5)


@pytest.mark.parametrize("head", ["corn", "cumulative"])
def test_a_head_begins_at_the_training_shares_even_where_a_grade_has_no_case(head: str) -> None:
    share = [0.3, 0.3, 0.2, 0.2, 0.0]
    model = grader.HEADS[head](Given(), 0, nn.Identity(), share=share)
    with torch.no_grad():
        for p in model.head.parameters():
            p.zero_()
        found = model(torch.randn(3, 1, 1, 2, 2), None).exp()[0]
    assert torch.isfinite(found).all() and found.tolist() == pytest.approx(share, abs=0.02)
    assert head == "corn" or (model.cuts.diff() > 0).all()


@pytest.mark.parametrize("head", ["corn", "cumulative"])
def test_a_head_learns_an_order(head: str) -> None:
    torch.manual_seed(0)
    x = torch.rand(200, 1, 1, 2, 2)
    y = (x.mean(dim=(1, 2, 3, 4)) * 10 - 2.5).clamp(0, 4.99).long()
    model = grader.HEADS[head](Given(), 0, losses.build("cross_entropy"), share=[0.2] * K)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.1)
    for _ in range(150):
        optimizer.zero_grad()
        model.criterion(model(x, None), F.one_hot(y, K).float()).backward()
        optimizer.step()
    called = grades.median(grades.answered(model(x, None).detach().numpy()))
    assert (np.abs(called - y.numpy()) <= 1).mean() > 0.98 and (called == y.numpy()).mean() > 0.6


def test_what_is_asked_follows_from_the_log_probabilities() -> None:
    task = contract.get("grade")
    raw = grader.conditional(torch.randn((20, K - 1), generator=torch.Generator().manual_seed(2)))
    p = grades.answered(raw.numpy())
    mean = task.scalar(raw, Ask("mean_grade"))
    assert mean.numpy() == pytest.approx(grades.expected(p), abs=1e-5)
    odds = task.scalar(raw, Ask("at_least", 2))
    over = p[:, 2:].sum(axis=1)
    assert odds.numpy() == pytest.approx(np.log(over / (1 - over)), abs=1e-4)
    shifted = task.scalar(raw + 3.0, Ask("at_least", 2))  # as where mirror images are joined
    assert torch.allclose(odds, shifted, atol=1e-4)


def test_a_temperature_is_found_of_answers_that_are_too_sure_and_points_are_kept_at_each_cut() -> None:
    rng = np.random.default_rng(0)
    latent = rng.normal(0, 2, 3000)
    odds = latent[:, None] - np.array([-2.0, -0.5, 0.5, 2.0])
    over = np.concatenate([np.ones((3000, 1)), 1 / (1 + np.exp(-odds)), np.zeros((3000, 1))], axis=1)
    p = over[:, :-1] - over[:, 1:]
    y = (rng.random((3000, 1)) < over[:, 1:-1]).sum(axis=1)  # drawn from p
    sure = 1 / (1 + np.exp(-3 * odds))
    bounds = np.concatenate([np.ones((3000, 1)), sure, np.zeros((3000, 1))], axis=1)
    raw = np.log(np.clip(bounds[:, :-1] - bounds[:, 1:], 1e-12, 1))
    task = contract.get("grade")
    fitted = task.calibrate(list(raw[:, None]), [NAMES[k] for k in y], state=state(), plan=None)
    assert fitted["temperature"] == pytest.approx(3.0, rel=0.05)
    assert np.abs(grades.answered(raw, fitted["temperature"]) - p).max() < 0.03
    assert list(fitted["points"]) == [f"at least {n}" for n in NAMES[1:]]
    again = task.calibrated(torch.from_numpy(raw[:, None]), state(), fitted).numpy()
    assert again == pytest.approx(grades.answered(raw, fitted["temperature"]), abs=1e-6)


@pytest.mark.parametrize("head", ["corn", "cumulative"])
def test_covariates_stand_beside_the_image(head: str) -> None:
    torch.manual_seed(0)
    model = grader.HEADS[head](Given(), 3, nn.Identity(), share=[0.2] * K)
    x, beside = torch.rand(4, 1, 1, 2, 2), torch.randn(4, 3)
    found = model(x, beside)
    assert found.shape == (4, K) and found.exp().sum(dim=1).tolist() == pytest.approx([1.0] * 4, abs=1e-5)
    assert not torch.allclose(found, model(x, beside + 1))
    with pytest.raises(DataError, match="needs covariates"):
        model(x, None)


def test_words_that_are_no_head_and_no_decision_are_refused() -> None:
    task = contract.get("grade")

    def plan(**options: str) -> Plan:
        data = {
            "dims": 2,
            "channels": 1,
            "sampling": "whole",
            "size": [1, 32, 32],
            "normalise": [{"method": "zscore"}],
        }
        rest = {"net": {"name": "cnn"}, "loss": {"name": "cross_entropy"}, "train": {"steps": 9, "batch": 4}}
        return parse_plan({"task": {"name": "grade", "options": options}, "data": data, **rest})

    task.check_plan(plan(head="corn", decision="likeliest"), None)
    with pytest.raises(PlanError, match=r"task.options.head is no head .*'coral'.*cumulative or corn"):
        task.check_plan(plan(head="coral"), None)
    with pytest.raises(PlanError, match=r"no decision .*'mode'"):
        task.check_plan(plan(decision="mode"), None)


def test_the_trivial_answer_is_called_by_the_same_rule_and_a_plan_may_call_the_likeliest() -> None:
    task, image = contract.get("grade"), Image(np.zeros((1, 1, 2, 2), np.float32))
    share = state(share=[0.4, 0.15, 0.05, 0.3, 0.1])
    assert task.trivial(share, image).called == 1
    likeliest = state(share=[0.4, 0.15, 0.05, 0.3, 0.1], decision=None)
    assert task.trivial(likeliest, image).called == 0
    raw = np.log(np.array([[0.4, 0.15, 0.05, 0.3, 0.1]]))
    assert (
        task.decode(raw, share, {}, image).called == 1 and task.decode(raw, likeliest, {}, image).called == 0
    )
