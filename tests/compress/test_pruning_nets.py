"""Every registered net: without filters that compute zero it answers the same, and takes fewer operations."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from vesalius import nets
from vesalius.compress.pruning import groups as pruning
from vesalius.compress.pruning.groups import groups_of, random_units, removed, silenced
from vesalius.core import registry
from vesalius.core.errors import MissingExtra
from vesalius.testing.net import Classifier, NetTrial, net_trials

# nets of which no filter can be removed, and why
WHOLE = {"hypercolumn": "operation linalg_vector_norm"}  # all of a map's channels are brought to one length
BOTH = ("unet", "resnet-10")
MLP_ALONE = (
    "vit-tiny",
    "unetr",
    "swin-tiny",
    "swinunetr",
)  # layer normalisation and attention keep their channels


def trials() -> list[NetTrial]:
    """Each family in one of its dimensions, by turns, for time; those that have most of the parts in both."""
    firsts: dict[str, str] = {}
    for name in registry.names("nets"):
        if registry.stems("nets")[name.partition("-")[0]].startswith("vesalius."):
            firsts.setdefault(name.partition("-")[0], name)
    each = [net_trials(name) for name in firsts.values()]
    return [t for k, found in enumerate(each) for t in found if t.name in BOTH or t == found[k % len(found)]]


def shaken(trial: NetTrial) -> tuple[Classifier, Tensor]:
    """A net whose norms and biases are no ones and zeros, so that a wrong cut is seen; and two images, or one cine."""
    try:
        model = trial.smallest().eval()
    except MissingExtra as error:
        pytest.skip(str(error))
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for tensor in (*model.parameters(), *model.buffers()):
            if tensor.ndim == 1 and tensor.is_floating_point():
                tensor.add_(0.2 * torch.rand(tensor.shape, generator=generator))
    return model, torch.randn(1 if trial.time else 2, *trial.blank.shape[1:], generator=generator)


def macs(model: nn.Module, x: Tensor) -> int:
    """Multiplications as torch itself counts them."""
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(x)
    return int(counter.get_total_flops()) // 2


@pytest.mark.parametrize("trial", trials(), ids=lambda t: f"{t.name}-{t.dims}")
def test_a_net_without_filters_that_compute_zero_answers_the_same(trial: NetTrial) -> None:
    model, x = shaken(trial)
    found = groups_of(model, lambda m: m(x))
    if trial.name in WHOLE:
        assert not found.groups and WHOLE[trial.name] in found.reasons, found.reasons
        return
    units = random_units(found, 0.5, torch.Generator().manual_seed(1))
    left, form = removed(model, units, lambda m: m(x))
    with torch.no_grad():
        expected, answer = silenced(model, units)(x), left(x)
        whole = model(x)
    assert torch.allclose(answer, expected, atol=1e-5, rtol=1e-5)
    assert not torch.allclose(whole, expected, atol=1e-3), "what went was not zero before"
    share = nets.count_parameters(left) / nets.count_parameters(model)
    assert share < (0.85 if trial.name in MLP_ALONE else 0.5), share
    before, after = macs(model, x), macs(left, x)
    assert after < before
    if trial.name not in MLP_ALONE:  # torch counts the products within attention, too, which are no weights'
        assert found.operations == before, "ours are counted as torch counts them"
        assert pruning.operations(found.trace.positions, pruning.shapes_of(left)) == after
    assert set(form.shapes) <= set(model.state_dict())


def test_what_is_returned_is_named_by_its_new_channels() -> None:
    trial = NetTrial("unet", 2)
    model, x = shaken(trial)
    found = groups_of(model, lambda m: m(x))
    left, form = removed(model, random_units(found, 0.5, torch.Generator().manual_seed(1)), lambda m: m(x))
    out = left.net(x)
    assert left.net.channels == tuple(m.shape[1] for m in out.features) != model.net.channels
    assert left.net.out_channels == out.full.shape[1]
    assert form.channels == {"net": (*left.net.channels, left.net.out_channels)}


def test_a_folded_unet_is_cut_in_the_right_places() -> None:
    net = nets.build("unet", dims=2, in_channels=1, scale=0.25, size=(32, 32), options={"fold": True})
    model, x = Classifier(net).eval(), torch.randn(2, 1, 32, 32, generator=torch.Generator().manual_seed(0))
    found = groups_of(model, lambda m: m(x))
    left, _ = removed(model, random_units(found, 0.5, torch.Generator().manual_seed(1)), lambda m: m(x))
    assert nets.count_parameters(left) < 0.6 * nets.count_parameters(model)
    assert left.net.out_channels < 8, "the map at full resolution is narrower, too"


@pytest.mark.parametrize("norm", ["batch", "group"])
def test_groups_of_a_norm_go_together(norm: str) -> None:
    net = nets.build("resnet-10", dims=2, in_channels=1, scale=0.5, size=(32, 32), options={"norm": norm})
    model, x = Classifier(net).eval(), torch.randn(2, 1, 32, 32, generator=torch.Generator().manual_seed(0))
    found = groups_of(model, lambda m: m(x))
    many = {len([s for s in u.slices if s.name == "net.bn1.weight"]) for u in found.units} - {0}
    assert many == ({8} if norm == "group" else {1})
    left, _ = removed(model, random_units(found, 0.5, torch.Generator().manual_seed(1)), lambda m: m(x))
    assert left.net.bn1.weight.shape == (16,)
    if norm == "group":
        assert left.net.bn1.num_groups == 2, "the groups are as large as before"


class Half(nn.Module):
    """A net that is written with its width: it takes the first four channels, whatever there is."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Conv2d(1, 8, 3), nn.Conv2d(4, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.first(x)[:, :4].relu())


class Gated(nn.Module):
    """A sigmoid makes a half of nothing: a filter of zeros is not silent here."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Conv2d(1, 8, 3), nn.Conv2d(8, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.first(x).sigmoid())


class Twice(nn.Module):
    """One layer that is used two times, on its own output."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.same, self.last = nn.Conv2d(1, 8, 1), nn.Conv2d(8, 8, 1), nn.Conv2d(8, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.same(self.same(self.first(x)).relu()).relu())


def test_what_is_written_with_its_width_or_is_never_silent_stays() -> None:
    x = torch.randn(1, 1, 8, 8)
    for model, why in ((Half(), "cut at fixed places"), (Gated(), "not zero without their weights")):
        found = groups_of(model, lambda m: m(x))
        assert not found.groups and any(why in reason for reason in found.reasons), found.reasons


def test_a_layer_that_is_used_twice_loses_the_same_channel_in_and_out() -> None:
    model, x = Twice(), torch.randn(1, 1, 8, 8)
    (group,) = groups_of(model, lambda m: m(x)).groups
    assert {(s.name, s.axis) for s in group[0].slices} == {
        *(("first.weight", 0), ("first.bias", 0), ("same.weight", 0)),
        *(("same.weight", 1), ("same.bias", 0), ("last.weight", 1)),
    }
    assert {s.place for s in group[3].slices} == {3}


def test_a_cut_in_the_wrong_place_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Were a rule wrong, the model is never made: what is left is held against the whole one with zeros in it."""
    model, x = Twice(), torch.randn(1, 1, 8, 8)
    (group,) = groups_of(model, lambda m: m(x)).groups
    wrong = pruning.Unit(
        0,
        tuple(s if s.name != "last.weight" else pruning.Slice(s.name, 1, 5, False) for s in group[3].slices),
    )
    with pytest.raises(pruning.CodeError, match="answers differently"):
        removed(model, [wrong], lambda m: m(x))
    short = pruning.Unit(0, tuple(s for s in group[3].slices if s.name != "last.weight"))
    with pytest.raises(pruning.CodeError, match="cannot run"):
        removed(model, [short], lambda m: m(x))
