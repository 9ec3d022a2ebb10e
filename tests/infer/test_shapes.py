"""Forms: a planned model takes the shapes of narrower weights, its layers know them, and nothing else is accepted."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch
from torch import nn

from vesalius import nets
from vesalius.core.bundle import State
from vesalius.core.errors import BundleError
from vesalius.infer.shapes import FORM, Form, form_of, take, with_form


class Small(nn.Module):
    """One of each layer that is made narrower."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 8, 3, padding=1)
        self.norm = nn.BatchNorm2d(8)
        self.deep = nn.Conv2d(8, 8, 3, padding=1, groups=8)
        self.group = nn.GroupNorm(4, 8)
        self.up = nn.ConvTranspose2d(8, 4, 2, stride=2)
        self.block = nn.Sequential(nn.Conv2d(4, 4, 1))
        self.line = nn.Linear(4, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.group(self.deep(self.norm(self.conv(x))))
        out: torch.Tensor = self.line(self.block(self.up(x)).mean((2, 3)))
        return out


FORM_OF_SMALL = Form(
    {
        "conv.weight": (4, 1, 3, 3),
        "conv.bias": (4,),
        **{f"norm.{n}": (4,) for n in ("weight", "bias", "running_mean", "running_var")},
        "deep.weight": (4, 1, 3, 3),
        "deep.bias": (4,),
        "group.weight": (4,),
        "group.bias": (4,),
        "up.weight": (4, 3, 2, 2),
        "up.bias": (3,),
        "line.weight": (2, 3),
    },
    without=("block",),
)


def test_layers_know_how_wide_they_are() -> None:
    model = Small()
    take(model, FORM_OF_SMALL)
    assert (model.conv.in_channels, model.conv.out_channels) == (1, 4)
    assert (model.deep.groups, model.deep.in_channels, model.deep.out_channels) == (4, 4, 4)
    assert (model.group.num_groups, model.group.num_channels) == (2, 4), "groups of two, as before"
    assert (model.up.in_channels, model.up.out_channels) == (4, 3)
    assert (model.line.in_features, model.line.out_features) == (3, 2)
    assert isinstance(model.block, nn.Identity) and model.norm.num_features == 4
    assert model(torch.randn(2, 1, 8, 8)).shape == (2, 2)
    model(torch.randn(2, 1, 8, 8)).sum().backward()
    assert all(p.grad is not None for p in model.parameters())


def test_a_form_is_read_as_it_was_written_and_of_old_states_there_is_none() -> None:
    state = with_form(State({"share": [1.0]}), replace(FORM_OF_SMALL, channels={"net": (4, 8, 4)}))
    read = State(json.loads(json.dumps(state.values)))
    assert form_of(read) == replace(FORM_OF_SMALL, channels={"net": (4, 8, 4)})
    assert form_of(State({"share": [1.0]})) is None


def test_a_form_of_a_form() -> None:
    one = Form({"a.weight": (8, 4), "b.weight": (6, 8)}, channels={"net": (8, 8)})
    both = one.then(Form({"a.weight": (6, 4)}, ("b",), {"net": (6, 6)}))
    assert both == Form({"a.weight": (6, 4)}, ("b",), {"net": (6, 6)})


@pytest.mark.parametrize(
    ("form", "words"),
    [
        (Form({"conv.weight": (9, 1, 3, 3)}), "none that the plan can have"),  # wider than planned
        (Form({"conv.weight": (0, 1, 3, 3)}), "none that the plan can have"),
        (Form({"conv.weight": (4, 1, 3)}), "none that the plan can have"),
        (Form({"conv.wait": (4,)}), "none that the plan can have"),
        (Form({"cone.weight": (4,)}), "no part 'cone'"),
        (Form(without=("cone",)), "no part 'cone'"),
        (Form({"group.weight": (3,), "group.bias": (3,)}), "cuts a group"),
    ],
)
def test_what_is_no_form_of_the_model_is_refused(form: Form, words: str) -> None:
    with pytest.raises(BundleError, match=words):
        take(Small(), form)


def test_a_state_that_holds_something_else_is_refused() -> None:
    for odd in ({}, {"shapes": 3}, [1], {"shapes": {"a": "x"}, "without": [], "channels": {}}):
        with pytest.raises(BundleError, match="cannot be read"):
            form_of(State({FORM: odd}))


def test_nets_say_how_many_channels_their_maps_have() -> None:
    net = nets.build("unet", dims=2, in_channels=1, scale=0.125, size=(16, 16))
    take(net, Form(channels={"": (2, 3, 4, 2)}))
    assert net.channels == (2, 3, 4) and net.out_channels == 2
