"""Every registered net: its published size, gradients to every parameter, eight phantoms learned, its export."""

from __future__ import annotations

from functools import cache

import pytest
import torch
from torch import Tensor, nn

from vesalius import nets
from vesalius.core import registry
from vesalius.nets import Net

CLASSES = 2
ROLES = ("encoder", "dense", "sequence", "text", "graph", "denoiser")

# Parameters with three input channels and the paper's own head of 1000 classes, in 2-D.
# torchvision: the counts printed in its model documentation (docs.pytorch.org/vision/stable/models.html).
# DeiT: Touvron et al. 2021, table 1 (5.7, 22 million), exact as in timm. Caffe: bvlc_googlenet of the model zoo.
PUBLISHED = {
    "alexnet": 61_100_840,  # torchvision
    "vgg-11": 132_863_336,  # torchvision
    "vgg-13": 133_047_848,  # torchvision
    "vgg-16": 138_357_544,  # torchvision
    "vgg-19": 143_667_240,  # torchvision
    "vgg-11-bn": 132_868_840,  # torchvision
    "vgg-13-bn": 133_053_736,  # torchvision
    "vgg-16-bn": 138_365_992,  # torchvision
    "vgg-19-bn": 143_678_248,  # torchvision
    "resnet-18": 11_689_512,  # torchvision
    "resnet-34": 21_797_672,  # torchvision
    "resnet-50": 25_557_032,  # torchvision
    "resnet-101": 44_549_160,  # torchvision
    "resnet-152": 60_192_808,  # torchvision
    "densenet-121": 7_978_856,  # torchvision
    "densenet-161": 28_681_000,  # torchvision
    "densenet-169": 14_149_480,  # torchvision
    "densenet-201": 20_013_928,  # torchvision
    "efficientnet-b0": 5_288_548,  # torchvision
    "efficientnet-b1": 7_794_184,  # torchvision
    "efficientnet-b2": 9_109_994,  # torchvision
    "efficientnet-b3": 12_233_232,  # torchvision
    "efficientnet-b4": 19_341_616,  # torchvision
    "efficientnet-b5": 30_389_784,  # torchvision
    "efficientnet-b6": 43_040_704,  # torchvision
    "efficientnet-b7": 66_347_960,  # torchvision
    "vit-tiny": 5_717_416,  # DeiT-Ti
    "vit-small": 22_050_664,  # DeiT-S
    "vit-base": 86_567_656,  # torchvision, vit_b_16
    "vit-large": 304_326_632,  # torchvision, vit_l_16
    "swin-tiny": 28_288_354,  # torchvision
    "swin-small": 49_606_258,  # torchvision
    "swin-base": 87_768_224,  # torchvision
    "googlenet": 6_998_552,  # Caffe, without normalisation and without the auxiliary classifiers
    # By hand: 3·32·9+32 + 32·64·9+64 + 64·128·9+128 + (128·16)·128+128 + 128·1000+1000
    "cnn": 484_520,
}
PUBLISHED_OPTIONS = {"googlenet": {"norm": "none"}}
UNPUBLISHED = {"resnet-10"}

# Dense nets without a task's last layer, by the paper's own configuration: (dims, size, in_channels, options,
# millions of parameters, tolerance in millions).
DENSE_PUBLISHED = {
    # VGG-16's convolutions, fc6, fc7 and 21 scores, by hand: 14,714,688 + 102,764,544 + 16,781,312 + 86,037
    "fcn-32s": (2, (512, 512), 3, {"norm": "none", "scores": 21}, 134.346581, 1e-9),
    # nnU-Net 3d_fullres of six stages, 32 to 320 channels: 30.8 million (Isensee et al. 2021 and its plans)
    "unet": (3, (128, 128, 128), 1, None, 30.8, 0.5),
    # nnU-Net ResEnc M: 102 million (Isensee et al. 2024)
    "resunet": (3, (128, 128, 128), 1, None, 102.0, 1.0),
    "unetr": (3, (96, 96, 96), 1, None, 92.58, 0.5),  # Hatamizadeh et al. 2022, table 4
    "swinunetr": (3, (96, 96, 96), 1, None, 61.98, 0.5),  # Hatamizadeh et al. 2021
}

IMAGE_NETS = ("encoder", "dense")
MAX_STEPS = 100
LEARNED = 0.15


def families() -> list[str]:
    """One name of each file whose net reads images: the first that it lists."""
    firsts: dict[str, str] = {}
    for name in registry.names("nets"):
        if nets.describe(name).get("ROLE") in IMAGE_NETS:
            firsts.setdefault(name.partition("-")[0], name)
    return list(firsts.values())


def cells() -> list[tuple[str, int]]:
    return [(name, dims) for name in families() for dims in nets.describe(name)["DIMS"]]


class Classifier(nn.Module):
    """An encoder with its own head, or a dense net with a 1×1 convolution: what a task would build."""

    def __init__(self, net: Net) -> None:
        super().__init__()
        self.net = net
        self.dense = net.role == "dense"
        if self.dense:
            layer = nn.Conv2d if net.dims == 2 else nn.Conv3d
            self.last: nn.Module = layer(net.out_channels, CLASSES, 1)
        else:
            self.last = net.head(CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        out = self.net(x)
        return self.last(out.full if self.dense else out)


def smallest(name: str, dims: int) -> Classifier:
    torch.manual_seed(0)
    text = nets.describe(name)
    return Classifier(
        nets.build(
            name,
            dims=dims,
            in_channels=1,
            scale=text["SMALLEST"],
            size=side(name, dims),
            options=text.get("TINY"),
        )
    )


def side(name: str, dims: int) -> tuple[int, ...]:
    default = (16,) * 3 if dims == 3 else (32,) * 2
    return tuple(nets.describe(name).get("TINY_SIZE", {}).get(dims, default))


@cache
def phantoms(size: tuple[int, ...]) -> tuple[Tensor, Tensor, Tensor]:
    """Eight noisy balls `(8, 1, *size)`, four of them hollow (class 1), and their masks."""
    generator = torch.Generator().manual_seed(7)
    axes = [torch.linspace(-1, 1, n) for n in size]
    grid = torch.stack(torch.meshgrid(axes, indexing="ij"))
    images, masks = [], []
    for i in range(8):
        centre = (torch.rand(len(size), generator=generator) - 0.5) * 0.5
        distance = (grid - centre.reshape(-1, *(1,) * len(size))).square().sum(0).sqrt()
        radius = 0.45 + 0.2 * float(torch.rand((), generator=generator))
        mask = distance < radius
        ball = mask.float() * 2.0
        if i % 2:
            ball[distance < 0.6 * radius] = -1.0
        images.append(ball + 0.1 * torch.randn(size, generator=generator))
        masks.append(mask.long())
    return torch.stack(images)[:, None], torch.arange(8) % 2, torch.stack(masks)


@pytest.mark.parametrize("name", list(registry.names("nets")))
def test_the_file_says_what_it_is(name: str) -> None:
    text = nets.describe(name)
    assert text["ROLE"] in ROLES
    assert set(text["DIMS"]) <= {2, 3}
    assert text["SOURCE"].strip()
    assert 0 < text["SMALLEST"] <= 1
    assert isinstance(text["OPTIONS"], dict)
    assert name in nets.names_for(text["ROLE"])


def test_every_encoder_has_a_published_size() -> None:
    ours = {
        n
        for n in nets.names_for("encoder")
        if registry.stems("nets")[n.partition("-")[0]].startswith("vesalius.")
    }
    assert ours - UNPUBLISHED == set(PUBLISHED)


@pytest.mark.parametrize("name", list(PUBLISHED))
def test_published_size(name: str) -> None:
    with torch.device("meta"):
        net = nets.build(name, dims=2, in_channels=3, size=(224, 224), options=PUBLISHED_OPTIONS.get(name))
        head = net.head(1000)
    assert nets.count_parameters(net) + nets.count_parameters(head) == PUBLISHED[name]


@pytest.mark.parametrize("name", list(DENSE_PUBLISHED))
def test_published_size_of_dense_nets(name: str) -> None:
    dims, size, channels, options, millions, tolerance = DENSE_PUBLISHED[name]
    with torch.device("meta"):
        net = nets.build(name, dims=dims, in_channels=channels, size=size, options=options)
    assert nets.count_parameters(net) / 1e6 == pytest.approx(millions, abs=tolerance)


@pytest.mark.parametrize("name", families())
def test_scale_is_a_dial(name: str) -> None:
    text = nets.describe(name)
    counts = []
    for scale in (text["SMALLEST"], 0.5, 1.0):
        with torch.device("meta"):
            net = nets.build(name, dims=2, in_channels=1, scale=scale, size=(224, 224))
        counts.append(nets.count_parameters(net))
    assert counts[0] < counts[1] < counts[2]


@pytest.mark.parametrize(("name", "dims"), cells())
def test_maps_are_as_declared(name: str, dims: int) -> None:
    model = smallest(name, dims).eval()
    size = side(name, dims)
    with torch.no_grad():
        out = model.net(torch.zeros(1, 1, *size))
    maps = out.features if model.dense else out
    assert [m.shape[1] for m in maps] == list(model.net.channels)
    for m, stride in zip(maps, model.net.strides, strict=True):
        wanted = [-(-n // s) for n, s in zip(size, stride, strict=True)]
        slack = 0 if model.dense else 1  # AlexNet's pooling drops the border
        assert all(abs(n - w) <= slack for n, w in zip(m.shape[2:], wanted, strict=True)), m.shape
    if model.dense:
        assert out.full.shape == (1, model.net.out_channels, *size)


@pytest.mark.parametrize(("name", "dims"), cells())
def test_an_answer_can_be_followed_back_to_the_map_that_is_weighed(name: str, dims: int) -> None:
    model = smallest(name, dims).eval()
    output = model.net(torch.randn(1, 1, *side(name, dims), generator=torch.Generator().manual_seed(0)))
    weighed = model.net.cam_map(output)
    assert weighed.ndim == dims + 2 and weighed.shape[0] == 1
    answer = model.last(output.full if model.dense else output)
    (gradient,) = torch.autograd.grad(answer[:, 1].sum(), weighed)
    assert gradient.shape == weighed.shape and gradient.abs().sum() > 0


@pytest.mark.parametrize(("name", "dims"), cells())
def test_gradients_reach_everything_and_eight_phantoms_are_learned(name: str, dims: int) -> None:
    model = smallest(name, dims).train()
    images, labels, masks = phantoms(side(name, dims))
    target = masks if model.dense else labels
    optimiser = torch.optim.Adam(model.parameters(), lr=2e-2 if model.dense else 3e-3)
    losses: list[float] = []
    for step in range(MAX_STEPS):
        optimiser.zero_grad()
        loss = nn.functional.cross_entropy(model(images), target)
        loss.backward()
        if step == 0:
            silent = [n for n, p in model.named_parameters() if p.grad is None or not p.grad.abs().max() > 0]
            assert silent == []
        losses.append(loss.item())
        if losses[-1] < LEARNED:
            break
        optimiser.step()
    assert losses[-1] < LEARNED, losses[:: max(1, len(losses) // 10)]


@pytest.mark.parametrize(("name", "dims"), cells())
def test_export_agrees(name: str, dims: int) -> None:
    model = smallest(name, dims).eval()
    images = phantoms(side(name, dims))[0][:1]

    def check() -> None:
        exported = torch.export.export(model, (images,)).module()
        with torch.no_grad():
            torch.testing.assert_close(exported(images), model(images), atol=1e-4, rtol=0)

    if nets.describe(name).get("NO_EXPORT"):
        with pytest.raises(Exception):
            check()
    else:
        check()
