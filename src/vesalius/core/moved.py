"""Moved: how far the surface of something moved outward and inward between two visits, and what can be told of it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from vesalius.core.answers.surface import Surface
from vesalius.core.image import Array

MovedVerdict = Literal["moved", "no more than the doubt", "cannot be told"]


@dataclass(frozen=True, slots=True)
class Way:
    """How far the part of a surface moved that moved one way: its share of the area, and the mean, the 95th percentile
    and the most of its distances in mm; all of them 0 where no part did."""

    share: float = 0.0
    mean_mm: float = 0.0
    p95_mm: float = 0.0
    most_mm: float = 0.0


@dataclass(frozen=True, eq=False, slots=True)
class Moved:
    """How far the surface of a label moved between two visits, both surfaces measured to the other one.

    `mean_mm` is the mean over both surfaces, positive where they moved outward; `p95_mm` the 95th percentile of how far
    they moved either way. `doubt_mm` is how far the two may be apart though nothing moved: by the registration and by
    half a voxel; None where nobody knows, and `why` says so. `seen` is the share of both surfaces that both images
    show, of which all of this is. `surface` is that of the later visit, and `field_mm` `(V,)` how far it moved at each
    vertex, NaN where the earlier image shows nothing; both are None where they were let go.
    """

    name: str
    mean_mm: float
    p95_mm: float
    outward: Way
    inward: Way
    doubt_mm: float | None
    why: str = ""
    seen: float = 1.0
    colour: str | None = None
    surface: Surface | None = None
    field_mm: Array | None = None

    @property
    def verdict(self) -> MovedVerdict:
        """What can be told of it: whether more than one place in twenty moved by more than the doubt."""
        if self.doubt_mm is None:
            return "cannot be told"
        return "moved" if self.p95_mm > self.doubt_mm else "no more than the doubt"

    def json(self) -> dict[str, Any]:
        """Return it as JSON takes it, without the surface."""
        return {
            "name": self.name,
            "mean_mm": self.mean_mm,
            "p95_mm": self.p95_mm,
            "outward": asdict(self.outward),
            "inward": asdict(self.inward),
            "doubt_mm": self.doubt_mm,
            "why": self.why or None,
            "seen": self.seen,
            "verdict": self.verdict,
        }

    def row(self) -> dict[str, Any]:
        """Return it as columns of a table."""
        lead = f"{self.name}_surface"
        found: dict[str, Any] = {f"{lead}_mean_mm": self.mean_mm}
        for way, held in (("outward", self.outward), ("inward", self.inward)):
            found |= {f"{lead}_{way}_{key}": value for key, value in asdict(held).items()}
        return found | {f"{lead}_doubt_mm": self.doubt_mm, f"{lead}_told": self.verdict}
