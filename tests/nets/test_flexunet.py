"""The U-Net over any encoder: its levels, every size of input, every family of encoders, weights in and out."""

from __future__ import annotations

import json
from typing import Any

import pytest
import torch

from vesalius import nets
from vesalius.core.errors import PlanError, UnknownName
from vesalius.learn.weights import placed
from vesalius.nets.flexunet import Step, climb
from vesalius.testing.net import Classifier


def flexunet(encoder: str, *, dims: int = 2, channels: int = 3, **more: Any) -> nets.Net:
    """The smallest one over an encoder at its smallest."""
    about = nets.describe(encoder)
    own = json.dumps(about.get("TINY") or {})
    options = {
        "encoder": encoder,
        "encoder_scale": about["SMALLEST"],
        "encoder_options": own,
        **more.pop("options", {}),
    }
    size = more.pop("size", (64, 72) if dims == 2 else (32, 40, 48))
    return nets.build(
        "flexunet", dims=dims, in_channels=channels, scale=0.125, size=size, options=options, **more
    )


def test_a_pyramid_climbs_map_by_map_and_then_halves() -> None:
    assert climb([(4, 4), (8, 8), (16, 16)]) == (
        Step((1, 1)),
        Step((2, 2)),
        Step((4, 4), (0,)),
        Step((8, 8), (1,)),
        Step((16, 16), (2,)),
    )


def test_maps_of_one_stride_are_enlarged_as_they_are_earlier() -> None:
    """As of a transformer that gives the tokens of four layers: by hand, 16 → 8 → 4 → 2, and then the image's own."""
    assert climb([(16, 16)] * 4) == (
        Step((1, 1)),
        Step((2, 2), (0,)),
        Step((4, 4), (1,)),
        Step((8, 8), (2,)),
        Step((16, 16), (3,)),
    )


def test_maps_that_would_be_finer_than_the_image_join_its_own_level() -> None:
    assert climb([(2, 2)] * 3) == (Step((1, 1), (1, 0)), Step((2, 2), (2,)))


def test_strides_that_are_no_powers_of_two_and_axes_that_differ() -> None:
    assert [s.stride for s in climb([(14, 14)])] == [(1, 1), (2, 2), (4, 4), (8, 8), (14, 14)]
    assert [s.stride for s in climb([(1, 4, 4), (2, 8, 8)])] == [(1, 1, 1), (1, 2, 2), (1, 4, 4), (2, 8, 8)]


@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize("encoder", ["alexnet", "cnn", "densenet-121", "efficientnet-b0", "mobilenetv2", "resnet-50",
                                     "swin-tiny", "vgg-11", "vit-tiny"])  # fmt: skip
def test_any_encoder_and_any_size(encoder: str, dims: int) -> None:
    size = (64, 72) if dims == 2 else (32, 40, 48)
    net = flexunet(encoder, dims=dims, size=size).eval()
    for given in (size, tuple(n - 5 for n in size)):
        with torch.no_grad():
            out = net(torch.zeros(1, 3, *given))
        assert out.full.shape == (1, net.out_channels, *given)
        for found, channels, stride in zip(out.features, net.channels, net.strides, strict=True):
            assert found.shape == (1, channels, *(-(-n // s) for n, s in zip(given, stride, strict=True)))
    assert net.encoding == ("encoder",)
    assert all(part.startswith("encoder.") for depth in net.depths for part in depth)


def test_the_bottom_is_what_the_encoder_gives() -> None:
    """So that features of a dense net over an encoder are those of the encoder."""
    net = flexunet("resnet-10").eval()
    x = torch.randn(2, 3, 64, 96, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        out = net(x)
        deepest = net.get_submodule("encoder")(x)[-1]
    assert torch.equal(out.features[-1], deepest)
    assert torch.equal(net.summed_up(out), deepest.flatten(2).mean(-1))


def test_the_image_itself_reaches_full_resolution() -> None:
    """A change of one pixel changes the map at that pixel by more than what the encoder's coarse maps tell of it."""
    torch.manual_seed(0)
    net, without = (flexunet("resnet-10", options={"stem": s}).eval() for s in (8, 0))
    x = torch.zeros(1, 3, 64, 64)
    touched = x.clone()
    touched[..., 32, 32] = 1.0

    def moved(model: nets.Net) -> torch.Tensor:
        with torch.no_grad():
            return (model(touched).full - model(x).full).abs().sum(1)[0]

    sharp, blurred = moved(net), moved(without)
    assert sharp[31:34, 31:34].mean() > 5 * sharp[33:40, 40:47].mean()
    assert "stems.0.0.weight" in net.state_dict() and not any(
        n.startswith("stems") for n in without.state_dict()
    )
    assert float(blurred.sum()) > 0


@pytest.mark.parametrize("encoder", ["resnet-10", "mobilenetv2"])
def test_weights_of_a_classifier_start_the_encoder(encoder: str) -> None:
    """All of the encoder is taken, none of the decoder; of a bundle's names (`net.`) and of a net's own."""
    torch.manual_seed(0)
    about = nets.describe(encoder)
    classifier = Classifier(nets.build(encoder, dims=2, in_channels=3, scale=about["SMALLEST"]))
    learned = classifier.state_dict()
    torch.manual_seed(1)
    model = Classifier(flexunet(encoder))
    for given in (learned, {n.removeprefix("net."): t for n, t in learned.items() if n.startswith("net.")}):
        taken, _ = placed(model, given)
        assert set(taken) == {n for n in model.state_dict() if n.startswith("net.encoder.")}
        for name, tensor in taken.items():
            assert torch.equal(tensor, learned[name.replace("net.encoder.", "net.")])


def test_what_is_no_encoder_and_options_that_are_none_are_refused() -> None:
    with pytest.raises(PlanError, match="'unet' is no encoder"):
        nets.build("flexunet", dims=2, in_channels=1, options={"encoder": "unet"})
    with pytest.raises(UnknownName, match="resnet-19"):
        nets.build("flexunet", dims=2, in_channels=1, options={"encoder": "resnet-19"})
    for wrong in ("stem=small", "[1]", "3"):
        with pytest.raises(PlanError, match="must be a JSON object"):
            nets.build("flexunet", dims=2, in_channels=1, options={"encoder_options": wrong})
    with pytest.raises(UnknownName, match="steam"):
        nets.build("flexunet", dims=2, in_channels=1, options={"encoder_options": '{"steam": "small"}'})
    with pytest.raises(PlanError, match="for each of its 5 levels"):
        nets.build("flexunet", dims=2, in_channels=1, options={"widths": [8, 8]})
    with pytest.raises(PlanError, match="made for one input size"):
        nets.build("flexunet", dims=2, in_channels=1, options={"encoder": "vit-tiny"})
