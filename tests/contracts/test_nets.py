"""Every registered net: its published size, gradients to every parameter, eight phantoms learned, its export."""

from __future__ import annotations

import pytest
import torch

from vesalius import nets
from vesalius.core import registry
from vesalius.core.errors import MissingExtra
from vesalius.testing import net_checks
from vesalius.testing.net import describes_itself

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
    "efficientnet-lite0": 4_652_008,  # EfficientNet-PyTorch's Lite0, built and counted
    "efficientnet-lite1": 5_416_680,  # the same library's Lite1
    "mobilenetv2": 3_504_872,  # torchvision
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
UNPUBLISHED = {
    "resnet-10",
    "huggingface",
    "snet",
}  # the second has the size of its config, the last is our reading

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


def families() -> list[str]:
    """One name of each file: the first that it lists."""
    firsts: dict[str, str] = {}
    for name in registry.names("nets"):
        firsts.setdefault(name.partition("-")[0], name)
    return list(firsts.values())


TRIED = tuple(dict.fromkeys((*families(), *nets.names_for("writer"))))
CHECKS = {told: check for name in TRIED for told, check in net_checks(name)}


@pytest.mark.parametrize("name", list(registry.names("nets")))
def test_the_file_says_what_it_is(name: str) -> None:
    describes_itself(name)


@pytest.mark.parametrize("check", list(CHECKS))
def test_it_keeps_its_promise(check: str) -> None:
    try:
        CHECKS[check]()
    except MissingExtra as error:  # `make test-extras` tests those
        pytest.skip(str(error))


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
