"""PatchCore on a frozen encoder: a core-set of what it shows of places of normal cases."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from vesalius.core.plan import Section
from vesalius.learn.one_pass import OnePass, defaults
from vesalius.plan.draft import Draft
from vesalius.plan.fingerprint import Fingerprint
from vesalius.plan.machine import Machine

NAMES = {"patchcore": "Normal cases alone: a core-set of the features of their places (PatchCore)"}


class Options(Section):
    """`share` of all places is kept, and at most `most` of them (see `anomalies/patchcore.py`)."""

    share: float = Field(0.01, gt=0, le=1)
    most: int = Field(10000, ge=16, le=200000)


class PatchCore(OnePass):
    """One pass that samples places, and a greedy choice among them."""

    Options: ClassVar[type[Section]] = Options

    @classmethod
    def defaults(cls, draft: Draft, prints: Fingerprint, machine: Machine) -> None:
        """Plan one pass."""
        defaults(draft)


RECIPE = PatchCore
