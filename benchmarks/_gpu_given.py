"""What each slice of the GPU's script is given: the card, how long it may take, and where it may look."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks._gpu_card import Card


@dataclass(frozen=True)
class Given:
    """`until` is a `time.monotonic()`; `nnunet` a Python that has nnunetv2; `folder` a place for files."""

    card: Card
    until: float
    quick: bool
    folder: Path
    nnunet: Path | None = None

    def left_s(self) -> float:
        """Seconds that are left of this slice."""
        return self.until - time.monotonic()

    def some_s(self, share: float, most: float) -> float:
        """Return a share of what is left, `most` at most, and a second at least."""
        return max(1.0, min(most, share * self.left_s()))
