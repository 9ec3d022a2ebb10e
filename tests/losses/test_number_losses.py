"""Losses of numbers against torch and hand-computed values."""

import pytest
import torch
from torch.nn import functional as F

from vesalius import losses
from vesalius.core.errors import PlanError

G = torch.Generator().manual_seed(3)
X, Y = torch.randn(8, 2, generator=G) * 3, torch.randn(8, 2, generator=G)


@pytest.mark.parametrize("beta", [0.1, 1.0, 2.5])
def test_smooth_l1_agrees_with_torch(beta):
    loss = losses.build("smooth_l1", options={"beta": beta})
    assert torch.allclose(loss(X, Y), F.smooth_l1_loss(X, Y, beta=beta))


def test_mae_agrees_with_torch():
    assert torch.allclose(losses.build("mae")(X, Y), F.l1_loss(X, Y))


@pytest.mark.parametrize("name", ["mae", "smooth_l1", "mse"])
def test_unknown_numbers_count_for_nothing(name):
    loss, known = losses.build(name), Y.clone()
    known[3:] = float("nan")
    assert torch.allclose(loss(X, known), loss(X[:3], Y[:3]))
    assert loss(X[:0], Y[:0]) == 0


def test_far_from_the_truth_the_gradient_is_bounded():
    guess = torch.tensor([[100.0]], requires_grad=True)
    losses.build("smooth_l1")(guess, torch.zeros(1, 1)).backward()
    assert guess.grad.item() == 1.0


def test_beta_must_be_positive():
    with pytest.raises(PlanError, match="more than 0"):
        losses.build("smooth_l1", options={"beta": 0.0})
