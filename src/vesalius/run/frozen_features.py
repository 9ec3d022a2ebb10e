"""Features of a cohort's cases as a frozen net gives them, computed once a case; only the vectors are kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from vesalius.core.case import Case
from vesalius.core.image import Array
from vesalius.core.progress import Progress, Silent
from vesalius.infer.predictor import device_of
from vesalius.learn.examples import prepare_examples
from vesalius.learn.frozen import features_of
from vesalius.learn.stepper import build
from vesalius.run.ready import Ready

AT_ONCE = 16  # cases whose pixels are in memory


def frozen_features(
    job: Ready,
    cases: Sequence[Case],
    starts: Mapping[str, Mapping[str, Any] | None],
    *,
    progress: Progress,
    device: str | None = None,
) -> dict[str, Array]:
    """Return by name the features `(N, F)` float32 of cases, as the task's net gives them with each of several weights.

    `starts` are the weights by name; None for a net from nothing. Pixels of AT_ONCE cases are in memory at a time.
    """
    where = device_of(device)
    models: dict[str, nn.Module] = {
        name: build(job.task, job.plan, job.state, 0, start).to(where).eval()
        for name, start in starts.items()
    }
    found: dict[str, list[Array]] = {name: [] for name in models}
    progress.start("features", len(cases))
    try:
        for first in range(0, len(cases), AT_ONCE):
            part = cases[first : first + AT_ONCE]
            examples = prepare_examples(job.task, part, job.plan, job.state, progress=Silent())
            for size in _batches(job, len(part)):
                batch = job.task.collate([examples[k] for k in size]).to(torch.device(where))
                for name, model in models.items():
                    seen, _ = features_of(job.task, model, job.state, batch)
                    found[name].append(seen.cpu().numpy())
            progress.advance("features", len(part))
    finally:
        progress.finish("features")
    return {name: np.concatenate(parts) for name, parts in found.items()}


def _batches(job: Ready, many: int) -> list[range]:
    """Return which of so many examples go through the net at once: as many as in a step of training, at most."""
    size = max(1, min(AT_ONCE, job.plan.train.batch))
    return [range(k, min(k + size, many)) for k in range(0, many, size)]
