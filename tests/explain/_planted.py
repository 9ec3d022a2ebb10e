"""Models whose answer is known in closed form, so that what explains it is known, too."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from vesalius.core.ask import Ask
from vesalius.explain.contract import Setting
from vesalius.explain.question import Question
from vesalius.explain.stand_in import stand_in
from vesalius.infer.runs.contract import Members
from vesalius.prepare.batch import Batch, Example

SHAPE = (1, 24, 24)


class Weighed(nn.Module):
    """The sum of the image times fixed weights `(C, Z, Y, X)`, bent where `bend` says so, and of the covariates."""

    def __init__(self, weights: Tensor, bend: float = 0.0, beside: Tensor | None = None) -> None:
        super().__init__()
        self.weights, self.bend = nn.Parameter(weights), bend
        self.beside = None if beside is None else nn.Parameter(beside)

    def forward(self, x: Tensor, covariates: Tensor | None) -> Tensor:
        total = (x * self.weights).flatten(1).sum(dim=1)
        if self.beside is not None and covariates is not None:
            total = total + covariates @ self.beside
        return (total + self.bend * total**2)[:, None]


class Says:
    """As much of a task as a question needs."""

    name = "planted"

    def infer(self, model: nn.Module, batch: Batch, generator: torch.Generator) -> Tensor:
        found: Tensor = model(batch.images["image"], batch.covariates)
        return found

    def scalar(self, raw: Tensor, ask: Ask) -> Tensor:
        return raw[:, ask.place]


def question(
    models: list[nn.Module], image: np.ndarray[Any, Any], *, beside: np.ndarray[Any, Any] | None = None
) -> Question:
    """Return the question to planted models about an image `(C, Z, Y, X)`."""
    task: Any = Says()
    plan: Any = None
    example = Example("planted", {"image": image.astype(np.float32)}, covariates=beside)
    return Question(Members(task, models, plan, torch.device("cpu")), example, Ask(words="it"))


def spot(shape: tuple[int, ...] = SHAPE, *, where: tuple[slice, ...] | None = None) -> np.ndarray[Any, Any]:
    """Return weights `(1, Z, Y, X)` that are 1 in a corner block and 0 elsewhere."""
    weights = np.zeros((1, *shape), np.float32)
    weights[(0, *(where or (slice(None), slice(2, 8), slice(14, 20))))] = 1.0
    return weights


def picture(shape: tuple[int, ...] = SHAPE, *, seed: int = 0) -> np.ndarray[Any, Any]:
    """Return a bright picture `(1, Z, Y, X)` with some texture."""
    return (1 + 0.1 * np.random.default_rng(seed).standard_normal((1, *shape))).astype(np.float32)


def setting(asked: Question, **changed: Any) -> Setting:
    """Return a setting with the mean as the stand-in."""
    return Setting(**{"away": stand_in(asked, "mean"), "samples": 400, "pieces": 36, **changed})
