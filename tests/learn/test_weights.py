"""What a net takes over of given weights: counted by hand on a net of three layers."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from vesalius import nets
from vesalius.core.errors import PlanError
from vesalius.learn.weights import fit_of, placed


def net(classes: int = 2) -> nn.Module:
    """30 + 3 + 3 + 3 parameters, the norm's buffers, and `3 · classes + classes` of the head."""
    return nn.Sequential(
        nn.Conv2d(1, 3, 3, bias=True), nn.BatchNorm2d(3), nn.Flatten(), nn.Linear(3, classes)
    )


def test_all_of_the_same_net_is_taken() -> None:
    fit = fit_of(net(), net().state_dict())
    assert str(fit) == "9 of the net's 9 tensors taken over, all of its parameters" and fit.share == 1


def test_another_head_a_missing_and_a_strange_tensor_are_named_with_why() -> None:
    given = net(classes=5).state_dict() | {"aux.weight": torch.ones(2, 2)}
    del given["1.bias"]
    fit = fit_of(net(), given)
    assert fit.taken == (
        "0.weight",
        "0.bias",
        "1.weight",
        "1.running_mean",
        "1.running_var",
        "1.num_batches_tracked",
    )
    assert fit.share == pytest.approx((27 + 3 + 3) / (27 + 3 + 3 + 3 + 6 + 2))
    assert str(fit) == (
        "6 of the net's 9 tensors taken over, 75.0 % of its parameters; not taken, of another shape: 3.weight "
        "(5×3 there, 2×3 here), 3.bias (5 there, 2 here); not among the given weights: 1.bias; given, and not in this "
        "net: aux.weight"
    )


def test_norms_and_counters_alone_are_nothing() -> None:
    given = {k: v for k, v in net().state_dict().items() if v.ndim < 2}
    with pytest.raises(
        PlanError, match=r"none of the given weights fits this net; found 7 tensors; 7 of the net's 9"
    ):
        fit_of(net(), given)


def test_each_of_several_nets_that_see_images_takes_the_weights_of_one() -> None:
    def eye(channels: int) -> nn.Module:
        return nets.build("resnet-10", dims=2, in_channels=channels, scale=0.125, size=(16, 16))

    model = nn.Module()
    model.eyes = nn.ModuleDict({"fundus": eye(3), "oct": eye(1)})
    given = eye(3).state_dict()
    taken, fit = placed(model, given)
    name = (
        "layers.0.0.conv1.weight"
        if "layers.0.0.conv1.weight" in given
        else next(n for n in given if "weight" in n)
    )
    for which in ("fundus", "oct"):
        assert any(n.startswith(f"eyes.{which}.") for n in fit.taken)
    assert torch.equal(taken[f"eyes.fundus.{name}"], given[name])
    assert len([n for n in fit.taken if n.startswith("eyes.oct.")]) == len(given)
    assert fit.adapted
