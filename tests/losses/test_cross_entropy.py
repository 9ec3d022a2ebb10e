"""Cross-entropy against PyTorch's own and hand-computed values."""

import math

import pytest
import torch
from torch.nn import functional as F

from vesalius import losses
from vesalius.core.errors import DataError, PlanError, UnknownName

G = torch.Generator().manual_seed(0)
LOGITS = torch.randn(6, 4, generator=G)
TARGET = torch.tensor([0, 1, 2, 3, 1, 0])
DENSE = torch.randn(2, 3, 4, 5, 6, generator=G)
VOXELS = torch.randint(0, 3, (2, 4, 5, 6), generator=G)


@pytest.mark.parametrize("weights", [None, [1.0, 2.0, 0.5, 3.0]])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_agrees_with_torch(weights, smoothing):
    ours = losses.build("cross_entropy", weights=weights, smoothing=smoothing)(LOGITS, TARGET)
    held = None if weights is None else torch.tensor(weights)
    assert torch.allclose(ours, F.cross_entropy(LOGITS, TARGET, weight=held, label_smoothing=smoothing))


def test_dense_with_unknown_voxels_agrees_with_torch_ignoring_them():
    target = VOXELS.clone()
    target[0, 0] = -1
    ours = losses.build("cross_entropy")(DENSE, target[:, None].to(torch.int8))
    assert torch.allclose(ours, F.cross_entropy(DENSE, target, ignore_index=-1))


def test_two_even_classes_cost_the_logarithm_of_two():
    loss = losses.build("cross_entropy")(torch.zeros(3, 2), torch.tensor([0, 1, 1]))
    assert loss.item() == pytest.approx(math.log(2))


@pytest.mark.parametrize("name", ["cross_entropy", "focal"])
@pytest.mark.parametrize("weights", [None, [1.0, 2.0, 0.5, 3.0]])
@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_one_hot_soft_targets_equal_hard_ones(name, weights, smoothing):
    loss = losses.build(name, weights=weights, smoothing=smoothing)
    assert torch.allclose(loss(LOGITS, F.one_hot(TARGET, 4).float()), loss(LOGITS, TARGET), atol=1e-6)


def test_mixup_target_is_the_mix_of_both_losses():
    loss, other = losses.build("cross_entropy"), TARGET.flip(0)
    mixed = 0.3 * F.one_hot(TARGET, 4) + 0.7 * F.one_hot(other, 4)
    assert torch.allclose(loss(LOGITS, mixed), 0.3 * loss(LOGITS, TARGET) + 0.7 * loss(LOGITS, other))


def test_sample_weight_zero_is_as_if_the_sample_were_not_there():
    loss = losses.build("cross_entropy")
    weight = torch.tensor([1.0, 1, 0, 1, 1, 0])
    assert torch.allclose(loss(LOGITS, TARGET, weight), loss(LOGITS[weight > 0], TARGET[weight > 0]))


def test_multilabel_agrees_with_torch_and_skips_unknown_bits():
    bits = (torch.rand(6, 4, generator=G) > 0.5).float()
    factors = torch.tensor([1.0, 2.0, 3.0, 4.0])
    loss = losses.build("cross_entropy", multilabel=True, weights=factors.tolist())
    assert torch.allclose(
        loss(LOGITS, bits), F.binary_cross_entropy_with_logits(LOGITS, bits, pos_weight=factors)
    )
    unknown = bits.clone()
    unknown[:3, 1] = -1
    each = F.binary_cross_entropy_with_logits(LOGITS, bits, pos_weight=factors, reduction="none")
    assert torch.allclose(loss(LOGITS, unknown), each[unknown >= 0].mean())


def test_all_unknown_is_zero_with_a_gradient():
    logits = DENSE.clone().requires_grad_()
    for name in ("cross_entropy", "focal"):
        value = losses.build(name)(logits, torch.full_like(VOXELS, -1))
        value.backward()
        assert value.item() == 0
        assert torch.isfinite(logits.grad).all()


def test_half_precision_is_summed_in_single():
    assert losses.build("cross_entropy")(LOGITS.bfloat16(), TARGET).dtype == torch.float32


def test_class_weights_are_not_part_of_what_is_saved():
    assert losses.build("cross_entropy", weights=[1.0, 2.0]).state_dict() == {}


def test_mistakes_are_named():
    with pytest.raises(UnknownName, match="cross_entropy"):
        losses.build("cross_entropi")
    with pytest.raises(UnknownName, match="gamma"):
        losses.build("focal", options={"gama": 1})
    with pytest.raises(PlanError, match="smoothing"):
        losses.build("cross_entropy", smoothing=1.0)
    with pytest.raises(DataError, match="2 weights for 4 classes"):
        losses.build("cross_entropy", weights=[1.0, 2.0])(LOGITS, TARGET)
    with pytest.raises(DataError, match="integers"):
        losses.build("cross_entropy")(LOGITS, TARGET[:3])
    with pytest.raises(DataError, match="logits' shape"):
        losses.build("cross_entropy", multilabel=True)(LOGITS, TARGET)
