"""Soft Dice against MONAI's and hand-computed values."""

import pytest
import torch
from monai.losses import DiceCELoss, DiceLoss
from torch.nn import functional as F

from vesalius import losses

G = torch.Generator().manual_seed(1)
LOGITS = torch.randn(3, 4, 5, 6, 7, generator=G)
TARGET = torch.randint(0, 4, (3, 1, 5, 6, 7), generator=G)
BITS = (torch.rand(3, 4, 5, 6, 7, generator=G) > 0.6).float()


@pytest.mark.parametrize("batch", [True, False])
@pytest.mark.parametrize("background", [True, False])
def test_dice_agrees_with_monai(batch, background):
    theirs = DiceLoss(
        softmax=True,
        to_onehot_y=True,
        include_background=background,
        batch=batch,
        smooth_nr=1e-5,
        smooth_dr=1e-5,
    )(LOGITS, TARGET)
    ours = losses.build("dice", options={"batch": batch, "background": background})
    assert torch.allclose(ours(LOGITS, TARGET), theirs, atol=1e-6)
    soft = F.one_hot(TARGET[:, 0], 4).movedim(-1, 1).float()
    assert torch.allclose(ours(LOGITS, soft), theirs, atol=1e-6)


def test_dice_ce_agrees_with_monai_in_two_dimensions():
    logits, target = LOGITS[..., 0], TARGET[..., 0]
    theirs = DiceCELoss(
        softmax=True, to_onehot_y=True, include_background=False, batch=True, lambda_dice=0.5, lambda_ce=2.0
    )(logits, target)
    ours = losses.build("dice-ce", options={"dice_weight": 0.5, "ce_weight": 2.0})(logits, target[:, 0])
    assert torch.allclose(ours, theirs, atol=1e-4)


def test_overlapping_agrees_with_monai():
    theirs = DiceLoss(sigmoid=True, batch=True, smooth_nr=1e-5, smooth_dr=1e-5)(LOGITS, BITS)
    assert torch.allclose(losses.build("dice", multilabel=True)(LOGITS, BITS.bool()), theirs, atol=1e-6)


@pytest.mark.parametrize("weights", [None, [1.0, 2.0, 3.0, 0.5]])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_dice_ce_is_the_sum_of_its_parts(weights, smoothing):
    both = losses.build("dice-ce", weights=weights, smoothing=smoothing)
    ce = losses.build("cross_entropy", weights=weights, smoothing=smoothing)
    target = TARGET.clone()
    target[1, 0, :2] = -1
    dice = losses.build("dice", weights=weights)
    soft = F.one_hot(TARGET[:, 0], 4).movedim(-1, 1).float()
    weight = torch.tensor([1.0, 0.5, 2.0])
    for t in (target, soft):
        assert torch.allclose(
            both(LOGITS, t, weight), dice(LOGITS, t, weight) + ce(LOGITS, t, weight), atol=1e-6
        )


def test_hand_computed():
    # p(foreground) = 1, 1, 0, 0 and the truth 1, 0, 1, 0: 2 * 1 / (2 + 2) = 0.5
    sure = torch.tensor([100.0, 100.0, -100.0, -100.0])
    logits = torch.stack([torch.zeros(4), sure])[None]
    assert losses.build("dice")(logits, torch.tensor([[1, 0, 1, 0]])).item() == pytest.approx(0.5, abs=1e-4)
    assert losses.build("dice")(logits, torch.tensor([[1, 1, 0, 0]])).item() == pytest.approx(0.0, abs=1e-4)


def test_unknown_voxels_are_as_if_cut_away():
    target = TARGET.clone()
    target[:, :, 3:] = -1
    for name in ("dice", "dice-ce"):
        loss = losses.build(name)
        assert torch.allclose(loss(LOGITS, target), loss(LOGITS[:, :, :3], TARGET[:, :, :3]), atol=1e-6)
    unknown = BITS.clone()
    unknown[:, :, 3:] = -1
    loss = losses.build("dice-ce", multilabel=True)
    assert torch.allclose(loss(LOGITS, unknown), loss(LOGITS[:, :, :3], BITS[:, :, :3]), atol=1e-6)


@pytest.mark.parametrize("batch", [True, False])
def test_a_sample_of_weight_zero_is_as_if_absent(batch):
    loss = losses.build("dice-ce", options={"batch": batch})
    weight = torch.tensor([1.0, 0.0, 1.0])
    kept = weight > 0
    assert torch.allclose(loss(LOGITS, TARGET, weight), loss(LOGITS[kept], TARGET[kept]), atol=1e-6)


@pytest.mark.parametrize("name", ["dice", "dice-ce", "focal", "cross_entropy"])
@pytest.mark.parametrize("multilabel", [False, True])
def test_gradients_are_those_of_the_value(name, multilabel):
    logits = LOGITS[:2, :, :2, :2, :2].double().requires_grad_()
    target = BITS[:2, :, :2, :2, :2] if multilabel else TARGET[:2, :, :2, :2, :2]
    loss = losses.build(name, multilabel=multilabel, smoothing=0.1 if name != "dice" else 0.0)
    assert torch.autograd.gradcheck(lambda x: loss(x, target), (logits,))


def test_one_step_down_the_gradient_overlaps_better():
    logits = LOGITS.clone().requires_grad_()
    loss = losses.build("dice")
    before = loss(logits, TARGET)
    before.backward()
    assert loss(logits - 100 * logits.grad, TARGET) < before
