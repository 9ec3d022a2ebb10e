"""What joining experts gave: where the new cohort lies, and each expert's skill and agreement."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vesalius.consensus.agreement import Agreement
from vesalius.consensus.skill import Skill
from vesalius.core.shown import Shown
from vesalius.core.words import counted


@dataclass(frozen=True, eq=False)
class Consensus(Shown):
    """A consensus that was written.

    `path` is the table of the new cohort, `page` the page about it. `tied` cases have no consensus; of masks, where
    single voxels are tied, it is 0. `skills` are each expert's, `agreement` that of all and of every two. `notes` must
    be read with it. `document` is what skill.json holds.
    """

    path: Path
    page: Path
    method: str
    labels: tuple[str, ...]
    cases: int
    tied: int
    skills: tuple[Skill, ...]
    agreement: Agreement
    notes: tuple[str, ...]
    document: Mapping[str, Any]

    def _words(self) -> Iterable[str]:
        yield counted(self.cases, "case")
        yield f"by {self.method}"
        yield counted(len(self.skills), "expert")
        yield f"{self.tied} tied" if self.tied else ""
