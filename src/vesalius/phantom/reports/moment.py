"""Moment: one image of a patient whose findings come and go, now or before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from vesalius.core.finding import Change


@dataclass(frozen=True)
class Moment:
    """One scan or film: how large each finding is in it, by name, and how each went since an earlier one."""

    which: Literal["now", "before"]
    id: str
    days: int
    sizes: Mapping[str, float]
    courses: Mapping[str, Change]
    earlier: bool
