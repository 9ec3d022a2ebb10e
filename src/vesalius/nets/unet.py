"""U-Net: plain convolutions, instance normalisation and leaky ReLU, as deep as its input allows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import nn

from vesalius.nets._blocks import NORMS, initialise, one_of, read_options
from vesalius.nets._fold import Folded
from vesalius.nets._net import Net
from vesalius.nets._unet import ConvNormAct, Level, UShape, each, kernels_of, plan_levels

NAMES = {"unet": "U-Net as nnU-Net configures it, the default segmenter"}
ROLE = "dense"
DIMS = (2, 3)
SOURCE = (
    "Ronneberger, Fischer, Brox: U-Net, MICCAI 2015, arXiv:1505.04597; "
    "Isensee et al.: nnU-Net, Nature Methods 2021, doi:10.1038/s41592-020-01008-z"
)
SMALLEST = 0.125
OPTIONS = {
    "norm": "instance",
    "convs": 2,
    "convs_up": None,
    "channels": None,
    "stages": None,
    "spacing_mm": None,
    "strides": None,
    "kernels": None,
    "kernels_up": None,
    "eps": 1e-5,
    "slope": 0.01,
    "fold": False,
}


def build(
    name: str,
    *,
    dims: int,
    in_channels: int,
    scale: float = 1.0,
    dropout: float = 0.0,
    size: Sequence[int] | None = None,
    options: Mapping[str, Any] | None = None,
) -> Net:
    """Build a U-Net: `convs` convolutions a stage, a strided first one instead of pooling.

    Scale 1 has 32 channels in the first stage, doubled at each stage up to 320 in 3-D and 512 in 2-D; the depth
    follows `size` (no axis falls below four voxels), or is five stages without one. `dropout` drops whole
    channels after each convolution. Options: `norm` "instance", "batch" or "group"; `convs` of the stages on the way
    down, and `convs_up` of those on the way up where they are others, one number or one a stage, finest first;
    `channels`, `stages`, `spacing_mm`, `strides` and `kernels` as in `_unet.plan_levels`, and `kernels_up` of the
    stages on the way up where they are others; `eps` of the norms and `slope` of the leaky ReLU; `fold` lets the whole
    net work at half resolution (see `_fold`), which is about three times cheaper at the same number of weights.
    """
    chosen = read_options(name, options, OPTIONS)
    one_of(name, "norm", chosen["norm"], NORMS)
    if chosen["fold"]:
        inner = build(
            name,
            dims=dims,
            in_channels=in_channels * 2**dims,
            scale=scale,
            dropout=dropout,
            size=None if size is None else [-(-n // 2) for n in size],
            options={**chosen, "fold": False},
        )
        return Folded(inner, dims, in_channels=in_channels, normalise=chosen["norm"])
    channels, plan = plan_levels(name, dims=dims, scale=scale, size=size, options=chosen)

    down = each(name, "convs", chosen["convs"], len(channels))
    up = down[:-1]
    if chosen["convs_up"] is not None:
        up = each(name, "convs_up", chosen["convs_up"], len(channels) - 1)

    def level(counts: Sequence[int]) -> Level:
        def block(
            inside: int, outside: int, *, stride: Sequence[int], kernel: Sequence[int], stage: int
        ) -> nn.Module:
            return nn.Sequential(
                *(
                    ConvNormAct(
                        dims,
                        inside if i == 0 else outside,
                        outside,
                        kernel=kernel,
                        stride=stride if i == 0 else 1,
                        normalise=chosen["norm"],
                        eps=float(chosen["eps"]),
                        slope=float(chosen["slope"]),
                        dropout=dropout,
                    )
                    for i in range(counts[stage])
                )
            )

        return block

    rising = chosen["kernels_up"]
    if rising is not None:
        rising = kernels_of(name, rising, dims=dims, stages=len(channels) - 1)
    net = UShape(
        dims,
        in_channels,
        channels=channels,
        plan=plan,
        encode=level(down),
        decode=level(up),
        kernels_up=rising,
        dropout=dropout,
    )
    initialise(net, slope=float(chosen["slope"]), mode="fan_in")
    return net
