"""What a design rule is: it mends a part where it can, and measures what would be made."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from vesalius.shapes.design.part import Made, Part


@dataclass(frozen=True)
class Finding:
    """What a rule found of a made part: whether it is kept, in words and figures, and what to try where it is not.

    `figures` have their units in their names. `places_mm` are points in LPS that a picture shows, if any.
    """

    rule: str
    kept: bool
    found: str
    figures: Mapping[str, float] = field(default_factory=dict)
    hint: str = ""
    places_mm: tuple[tuple[float, float, float], ...] = ()

    def json(self) -> dict[str, Any]:
        """Return it as plain data."""
        places = {"places_mm": [list(p) for p in self.places_mm]} if self.places_mm else {}
        return {
            "rule": self.rule,
            "kept": self.kept,
            "found": self.found,
            "figures": dict(self.figures),
            **places,
        }


class Rule(ABC):
    """One rule. Its file states its values with their defaults as `OPTIONS`, and when it mends as `ORDER`."""

    name: ClassVar[str]

    def mend(self, part: Part, values: Mapping[str, Any]) -> Part:
        """Return the part changed so that the rule is kept, as far as it can be; by default as it is."""
        return part

    def finish(self, part: Part, values: Mapping[str, Any]) -> Part:
        """Return the part after all rules have mended it, without what they left; it may take away and not add."""
        return part

    def stricter(self, values: Mapping[str, Any], finding: Finding) -> Mapping[str, Any]:
        """Return values to mend by once more, where a made part broke the rule by little; by default none, empty."""
        return {}

    @abstractmethod
    def check(self, made: Made, values: Mapping[str, Any]) -> Finding:
        """Return what is measured of the made part: of its mesh and its voxels, not of the field that it came from."""
