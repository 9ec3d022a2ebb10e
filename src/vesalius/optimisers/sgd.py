"""Stochastic gradient descent, with Nesterov's momentum unless that is zero."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

NAMES = {"sgd": "stochastic gradient descent with Nesterov's momentum"}
OPTIONS = {"momentum": 0.9}
LIMITS = {"momentum": {"ge": 0, "lt": 1}}


def make(groups: list[dict[str, Any]], *, lr: float, options: Mapping[str, Any]) -> torch.optim.SGD:
    """Return torch's SGD over these groups."""
    momentum = options["momentum"]
    return torch.optim.SGD(groups, lr=lr, momentum=momentum, nesterov=momentum > 0)
