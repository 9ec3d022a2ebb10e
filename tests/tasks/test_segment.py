"""segment: what is ignored in a mask teaches nothing, is no class, and weighs in no share."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from vesalius import losses
from vesalius.core.bundle import State
from vesalius.core.case import IGNORED, Case
from vesalius.core.cohort import Label
from vesalius.core.image import Array, Image
from vesalius.core.plan import DataPlan, Normalisation
from vesalius.metrics import mask as priors
from vesalius.prepare.case import prepare
from vesalius.tasks.segment import TASK

LABELS = [{"value": v, "name": n, "code": None, "colour": None} for v, n in ((1, "liver"), (5, "cyst"))]
STATE = State({"target": "mask", "labels": LABELS})


def mask_with_unknown() -> Array:
    rng = np.random.default_rng(0)
    return rng.choice(np.array([0, 1, 5, IGNORED], np.int16), (1, 8, 8, 8))


def test_ignored_voxels_are_unknown_to_the_loss_whatever_is_said_there() -> None:
    mask, image = mask_with_unknown(), Image(np.zeros((1, 8, 8, 8), np.float32))
    case = Case("a", {"image": image}, targets={"mask": Image(mask)})
    flat = Normalisation(method="fixed", mean=0.0, sd=1.0)
    plan = DataPlan(dims=3, channels=1, sampling="patches", size=(8, 8, 8), normalise=(flat,))
    example = TASK.encode(case, prepare(case, plan), image, STATE)
    index = np.asarray(example.targets["mask"])
    assert np.array_equal(index == -1, mask == IGNORED)
    assert np.array_equal(index == 2, mask == 5) and index.max() == 2
    target = torch.from_numpy(index).long()
    logits = torch.randn(1, 3, 8, 8, 8, generator=torch.Generator().manual_seed(0))
    other = torch.where(target[:, None] < 0, torch.full_like(logits, 9.0).cumsum(1), logits)
    for name in ("dice-ce", "dice", "cross_entropy", "focal"):
        criterion: nn.Module = losses.build(name, weights=None, smoothing=0.0)
        assert criterion(logits, target).item() == pytest.approx(criterion(other, target).item(), rel=1e-5), (
            name
        )


def test_the_training_mean_mask_is_of_known_voxels_alone() -> None:
    first = np.ones((1, 4, 4, 4), np.int16)
    second = first.copy()
    second[:, :, :, 2:] = IGNORED
    found = priors.prior([Image(first), Image(second)], (Label(1, "liver"),), grid=4)
    assert np.allclose(found, 1.0)
    third = np.zeros((1, 4, 4, 4), np.int16)
    found = priors.prior([Image(first), Image(second), Image(third)], (Label(1, "liver"),), grid=4)
    assert np.allclose(found[0, :, :, :2], 2 / 3) and np.allclose(found[0, :, :, 2:], 1 / 2)
