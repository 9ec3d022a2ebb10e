"""Something to learn in milliseconds: eight pictures, bright or dark."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from _bench import Bench

from vesalius.prepare.batch import Example


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    examples = [
        Example(
            f"case-{k}",
            {"image": rng.normal(2 * (k % 2) - 1, 1, size=(1, 1, 16, 16)).astype(np.float32)},
            {"label": np.eye(2, dtype=np.float32)[k % 2]},
        )
        for k in range(8)
    ]
    yield Bench(tmp_path, tuple(examples))
    torch.set_num_threads(threads)
