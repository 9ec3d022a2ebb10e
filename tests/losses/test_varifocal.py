"""The varifocal loss against values worked by hand from its equation, and where there is nothing to find."""

import math

import pytest
import torch

from vesalius import losses


def logit(p: float) -> float:
    return math.log(p / (1 - p))


def test_it_is_what_the_equation_says() -> None:
    loss = losses.build("varifocal", multilabel=True, options={"alpha": 0.75, "gamma": 2.0})
    logits = torch.tensor([[[logit(0.8), logit(0.3)]]])  # (B, K, L)
    target = torch.tensor([[[0.6, 0.0]]])
    positive = 0.6 * -(0.6 * math.log(0.8) + 0.4 * math.log(0.2))
    background = -0.75 * 0.3**2 * math.log(0.7)
    assert float(loss(logits, target)) == pytest.approx(
        positive + background, rel=1e-5
    )  # qualities sum to 0.6 < 1


def test_its_sum_is_shared_by_the_qualities() -> None:
    loss = losses.build("varifocal", multilabel=True)
    logits, target = torch.zeros(1, 1, 4), torch.tensor([[[1.0, 1.0, 1.0, 1.0]]])
    assert float(loss(logits, target)) == pytest.approx(math.log(2))


def test_images_without_a_box_have_a_finite_loss_that_teaches_background() -> None:
    loss = losses.build("varifocal", multilabel=True)
    logits = torch.zeros(2, 3, 5, requires_grad=True)
    value = loss(logits, torch.zeros(2, 3, 5))
    (slope,) = torch.autograd.grad(value, logits)
    assert torch.isfinite(value) and (slope > 0).all()


def test_what_is_not_known_and_what_is_left_out_counts_for_nothing() -> None:
    loss = losses.build("varifocal", multilabel=True)
    logits, target = torch.randn(1, 2, 3), torch.tensor([[[0.5, -1.0, 0.0], [0.0, -1.0, 0.9]]])
    known = loss(logits[..., [0, 2]], target[..., [0, 2]])
    assert torch.allclose(loss(logits, target), known)
    weight = torch.tensor([[1.0, 1.0, 0.0]])
    assert torch.allclose(loss(logits, target, weight), loss(logits[..., :1], target[..., :1]))
