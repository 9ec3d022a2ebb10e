"""Ways of compressing for tests: they need no library, and what they do is known."""

from __future__ import annotations

import copy
import types
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import torch

from vesalius.compress.contract import Member, Source, Variant, Way
from vesalius.core import registry
from vesalius.core.errors import PlanError
from vesalius.core.progress import Progress

CALLS: list[str] = []
SEEN: list[set[str]] = []  # the cases that a way could learn from, a member each


class Same(Way):
    """Nothing is changed."""

    name: ClassVar[str] = "trial-same"
    cost: ClassVar[float] = 1.0
    combines: ClassVar[bool] = True

    def suits(self, source: Source) -> str:
        return ""

    def apply(self, source: Source, *, to: Path, progress: Progress) -> Variant:
        CALLS.append("+".join((*source.before, self.name)))
        SEEN.extend({e.case_id for e in source.learned(m.number)} for m in source.model.members)
        made = tuple(Member(m.number, self.changed(copy.deepcopy(m.module))) for m in source.model.members)
        return Variant(self.name, replace(source.model, members=made), ("Nothing was changed.",))

    def changed(self, module: torch.nn.Module) -> torch.nn.Module:
        return module


class Spoiled(Same):
    """Every weight is drawn anew."""

    name: ClassVar[str] = "trial-spoiled"
    cost: ClassVar[float] = 0.5

    def changed(self, module: torch.nn.Module) -> torch.nn.Module:
        generator = torch.Generator().manual_seed(1)
        with torch.no_grad():
            for p in module.parameters():
                p.copy_(torch.randn(p.shape, generator=generator))
        return module


class Unfit(Same):
    """It suits no model."""

    name: ClassVar[str] = "trial-unfit"

    def suits(self, source: Source) -> str:
        return "it has the wrong colour"


class Failing(Same):
    """It ends in one of our errors."""

    name: ClassVar[str] = "trial-failing"

    def apply(self, source: Source, *, to: Path, progress: Progress) -> Variant:
        raise PlanError("no")


def join() -> None:
    """Add them to the registry of this process."""
    module = types.ModuleType("trial")
    vars(module)["WAYS"] = {way.name: way for way in (Same(), Spoiled(), Unfit(), Failing())}
    about = {"NAMES": dict.fromkeys(module.WAYS, "A way for tests"), "__doc__": "Ways for tests."}
    registry.join("compress.ways", "trial", registry.Joined(module, about, "tests.trial"))
