"""PaDiM on a frozen encoder: at each place of the image a Gaussian of what it shows of normal cases."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from vesalius.core.plan import Section
from vesalius.learn.one_pass import OnePass, defaults
from vesalius.plan.draft import Draft
from vesalius.plan.fingerprint import Fingerprint
from vesalius.plan.machine import Machine

NAMES = {"padim": "Normal cases alone: a Gaussian of features at each place (PaDiM); they must lie alike"}


class Options(Section):
    """`dimensions` features of each place are looked at, 0 for as many as fit; `ridge` steadies their covariance."""

    dimensions: int = Field(0, ge=0, le=2000)
    ridge: float = Field(0.01, gt=0)


class Padim(OnePass):
    """One pass that sums up means and covariances."""

    Options: ClassVar[type[Section]] = Options

    @classmethod
    def defaults(cls, draft: Draft, prints: Fingerprint, machine: Machine) -> None:
        """Plan one pass."""
        defaults(draft)


RECIPE = Padim
