"""The contract of a method of explanation: one file in `explain/methods/`, found by its name."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from torch import Tensor, nn

from vesalius.core.image import Array, Triple
from vesalius.explain.parts import Bars, PartQuestion
from vesalius.explain.question import Question
from vesalius.infer.weighing import listened


@dataclass(frozen=True, eq=False)
class Setting:
    """How an explanation is made: its samples, its seed, and what stands where something is taken away.

    `spacing_mm` `(x, y, z)` is that of the prepared grid, None where images have none.
    """

    away: Tensor
    samples: int = 200
    seed: int = 0
    pieces: int = 60
    spacing_mm: Triple | None = None

    def random(self) -> np.random.Generator:
        """Return the generator that all drawing comes from."""
        return np.random.default_rng(self.seed)


@dataclass(frozen=True, eq=False)
class Attribution:
    """How much each voxel, and each covariate, speaks for what is asked; below zero against it.

    `field` is `(Z, Y, X)` float32 on the question's grid, `beside` `(F,)`; `figures` are what the method
    tells of itself.
    """

    field: Array
    beside: Array | None = None
    figures: dict[str, float] = dataclasses.field(default_factory=dict)


def networks(model: nn.Module, having: str) -> list[Any]:
    """Return the networks of a model, the outermost first, that have what a method needs."""
    return [m for m in model.modules() if hasattr(m, "cam_map") and hasattr(m, having)]


class Method(ABC):
    """A way of explaining. Instances hold nothing; a file ends in `METHODS = {"name": …}` or `METHOD = …`.

    `signed` says that values below zero speak against what is asked. `sampled` says that its samples are drawn, so that
    another seed gives another map. `samples` is how many are taken unless said otherwise; a method that takes none
    ignores it. `needs` names what a model's network must have, such as `cam_map`.
    """

    signed: ClassVar[bool] = True
    sampled: ClassVar[bool] = False
    samples: ClassVar[int] = 200
    needs: ClassVar[str] = ""

    def suits(self, model: nn.Module) -> bool:
        """Return whether a model has a network with what this method needs."""
        return not self.needs or bool(networks(model, self.needs))

    def refuses(self, question: Question) -> str | None:
        """Return in a sentence why this method cannot explain such a model; None where it can."""
        return None

    @abstractmethod
    def attribute(self, question: Question, setting: Setting) -> Attribution:
        """Return what speaks for what is asked."""


@dataclass(frozen=True)
class PartSetting:
    """How bars of parts are made: how many changed cases a method may ask about (None is its own number), the seed,
    and how much is measured of them.
    """

    samples: int | None = None
    seed: int = 0
    check: str = "usual"

    def random(self) -> np.random.Generator:
        """Return the generator that all drawing comes from."""
        return np.random.default_rng(self.seed)


class PartMethod(ABC):
    """A way of explaining by whole parts of a case: its sources, its steps, its columns. Instances hold nothing.

    It measures its bars itself, by deletion and insertion over parts (`part_measures.py`). `samples` is how many
    changed cases are asked about unless said otherwise.
    """

    samples: ClassVar[int] = 200

    def suits(self, model: nn.Module, columns: Sequence[str] = ()) -> bool:
        """Return whether a model joins several sources, or the frames of one; `columns` are those that it reads."""
        return listened(model, alone=True) is not None

    def refuses(self, question: PartQuestion) -> str | None:
        """Return in a sentence why this method cannot explain such a model or case; None where it can."""
        return None

    @abstractmethod
    def attribute(self, question: PartQuestion, setting: PartSetting) -> tuple[Bars, ...]:
        """Return the bars of the parts."""
