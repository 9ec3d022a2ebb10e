"""The model of `classify`: an encoder with one head."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from vesalius.prepare.batch import Batch
from vesalius.tasks._together import look


class Classifier(nn.Module):
    """An encoder and a head: `(B, C, Z, Y, X)`, or a batch of several sources, → logits `(B, K)`."""

    def __init__(self, net: Any, classes: int, criterion: nn.Module) -> None:
        super().__init__()
        self.net, self.head, self.criterion = net, net.head(classes), criterion

    def forward(self, x: Tensor | Batch) -> Tensor:
        """Logits `(B, K)`."""
        logits: Tensor = self.head(look(self.net, x))
        return logits
