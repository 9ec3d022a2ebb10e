"""Contrastive losses against InfoNCE by torch's cross-entropy, and against pairs worked out by hand."""

import math

import pytest
import torch
from torch.nn import functional as F

from vesalius import losses
from vesalius.core.errors import PlanError


def near(n=6, seed=0):
    return torch.randn(n, n, generator=torch.Generator().manual_seed(seed)) * 3


def test_one_positive_each_is_symmetric_info_nce():
    """Radford et al. 2021, figure 3: the mean of two cross-entropies over the diagonal."""
    logits, places = near(), torch.arange(6)
    truth = (F.cross_entropy(logits, places) + F.cross_entropy(logits.T, places)) / 2
    torch.testing.assert_close(losses.build("contrastive")(logits, torch.eye(6)), truth)


def test_several_positives_share_and_even_shares_cost_nothing():
    pairs = torch.tensor([[1, 1, 0], [0, 0, 1]])
    best = torch.where(pairs == 1, 20.0, -20.0)
    assert losses.build("contrastive")(best, pairs).item() == pytest.approx(0, abs=1e-6)
    uneven = torch.tensor([[20.0, 0, -20], [-20, -20, 20]])
    assert losses.build("contrastive")(uneven, pairs).item() > 0.5


def test_equals_are_no_negatives_and_what_is_unknown_counts_for_nothing():
    loss, logits = losses.build("contrastive"), near(3)
    unknown = torch.tensor([[1, -1, 0], [-1, 1, 0], [0, 0, 1]])
    moved = logits.clone()
    moved[0, 1] += 50
    torch.testing.assert_close(loss(logits, unknown), loss(moved, unknown))
    assert loss(moved, torch.eye(3)) > loss(logits, torch.eye(3)) + 5


def test_a_row_without_a_positive_and_one_without_weight_count_nothing():
    loss, logits = losses.build("contrastive"), near(3)
    rows = torch.eye(3)
    alone = F.cross_entropy(logits[:2], torch.arange(2))
    columns = F.cross_entropy(logits.T, torch.arange(3))
    torch.testing.assert_close(loss(logits, rows, torch.tensor([1.0, 1, 0])), (alone + columns) / 2)


def test_pairwise_by_hand():
    logits = torch.tensor([[2.0, -1.0, 5.0]])
    pairs = torch.tensor([[1, 0, -1]])
    truth = 0.5 * (math.log1p(math.exp(-2)) + math.log1p(math.exp(-1)))
    assert losses.build("contrastive-sigmoid")(logits, pairs).item() == pytest.approx(truth, rel=1e-6)


def test_labels_of_cases_are_refused():
    with pytest.raises(PlanError, match="learns no labels"):
        losses.build("contrastive", multilabel=True)
