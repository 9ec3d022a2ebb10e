"""Thresholds of pseudo-labels: from which probability on what a model says is taken for true; they may adapt a class.

`fixed` is that of FixMatch (Sohn et al. 2020, arXiv 2001.07685). `flex` lowers it for classes that are learned more
slowly, by how many cases are surely said to be of each (FlexMatch, Zhang et al. 2021, arXiv 2110.08263). `free` begins
at chance and rises with the model's own confidence, a class at a time (FreeMatch, Wang et al. 2023, arXiv 2205.07246).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor


class Thresholds(ABC):
    """The thresholds of K classes while a model is trained. `values` are probabilities `(B, K, …)`, sums of one."""

    @abstractmethod
    def update(self, values: Tensor, case_ids: Sequence[str]) -> None:
        """Take in what is said of a batch."""

    @abstractmethod
    def each(self, classes: int) -> Tensor:
        """Return the threshold of each class, `(K,)`."""

    def sure(self, values: Tensor) -> Tensor:
        """Return where the likeliest class reaches its threshold, `(B, …)` bool."""
        highest, at = values.max(dim=1)
        return highest >= self.each(values.shape[1]).to(values)[at]

    @abstractmethod
    def keep(self) -> dict[str, Any]:
        """Return what they go on from after an interruption."""

    @abstractmethod
    def restore(self, saved: Mapping[str, Any]) -> None:
        """Go back to where `keep` was called."""


class Fixed(Thresholds):
    """One threshold for all classes and all of the training."""

    def __init__(self, threshold: float) -> None:
        self.threshold = threshold

    def update(self, values: Tensor, case_ids: Sequence[str]) -> None:
        """Take in nothing."""

    def each(self, classes: int) -> Tensor:
        """Return the threshold of each class, `(K,)`."""
        return torch.full((classes,), self.threshold)

    def keep(self) -> dict[str, Any]:
        """Return nothing."""
        return {}

    def restore(self, saved: Mapping[str, Any]) -> None:
        """Go back to nothing."""


class Flex(Fixed):
    """FlexMatch: the threshold times x / (2 - x), x being a class's share of the most often said one (its eq. 5 to 11).

    A case counts for the class that was last said of it with the full threshold. While most of the cases count for none
    x is a share of those, so that nothing is lowered to 0 by chance. Of points it is the class that most of them have.
    """

    def __init__(self, threshold: float, cases: Sequence[str]) -> None:
        super().__init__(threshold)
        self.place = {case: k for k, case in enumerate(cases)}
        self.said = torch.full((len(cases),), -1, dtype=torch.int64)

    def update(self, values: Tensor, case_ids: Sequence[str]) -> None:
        """Take in for which cases what is said reaches the full threshold."""
        mean = values.detach().flatten(2).mean(dim=2) if values.ndim > 2 else values.detach()
        for (highest, at), case in zip(zip(*mean.max(dim=1), strict=True), case_ids, strict=True):
            if float(highest) >= self.threshold:
                self.said[self.place[case]] = int(at)

    def each(self, classes: int) -> Tensor:
        """Return the threshold of each class, `(K,)`."""
        counts = torch.bincount(self.said[self.said >= 0], minlength=classes).float()
        unused = float((self.said < 0).sum())
        x = counts / max(float(counts.max()), unused, 1.0)
        return self.threshold * x / (2 - x)

    def keep(self) -> dict[str, Any]:
        """Return what was last surely said of each case."""
        return {"said": self.said.clone()}

    def restore(self, saved: Mapping[str, Any]) -> None:
        """Go back to where `keep` was called."""
        self.said = saved["said"].clone()


class Free(Thresholds):
    """FreeMatch: the mean confidence so far, times a class's mean probability as a share of the largest (eq. 5 to 8).

    Both are exponential averages over batches that begin at 1 / K, chance.
    """

    def __init__(self, momentum: float) -> None:
        self.momentum = momentum
        self.overall: Tensor | None = None  # ()
        self.classes: Tensor | None = None  # (K,)

    def update(self, values: Tensor, case_ids: Sequence[str]) -> None:
        """Take in how confident a batch is, and how likely it makes each class."""
        p = values.detach().float().cpu()
        k = p.shape[1]
        overall = torch.tensor(1 / k) if self.overall is None else self.overall
        classes = torch.full((k,), 1 / k) if self.classes is None else self.classes
        confidence = p.max(dim=1).values.mean()
        mean = p.movedim(1, -1).reshape(-1, k).mean(dim=0)
        self.overall = self.momentum * overall + (1 - self.momentum) * confidence
        self.classes = self.momentum * classes + (1 - self.momentum) * mean

    def each(self, classes: int) -> Tensor:
        """Return the threshold of each class, `(K,)`."""
        if self.overall is None or self.classes is None:
            return torch.full((classes,), 1 / classes)
        return self.overall * self.classes / self.classes.max()

    def keep(self) -> dict[str, Any]:
        """Return the two averages."""
        return {"overall": self.overall, "classes": self.classes}

    def restore(self, saved: Mapping[str, Any]) -> None:
        """Go back to where `keep` was called."""
        self.overall, self.classes = saved["overall"], saved["classes"]
