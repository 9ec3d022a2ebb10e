"""A question to a net with drawn weights, as explainers are given it: for what they cost, and how they compute."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from vesalius import nets
from vesalius.core.ask import Ask
from vesalius.explain.question import Question
from vesalius.infer.runs.contract import Members
from vesalius.phantom.blob import patient
from vesalius.prepare.batch import Batch, Example


class Classifier(nn.Module):
    """A net and its head, the images that it saw, and the seconds that it took (see `counted`)."""

    def __init__(
        self, name: str, *, dims: int, channels: int, size: tuple[int, ...], scale: float = 1.0
    ) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.net = nets.build(name, dims=dims, in_channels=channels, size=size, scale=scale)
        self.head = self.net.head(2)
        self.seconds, self.images = 0.0, 0

    def forward(self, image: Tensor) -> Tensor:
        """Return logits of `(B, C, Z, Y, X)`; a 2-D net sees the one plane."""
        began = time.perf_counter()
        x = image[:, :, 0] if self.net.dims == 2 else image
        logits: Tensor = self.head(self.net(x))
        self.images += len(image)
        self.seconds += time.perf_counter() - began
        return logits


class Says:
    """As much of a task as a question needs: the logit of the class that is asked about."""

    name = "classify"

    def infer(self, model: nn.Module, batch: Batch, generator: torch.Generator) -> Tensor:
        """Return the logits."""
        found: Tensor = model(batch.images["image"])
        return found

    def scalar(self, raw: Tensor, ask: Ask) -> Tensor:
        """Return the second logit."""
        return raw[:, 1]


@contextmanager
def counted(classifier: Classifier) -> Iterator[None]:
    """Count the seconds of passes back inside this block as the network's, too."""
    real = torch.autograd.grad

    def grad(*words: Any, **named: Any) -> Any:
        began = time.perf_counter()
        found = real(*words, **named)
        classifier.seconds += time.perf_counter() - began
        return found

    torch.autograd.grad = grad
    classifier.seconds = 0.0
    try:
        yield
    finally:
        torch.autograd.grad = real


def asked(classifier: Classifier, *, size: int, depth: int = 1, channels: int = 1) -> Question:
    """Return the question about a blob phantom, standardised."""
    drawn = (patient(k, 0, size=size, depth=depth) for k in range(40))
    one = next(p for p in drawn if p.positive)
    volume = (one.volume.astype("float32") - one.volume.mean()) / one.volume.std()
    image = volume[None].repeat(channels, axis=0)
    task: Any = Says()
    plan: Any = None
    members = Members(task, [classifier.eval()], plan, torch.device("cpu"))
    return Question(members, Example("blob", {"image": image}), Ask(words="positive", place=1))
