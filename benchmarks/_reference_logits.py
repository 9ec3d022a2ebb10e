"""What the implementations that ImageNet weights were trained with say of pictures; their interpreter runs it.

Run as `PYTHON _reference_logits.py PICTURES.npz OUT.npz`: PICTURES holds for each net `NAME-x` `(N, 3, Y, X)`, which is
normalised, and `NAME-path` of its file of weights; OUT gets the logits `(N, 1000)` by NAME. It imports nothing of ours.
"""

from __future__ import annotations

import sys

import numpy as np
import torch


def mobilenetv2(path: str) -> torch.nn.Module:
    """torchvision's."""
    from torchvision.models import mobilenet_v2

    net = mobilenet_v2()
    net.load_state_dict(torch.load(path, weights_only=True))
    return net


def efficientnetlite0(path: str) -> torch.nn.Module:
    """EfficientNet-Lite-PyTorch's, for which the weights were converted."""
    from efficientnet_lite_pytorch import EfficientNet

    net = EfficientNet.from_name("efficientnet-lite0")
    net.load_state_dict(torch.load(path, weights_only=True))
    return net


def main() -> None:
    """Answer every picture by every net."""
    given = np.load(sys.argv[1])
    found = {}
    for name, make in (("mobilenetv2", mobilenetv2), ("efficientnetlite0", efficientnetlite0)):
        net = make(str(given[f"{name}-path"])).eval()
        with torch.no_grad():
            x = torch.from_numpy(given[f"{name}-x"])
            found[name] = torch.cat([net(part) for part in x.split(10)]).numpy()
    np.savez(sys.argv[2], **found)


if __name__ == "__main__":
    main()
