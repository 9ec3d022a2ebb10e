"""Focal loss and squared error against hand-computed values."""

import math

import pytest
import torch
from torch.nn import functional as F

from vesalius import losses
from vesalius.core.errors import DataError

G = torch.Generator().manual_seed(2)
LOGITS = torch.randn(8, 3, generator=G)
TARGET = torch.randint(0, 3, (8,), generator=G)


@pytest.mark.parametrize("multilabel", [False, True])
def test_without_fading_it_is_cross_entropy(multilabel):
    target = (torch.rand(8, 3, generator=G) > 0.5).float() if multilabel else TARGET
    made = {"weights": [1.0, 2.0, 3.0], "multilabel": multilabel, "smoothing": 0.1}
    focal = losses.build("focal", options={"gamma": 0.0}, **made)
    assert torch.allclose(focal(LOGITS, target), losses.build("cross_entropy", **made)(LOGITS, target))


def test_hand_computed_focal():
    # p = 0.8 of the truth: (1 - 0.8)² · -log 0.8
    logits = torch.tensor([[math.log(0.8), math.log(0.2)]])
    wanted = 0.04 * -math.log(0.8)
    assert losses.build("focal")(logits, torch.tensor([0])).item() == pytest.approx(wanted, rel=1e-5)
    one = torch.tensor([[math.log(0.8 / 0.2)]])
    focal = losses.build("focal", multilabel=True)
    assert focal(one, torch.tensor([[1.0]])).item() == pytest.approx(wanted, rel=1e-5)


def test_a_sure_answer_has_a_finite_gradient():
    logits = torch.tensor([[60.0, -60.0]], requires_grad=True)
    losses.build("focal", options={"gamma": 0.5})(logits, torch.tensor([1])).backward()
    assert torch.isfinite(logits.grad).all()


def test_mse_agrees_with_torch_and_skips_unknown():
    x, y = LOGITS, torch.randn(8, 3, generator=G)
    loss = losses.build("mse")
    assert torch.allclose(loss(x, y), F.mse_loss(x, y))
    assert torch.allclose(loss(x[:, 0], y[:, 0]), F.mse_loss(x[:, 0], y[:, 0]))
    assert torch.allclose(loss(x[:, :1], y[:, 0]), F.mse_loss(x[:, 0], y[:, 0]))
    known = y.clone()
    known[2:] = float("nan")
    assert torch.allclose(loss(x, known), F.mse_loss(x[:2], y[:2]))
    with pytest.raises(DataError, match="shape"):
        loss(x, y[:4])
