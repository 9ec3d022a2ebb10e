"""Soft labels: what is learned is the probability of each label, and what has none is learned from its label."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from vesalius.core.case import NOBODY, Case
from vesalius.core.errors import DataError
from vesalius.core.image import Image
from vesalius.prepare import geometry
from vesalius.tasks import _soft


def case(**targets: Any) -> Case:
    return Case("c", {"image": Image(np.zeros((1, 1, 4, 4), np.float32))}, targets=targets)


def test_shares_are_those_of_the_labels_in_their_order() -> None:
    held = case(**{"p(b)": 0.3, "p(a)": 0.7})
    np.testing.assert_allclose(_soft.shares(held, ["a", "b"]), [0.7, 0.3])
    assert _soft.shares(held, ["a", "b", "c"]) is None
    with pytest.raises(DataError, match="do not sum to 1"):
        _soft.shares(case(**{"p(b)": 0.3, "p(a)": 0.3}), ["a", "b"])


def test_soft_labels_that_nobody_has_are_refused_and_not_passed_over() -> None:
    _soft.assert_there([case(), case(**{"p(a)": 0.5, "p(b)": 0.5})], ["a", "b"])
    with pytest.raises(DataError, match="no case has a probability of each label"):
        _soft.assert_there([case(), case(**{"p(a)": 0.5})], ["a", "b"])


def test_maps_are_probabilities_with_the_background_and_hard_where_there_is_none() -> None:
    image = Image(np.zeros((1, 1, 4, 4), np.float32))
    undo = geometry.layout(image, canonical=True, spacing_mm=None, size=(1, 4, 4), whole=False)
    level = np.zeros((1, 1, 4, 4), np.uint8)
    level[..., 0], level[..., 1] = 255, 102
    held = case(**{"p(a)": Image(level)})
    index = np.zeros((1, 4, 4), np.int16)
    found = _soft.maps(held, ["a"], index, image, undo)
    np.testing.assert_allclose(found[1, 0, 0], [1, 0.4, 0, 0])
    np.testing.assert_allclose(found.sum(0), 1)
    index[..., 0], index[..., 1] = 1, -1
    hard = _soft.maps(case(), ["a"], index, image, undo)
    np.testing.assert_array_equal(hard[:, 0, 0], [[0, 0, 1, 1], [1, 0, 0, 0]])


def test_where_no_expert_says_anything_a_map_knows_nothing() -> None:
    image = Image(np.zeros((1, 1, 4, 4), np.float32))
    undo = geometry.layout(image, canonical=True, spacing_mm=None, size=(1, 4, 4), whole=False)
    level = np.full((1, 1, 4, 4), 128, np.uint16)
    level[..., 0] = NOBODY
    found = _soft.maps(case(**{"p(a)": Image(level)}), ["a"], np.zeros((1, 4, 4), np.int16), image, undo)
    np.testing.assert_allclose(found[:, 0, 0], [[0, 127 / 255, 127 / 255, 127 / 255], [0, *[128 / 255] * 3]])


def test_the_loss_is_the_cross_entropy_of_the_probabilities_where_something_is_known() -> None:
    """By hand: of two voxels one is unknown, the other has 1/4 and 3/4 against logits 0 and log 3: their entropy."""
    from vesalius import losses

    logits = torch.zeros(1, 2, 1, 1, 2)
    logits[:, 1] = float(np.log(3))
    soft = torch.zeros(1, 2, 1, 1, 2)
    soft[0, :, 0, 0, 0] = torch.tensor([0.25, 0.75])

    class Fixed(torch.nn.Module):
        criterion = staticmethod(losses.build("cross_entropy"))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return logits

    found = _soft.terms(Fixed(), torch.zeros(1), soft)
    wanted = -(0.25 * np.log(0.25) + 0.75 * np.log(0.75))
    assert float(found["mask"]) == pytest.approx(wanted, rel=1e-5)
