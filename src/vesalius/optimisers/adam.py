"""Adam: steps scaled by running means of gradients and of their squares (Kingma and Ba 2015)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

NAMES = {"adam": "Adam; weight decay is added to the gradient"}
OPTIONS = {"beta1": 0.9, "beta2": 0.999, "eps": 1e-8}
LIMITS = {"beta1": {"ge": 0, "lt": 1}, "beta2": {"ge": 0, "lt": 1}, "eps": {"ge": 0}}


def make(groups: list[dict[str, Any]], *, lr: float, options: Mapping[str, Any]) -> torch.optim.Adam:
    """Return torch's Adam over these groups."""
    betas = (options["beta1"], options["beta2"])
    return torch.optim.Adam(groups, lr=lr, betas=betas, eps=options["eps"], fused=True)
