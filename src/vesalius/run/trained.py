"""A stage as it was carried out: what it learned and what its training gave, ready to be sealed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from vesalius.core.bundle import State
from vesalius.core.image import Array
from vesalius.run.members import Outcome
from vesalius.run.ready import Ready


@dataclass(frozen=True, eq=False)
class TrainedStage:
    """A stage as it was carried out, ready to be sealed, and what its training gave.

    `vectors` are the last stage's features of the training cases by case id (see `run/neighbours.py`).
    """

    job: Ready
    outcome: Outcome
    extras: Mapping[str, State] = field(default_factory=dict)
    vectors: Mapping[str, Array] = field(default_factory=dict)
