"""The part still fills the hole: what the other rules took away is little."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from vesalius.shapes.design.part import Made
from vesalius.shapes.rules.contract import Finding, Rule

NAMES = {"closes": "The part still fills the hole: what the other rules took away is little"}
ORDER = 60
OPTIONS = {"least_share": 0.7}
LIMITS = {"least_share": {"ge": 0, "le": 1}}


class Closes(Rule):
    """Room at the border costs a share of any part; a small part of which most is gone closes nothing."""

    name: ClassVar[str] = "closes"

    def check(self, made: Made, values: Mapping[str, Any]) -> Finding:
        """Measure which share of what was missing the part fills."""
        part = made.part
        wanted = part.wanted_mm < 0
        share = float((part.inside & wanted).sum() / max(int(wanted.sum()), 1))
        return Finding(
            self.name,
            share >= float(values["least_share"]),
            f"the part fills {share:.0%} of what is missing",
            {"filled_share": share},
            "--axis X,Y,Z where an undercut took much away, or a smaller --rule clearance",
        )


RULE = Closes()
