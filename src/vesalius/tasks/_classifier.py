"""The model of `classify`: an encoder with one head."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn


class Classifier(nn.Module):
    """An encoder and a head: `(B, C, Z, Y, X)` → logits `(B, K)`."""

    def __init__(self, net: Any, classes: int, criterion: nn.Module) -> None:
        super().__init__()
        self.net, self.head, self.criterion = net, net.head(classes), criterion

    def forward(self, x: Tensor) -> Tensor:
        """Logits `(B, K)`."""
        features = self.net(x[:, :, 0] if self.net.dims == 2 else x)  # (B, C, Y, X) in 2-D
        logits: Tensor = self.head(features)
        return logits
