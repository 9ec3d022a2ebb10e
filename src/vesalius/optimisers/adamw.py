"""AdamW: Adam whose weight decay acts on the weights themselves (Loshchilov and Hutter 2019)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

NAMES = {"adamw": "Adam with decoupled weight decay"}
OPTIONS = {"beta1": 0.9, "beta2": 0.999, "eps": 1e-8}
LIMITS = {"beta1": {"ge": 0, "lt": 1}, "beta2": {"ge": 0, "lt": 1}, "eps": {"ge": 0}}


def make(groups: list[dict[str, Any]], *, lr: float, options: Mapping[str, Any]) -> torch.optim.AdamW:
    """Return torch's AdamW over these groups."""
    betas = (options["beta1"], options["beta2"])
    return torch.optim.AdamW(groups, lr=lr, betas=betas, eps=options["eps"], fused=True)
