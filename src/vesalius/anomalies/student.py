"""Student and teacher: a small net learns on normal images what a frozen one says; where it fails is not normal.

Wang, Han, Ding, Huang, "Student-teacher feature pyramid matching for anomaly detection", BMVC 2021, arXiv 2103.04257:
the squared distance of features of length one. The student is a small convolutional net that sees little more than a
place, as in Batzner, Heckler, König, "EfficientAD", WACV 2024, arXiv 2303.14535, not a copy of the teacher, so that
weights to begin from are the teacher's alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vesalius.anomalies._features import Features
from vesalius.anomalies.contract import Normality, Size, from_slices, in_slices, smoothed

NAMES = {
    "student": "Student and teacher: where a student of normal images fails to say what the teacher says"
}
OPTIONS = {"width": 64}
SOURCE = "Wang et al., BMVC 2021, arXiv 2103.04257"


class Taught(Normality):
    """A frozen teacher, and a student of its features."""

    def __init__(self, net: Any, *, size: Size, channels: int, width: int) -> None:
        super().__init__()
        self.features = Features(net, size, channels)
        stride = net.strides[self.features.levels[0]]
        self.student = student(net.dims, channels, stride, width, self.features.channels)

    def places(self, x: Tensor) -> Tensor:
        """Return half the squared distance of both nets' features of each place, `(B, z, y, x)`, smoothed."""
        return smoothed(self._apart(x))

    def _apart(self, x: Tensor) -> Tensor:
        with torch.no_grad():
            told = F.normalize(self.features(x), dim=1)
        flat = self.features.flat
        said = self.student(in_slices(x) if flat else x)
        said = from_slices(said, len(x)) if flat else said
        if said.shape[2:] != told.shape[2:]:
            said = F.interpolate(said, size=told.shape[2:], mode="trilinear", align_corners=False)
        return 0.5 * (F.normalize(said, dim=1) - told).pow(2).sum(dim=1)

    def loss(self, x: Tensor, generator: torch.Generator) -> dict[str, Tensor]:
        """Return the mean over places."""
        return {"apart": self._apart(x).mean()}


def student(dims: int, channels: int, stride: tuple[int, ...], width: int, outputs: int) -> nn.Sequential:
    """Return a small net whose map is as coarse as the teacher's: halved until it is, then two layers more."""
    conv, norm = (nn.Conv2d, nn.BatchNorm2d) if dims == 2 else (nn.Conv3d, nn.BatchNorm3d)
    layers: list[nn.Module] = []
    inside, left = channels, max(stride)
    while left > 1:
        layers += [conv(inside, width, 3, stride=2, padding=1, bias=False), norm(width), nn.ReLU()]
        inside, left = width, left // 2
    layers += [conv(inside, width, 3, padding=1, bias=False), norm(width), nn.ReLU()]
    layers.append(conv(width, outputs, 3, padding=1))
    return nn.Sequential(*layers)


def build(net: Any, *, size: Size, channels: int, cases: int, options: Mapping[str, Any]) -> Taught:
    """Return a teacher and a student that has learned nothing yet."""
    chosen = {**OPTIONS, **options}
    return Taught(net, size=size, channels=channels, width=int(chosen["width"]))
