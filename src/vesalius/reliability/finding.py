"""A finding: one thing worth knowing about a cohort, with what it rests on and what to do about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Severity = Literal["error", "warning", "note"]
Place = tuple[
    float, float, float, float
]  # top, left, bottom, right, as shares of a picture's height and width
ORDER: Mapping[Severity, int] = {"error": 0, "warning": 1, "note": 2}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing worth knowing: how bad, what kind, which cases, in words, and what to do.

    `cases` stand with the worst first where they differ. `evidence` says in figures what it rests on, `measured` the
    figure of each case, and `places` where in its picture. `look` is the file that found it, whose name silences it.
    """

    severity: Severity
    kind: str
    cases: tuple[str, ...]
    text: str
    hint: str = ""
    evidence: str = ""
    measured: Mapping[str, float] = field(default_factory=dict)
    places: Mapping[str, Place] = field(default_factory=dict)
    look: str = ""

    @property
    def silencer(self) -> str:
        """Return the option that silences it, and all that the same look finds."""
        return f"--silence {self.look}" if self.look else ""
