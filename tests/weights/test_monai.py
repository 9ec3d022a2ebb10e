"""MONAI's names: our net with the renamed tensors gives what MONAI's own net gives."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import monai.networks.nets as theirs
import pytest
import torch
from tests.weights._references import RULE, ours
from torch import Tensor, nn

from vesalius.core.errors import BundleError
from vesalius.weights import Weights
from vesalius.weights.found import Found
from vesalius.weights.reader import named


def filled(net: nn.Module) -> nn.Module:
    """Return a net of MONAI's whose tensors all differ, and whose norms have statistics."""
    own = net.state_dict()
    net.load_state_dict({k: RULE["made"](k, t.shape) if t.is_floating_point() else t for k, t in own.items()})
    return net.eval()


def found(net: nn.Module, prefix: str = "", keep: Callable[[str], bool] = lambda name: True) -> Found:
    """Return the file that a net would be."""
    tensors = {prefix + k: t.clone() for k, t in net.state_dict().items() if keep(k)}
    return Found(Path("weights.pth"), tensors, "weights with SHA-256 0")


def read(file: Found) -> Weights:
    """Return the weights of a file, of which our net is known."""
    weights = named(file)
    assert weights.net is not None
    return weights


def assert_equal(net: nn.Module, size: tuple[int, ...], channels: int, classes: int | None = 3) -> Weights:
    """Hold our net with the weights of MONAI's against it, and return them."""
    weights = read(found(net))
    x = RULE["picture"](channels, size)
    with torch.no_grad():
        there, here = net(x), ours(weights, channels=channels, classes=classes)(x)
    spread = min(1.0, float(there.std()))
    assert here.shape == there.shape and float((here - there).abs().max()) < 1e-4 * spread
    return weights


NETS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...], int]] = {
    "resnet10 in 3-D": (
        lambda: theirs.resnet10(spatial_dims=3, n_input_channels=1, num_classes=3),
        (20, 24, 17),
        1,
    ),
    "resnet18 in 2-D": (
        lambda: theirs.resnet18(spatial_dims=2, n_input_channels=2, num_classes=3),
        (40, 33),
        2,
    ),
    "resnet50 in 2-D": (
        lambda: theirs.resnet50(spatial_dims=2, n_input_channels=3, num_classes=3),
        (33, 40),
        3,
    ),
    "medicalnet's resnet18": (
        lambda: theirs.resnet18(
            spatial_dims=3,
            n_input_channels=1,
            num_classes=3,
            shortcut_type="A",
            conv1_t_stride=2,
            bias_downsample=False,
        ),
        (33, 30, 34),
        1,
    ),
    "densenet121 in 3-D": (lambda: theirs.DenseNet121(3, 1, 3), (32, 33, 34), 1),
    "efficientnet in 2-D": (
        lambda: theirs.EfficientNetBN(
            "efficientnet-b0", pretrained=False, spatial_dims=2, in_channels=1, num_classes=3
        ),
        (64, 64),
        1,
    ),
    "unetr": (
        lambda: theirs.UNETR(1, 3, (32, 32, 32), feature_size=4, hidden_size=96, mlp_dim=384),
        (32, 32, 32),
        1,
    ),
    "unetr in 2-D": (
        lambda: theirs.UNETR(2, 3, (48, 48), feature_size=4, hidden_size=96, mlp_dim=384, spatial_dims=2),
        (48, 48),
        2,
    ),
    "swinunetr": (lambda: theirs.SwinUNETR(1, 3, feature_size=12, window_size=4), (32, 64, 32), 1),
    "swinunetr in 2-D": (
        lambda: theirs.SwinUNETR(
            1, 3, feature_size=12, depths=(1, 2, 1, 2), window_size=4, spatial_dims=2, norm_name="batch"
        ),
        (64, 64),
        1,
    ),
    "dynunet": (
        lambda: theirs.DynUNet(
            *(3, 2, 3, [[1, 3, 3], [3, 3, 3], [3, 3, 3]], [1, [1, 2, 2], [2, 2, 2]], [[1, 2, 2], [2, 2, 2]]),
            filters=[8, 12, 16],
        ),
        (8, 24, 16),
        2,
    ),
    "dynunet in 2-D": (
        lambda: theirs.DynUNet(
            *(2, 1, 3, [3, 3, 3, 3], [1, 2, 2, 2], [2, 2, 2]),
            filters=[8, 12, 16, 20],
            norm_name="batch",
            trans_bias=True,
        ),
        (24, 32),
        1,
    ),
}


@pytest.mark.parametrize("name", NETS)
def test_our_net_gives_what_monais_gives(name: str) -> None:
    make, size, channels = NETS[name]
    weights = assert_equal(filled(make()), size, channels)
    assert weights.dims == len(size)


def test_a_vision_transformer_with_and_without_a_class_token() -> None:
    make: Any = theirs.ViT
    common = {"hidden_size": 96, "mlp_dim": 384, "num_layers": 5, "num_heads": 12}
    headed = make(
        *(1, (32, 32, 32), (8, 8, 8)),
        **common,
        classification=True,
        num_classes=3,
        post_activation="",
        qkv_bias=True,
    )

    class Logits(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = filled(headed)

        def state_dict(self) -> dict[str, Tensor]:  # type: ignore[override]
            return dict(self.inner.state_dict())

        def forward(self, x: Tensor) -> Tensor:
            logits: Tensor = self.inner(x)[0]
            return logits

    weights = assert_equal(Logits(), (32, 32, 32), 1)
    assert weights.net is not None and weights.net.scale == 0.125 and weights.size == (32, 32, 32)
    bare = filled(make(2, (32, 32), (16, 16), spatial_dims=2, **common))
    net, x = ours(read(found(bare)), channels=2), RULE["picture"](2, (32, 32))
    with torch.no_grad():
        there, here = bare(x)[0], net(x)
    torch.testing.assert_close(here[0].flatten(2).transpose(1, 2), there, atol=1e-4, rtol=0)
    torch.testing.assert_close(here[1].flatten(1), there.mean(1), atol=1e-4, rtol=0)


def test_a_head_that_ends_in_a_hyperbolic_tangent_is_left_out_and_said() -> None:
    make: Any = theirs.ViT
    net = filled(
        make(1, (32, 32), (16, 16), 96, 384, num_layers=5, num_heads=12, spatial_dims=2, classification=True)
    )
    weights = read(found(net))
    assert not weights.head and any("hyperbolic tangent (2 tensors)" in note for note in weights.notes)


def test_efficientnet_pytorch_counts_its_layers_in_one_row() -> None:
    net = theirs.EfficientNetBN("efficientnet-b1", pretrained=False, spatial_dims=2, num_classes=3)
    nested = found(filled(net))
    flat = {re.sub(r"_blocks\.\d+\.(\d+)", r"_blocks.\1", k): t for k, t in nested.tensors.items()}
    one, other = read(nested), read(Found(Path("b1.pth"), flat, "weights with SHA-256 0"))
    assert one.net == other.net and one.tensors.keys() == other.tensors.keys() and not other.unused
    assert all(torch.equal(one.tensors[k], other.tensors[k]) for k in one.tensors)


def test_medicalnets_files_have_a_prefix_and_a_decoder() -> None:
    net = filled(
        theirs.resnet10(spatial_dims=3, n_input_channels=1, feed_forward=False, bias_downsample=False)
    )
    file = found(net, prefix="module.")
    file.tensors["module.conv_seg.0.weight"] = torch.zeros(4, 4, 2, 2, 2)  # type: ignore[index]
    weights = read(file)
    assert weights.net is not None and weights.net.options == {} and weights.unused == ("conv_seg.0.weight",)
    assert any("MedicalNet" in note for note in weights.notes)


def test_a_transformer_of_self_supervision_is_a_part_of_swin_unetr() -> None:
    net = filled(theirs.SwinUNETR(1, 3, feature_size=12, window_size=4))
    own = net.state_dict()
    names = {k.removeprefix("swinViT."): k for k in own if k.startswith("swinViT.")}
    tensors = {"module." + k.replace("mlp.linear", "mlp.fc"): own[full] for k, full in names.items()}
    tensors |= {
        "module.rotation_head.weight": torch.zeros(4, 192),
        "module.convTrans3d.weight": torch.zeros(192, 1, 2, 2, 2),
        "module.norm.weight": torch.zeros(192),
    }
    weights = read(Found(Path("ssl.pt"), tensors, "weights with SHA-256 0"))
    assert weights.net is not None and weights.net.name == "swinunetr"
    assert set(weights.tensors) == {f"net.{full}" for full in names.values()}
    assert all(torch.equal(weights.tensors[f"net.{full}"], own[full]) for full in names.values())
    assert {"rotation_head.weight", "convTrans3d.weight", "norm.weight"} == set(weights.unused)
    assert any("the transformer alone" in note for note in weights.notes)


@pytest.mark.parametrize(
    ("net", "words"),
    [
        (lambda: theirs.UNet(2, 1, 2, (4, 8, 16), (2, 2), num_res_units=2), "UNet"),
        (lambda: theirs.UNet(3, 1, 2, (4, 8), (2,)), "UNet"),
        (lambda: theirs.AttentionUnet(2, 1, 2, (4, 8, 16), (2, 2)), "AttentionUnet"),
        (lambda: theirs.BasicUNet(2, 1, 2, (4, 4, 8, 8, 8, 4)), "BasicUNet"),
        (lambda: theirs.SegResNet(3, 8, 1, 2), "SegResNet"),
        (
            lambda: theirs.DynUNet(3, 1, 2, [3] * 3, [1, 2, 2], [2, 2], filters=[8] * 3, res_block=True),
            "residual",
        ),
        (lambda: theirs.SwinUNETR(1, 2, feature_size=12, window_size=4, use_v2=True), "second version"),
        (
            lambda: theirs.resnet18(spatial_dims=3, n_input_channels=1, norm=("group", {"num_groups": 8})),
            "group",
        ),
        (
            lambda: theirs.UNETR(1, 2, (32, 32, 16), feature_size=4, hidden_size=96, mlp_dim=384),
            "square or cube",
        ),
        (
            lambda: theirs.ViT(
                1,
                (32, 32),
                (16, 16),
                96,
                384,
                num_layers=5,
                num_heads=12,
                spatial_dims=2,
                proj_type="perceptron",
            ),
            "perceptron",
        ),
        (
            lambda: theirs.ViT(1, (32, 32), (16, 16), 96, 384, num_layers=4, num_heads=12, spatial_dims=2),
            "is not",
        ),
    ],
)
def test_a_net_that_computes_something_else_is_refused_in_one_line(
    net: Callable[[], nn.Module], words: str
) -> None:
    with pytest.raises(BundleError) as raised:
        named(found(net()))
    assert words in str(raised.value) and "\n" not in str(raised.value)
