"""VAE: a variational auto-encoder of normal images; a place is as far from normal as it is drawn wrongly.

Kingma, Welling, arXiv 1312.6114, eq. 10, for the net; Baur, Denner, Wiestler, Navab, Albarqouni, "Autoencoders for
unsupervised anomaly segmentation in brain MR images", Medical Image Analysis 69, 2021, for the use. The code keeps a
coarse grid of places. It needs no weights of others: the planned encoder is trained with the rest.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vesalius.anomalies.contract import Normality, Size, from_slices, in_slices, smoothed

NAMES = {"vae": "VAE: a variational auto-encoder of normal images, and where it draws an image wrongly"}
OPTIONS = {"latent": 16, "beta": 0.001, "width": 32}
SOURCE = "Kingma and Welling, arXiv 1312.6114; Baur et al., Medical Image Analysis 69, 2021"
COARSEST = 4  # places along the longest axis that the code keeps at least


class Redrawn(Normality):
    """An encoder, a normal code at each of its places, and a decoder back to the image's grid."""

    def __init__(self, net: Any, *, size: Size, channels: int, latent: int, beta: float, width: int) -> None:
        super().__init__()
        self.net, self.flat, self.beta = net, net.dims == 2, beta
        own = size[-net.dims :]
        fine = [
            k
            for k, s in enumerate(net.strides)
            if max(n / a for n, a in zip(own, s, strict=True)) >= COARSEST
        ]
        self.level = max(fine, default=0)
        conv = nn.Conv2d if self.flat else nn.Conv3d
        self.code = conv(net.channels[self.level], 2 * latent, 1)
        self.decoder = decoder(net.dims, latent, net.strides[self.level], width, channels)

    def coded(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and logarithm of the variance of the code."""
        mean, log_variance = self.code(self.net(x)[self.level]).chunk(2, dim=1)
        return mean, log_variance.clamp(-10.0, 10.0)

    def drawn(self, code: Tensor, like: Tensor) -> Tensor:
        """Return the image of a code, on the grid of another."""
        made: Tensor = self.decoder(code)
        if made.shape[2:] != like.shape[2:]:
            mode = "bilinear" if self.flat else "trilinear"
            made = F.interpolate(made, size=like.shape[2:], mode=mode, align_corners=False)
        return made

    def places(self, x: Tensor) -> Tensor:
        """Return the mean absolute difference over channels between image and drawing, `(B, Z, Y, X)`, smoothed."""
        seen = in_slices(x) if self.flat else x
        off = (self.drawn(self.coded(seen)[0], seen) - seen).abs().mean(dim=1, keepdim=True)
        whole = from_slices(off, len(x)) if self.flat else off
        return smoothed(whole[:, 0])

    def loss(self, x: Tensor, generator: torch.Generator) -> dict[str, Tensor]:
        """Return the mean squared error of the drawing, and `beta` times the mean divergence of a code's number."""
        seen = in_slices(x) if self.flat else x
        mean, log_variance = self.coded(seen)
        noise = torch.randn(mean.shape, generator=generator).to(mean)
        made = self.drawn(mean + noise * (0.5 * log_variance).exp(), seen)
        divergence = 0.5 * (mean.pow(2) + log_variance.exp() - 1 - log_variance).mean()
        return {"drawn": (made - seen).pow(2).mean(), "divergence": self.beta * divergence}


def decoder(dims: int, latent: int, stride: tuple[int, ...], width: int, channels: int) -> nn.Sequential:
    """Return layers that double each axis until it is as fine as the image."""
    conv, norm = (nn.Conv2d, nn.BatchNorm2d) if dims == 2 else (nn.Conv3d, nn.BatchNorm3d)
    layers: list[nn.Module] = [conv(latent, width, 3, padding=1), norm(width), nn.ReLU()]
    left = list(stride)
    while max(left) > 1:
        factor = tuple(2.0 if n > 1 else 1.0 for n in left)
        layers += [nn.Upsample(scale_factor=factor), conv(width, width, 3, padding=1), norm(width), nn.ReLU()]
        left = [max(1, n // 2) for n in left]
    layers.append(conv(width, channels, 3, padding=1))
    return nn.Sequential(*layers)


def build(net: Any, *, size: Size, channels: int, cases: int, options: Mapping[str, Any]) -> Redrawn:
    """Return an auto-encoder that has learned nothing yet."""
    chosen = {**OPTIONS, **options}
    return Redrawn(
        net,
        size=size,
        channels=channels,
        latent=int(chosen["latent"]),
        beta=float(chosen["beta"]),
        width=int(chosen["width"]),
    )
