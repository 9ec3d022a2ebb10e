"""A text that is learned to be written: a report, a finding in words."""

from __future__ import annotations

from typing import ClassVar

from vesalius.cohorts.targets.contract import TargetKind

ROLES = ()  # a table's column of reports is what a case has, and becomes a target in Python
ORDER = 50


class FreeText(TargetKind):
    """A value is a text."""

    name: ClassVar[str] = "text"


KIND = FreeText()
